//! Canonical JSON: sorted keys, no floats, stable bytes.
//! It is separate because digests are taken of it and a reordered key would be a false alarm.

use serde::Serialize;
use serde_json::Value;

use crate::error::{Context as _, Error, Result};

pub use crate::host::date::{rfc3339, seconds};

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

#[cfg(test)]
mod tests {
    use super::*;

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
