//! Canonical JSON: sorted keys, no floats, stable bytes.
//! It is separate because digests are taken of it and a reordered key would be a false alarm.

use serde::Serialize;
use serde_json::Value;

use crate::error::{Context as _, Error, Result};

/// Canonical bytes of a value: keys sorted, two-space indent, final newline.
pub fn bytes(value: &impl Serialize) -> Result<Vec<u8>> {
    // Going through Value sorts the keys of structs too: its map is a BTreeMap.
    let value = serde_json::to_value(value).context(|| "turn a manifest into JSON")?;
    if has_float(&value) {
        return Err(Error::host(
            "write canonical JSON: a float has no single spelling",
        ));
    }
    let mut bytes = serde_json::to_vec_pretty(&value).context(|| "write canonical JSON")?;
    bytes.push(b'\n');
    Ok(bytes)
}

fn has_float(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_f64(),
        Value::Array(items) => items.iter().any(has_float),
        Value::Object(map) => map.values().any(has_float),
        _ => false,
    }
}

/// RFC 3339 UTC of seconds since 1970.
pub fn rfc3339(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z",
        rest / 3600,
        rest / 60 % 60,
        rest % 60
    )
}

/// Proleptic Gregorian date of days since 1970-01-01, by eras of 400 years that begin in March.
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 {
        march_month + 3
    } else {
        march_month - 9
    };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        // Checked against `date -u -d @N`.
        let table = [
            (0, "1970-01-01T00:00:00Z"),
            (951_827_696, "2000-02-29T12:34:56Z"),
            (1_775_561_234, "2026-04-07T11:27:14Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ];
        for (seconds, text) in table {
            assert_eq!(rfc3339(seconds), text);
        }
    }

    #[test]
    fn keys_are_sorted_and_floats_refused() {
        #[derive(Serialize)]
        struct Unsorted {
            b: u8,
            a: u8,
        }
        let text = String::from_utf8(bytes(&Unsorted { b: 1, a: 2 }).unwrap()).unwrap();
        assert_eq!(text, "{\n  \"a\": 2,\n  \"b\": 1\n}\n");
        assert!(bytes(&1.5).is_err());
    }
}
