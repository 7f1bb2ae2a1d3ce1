//! Times as text: RFC 3339 in UTC, as records, manifests and containerd's labels have them.
//! It is separate because several layers write times, and none needs more of a calendar than this.

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

/// Seconds since 1970 of a time as `rfc3339` writes it; none for any other text.
pub fn seconds(text: &str) -> Option<u64> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<u64>().ok();
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    // Eras of 400 years that begin in March, as in `civil`.
    let from_march = (month + 9) % 12;
    let year_in_march = year.checked_sub(u64::from(month <= 2))?;
    let (era, year_of_era) = (year_in_march / 400, year_in_march % 400);
    let day_of_year = (153 * from_march + 2) / 5 + day.checked_sub(1)?;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = (era * 146_097 + day_of_era).checked_sub(719_468)?;
    let found = days * 86_400 + hour * 3600 + minute * 60 + second;
    (rfc3339(found) == text).then_some(found)
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
            assert_eq!(super::seconds(text), Some(seconds));
        }
    }

    #[test]
    fn only_a_time_that_exists_has_seconds() {
        for text in [
            "",
            "2026-02-30T00:00:00Z",
            "2026-04-07T11:27:14+02:00",
            "1969-12-31T23:59:59Z",
            "0000-00-00T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "yesterday",
        ] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }
}
