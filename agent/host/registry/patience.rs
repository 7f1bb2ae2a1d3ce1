//! How long the network is waited for: time limits, waits between tries, Retry-After.
//! It is separate so that tests can be impatient, and because nothing else decides about time.

use std::hash::{BuildHasher as _, RandomState};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Time limits and tries.
#[derive(Debug, Clone)]
pub struct Patience {
    /// For a connection, TLS included.
    pub connect: Duration,
    /// For the head of an answer.
    pub answer: Duration,
    /// Without a byte of a body; also the time over which `slowest` is measured.
    pub stall: Duration,
    /// Bytes a second below which a connection is given up.
    pub slowest: u64,
    /// Tries in a row, without progress in between, before a blob or document is given up.
    pub tries: u32,
    /// The wait after the first of them; it doubles each time.
    pub first: Duration,
    /// The longest wait, also where a registry asks for a longer one.
    pub longest: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            answer: Duration::from_secs(30),
            stall: Duration::from_secs(30),
            slowest: 16 << 10,
            tries: 6,
            first: Duration::from_millis(250),
            longest: Duration::from_secs(60),
        }
    }
}

impl Patience {
    /// The wait before try `n` + 1, where `n` failed in a row. Up to half of it is left out by chance, so that
    /// nodes that failed together do not come back together.
    pub(super) fn wait(&self, n: u32, asked: Option<Duration>) -> Duration {
        if let Some(asked) = asked {
            return asked.min(self.longest);
        }
        let doubled = 2u32.saturating_pow(n.saturating_sub(1));
        let full = self.first.saturating_mul(doubled).min(self.longest);
        let chance = u32::try_from(RandomState::new().hash_one(n) % 512).unwrap_or(0);
        full.saturating_sub(full * chance / 1024)
    }

    /// Fewest bytes that must come within `stall`.
    pub(super) fn fewest(&self) -> u64 {
        let millis = u64::try_from(self.stall.as_millis()).unwrap_or(u64::MAX);
        self.slowest.saturating_mul(millis) / 1000
    }
}

/// What a Retry-After header asks for: seconds, or a date (RFC 9110, section 10.2.3).
pub(super) fn retry_after(value: &str) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    Some(Duration::from_secs(date(value)?).saturating_sub(now))
}

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// `Sun, 06 Nov 1994 08:49:37 GMT` as seconds since 1970; the obsolete forms are not read.
fn date(value: &str) -> Option<u64> {
    let (_, rest) = value.split_once(", ")?;
    let words: Vec<&str> = rest.split(' ').collect();
    let [day, month, year, time, "GMT"] = words.as_slice() else {
        return None;
    };
    let clock: Vec<u64> = time.split(':').map_while(|n| n.parse().ok()).collect();
    let [hour, minute, second] = clock.as_slice() else {
        return None;
    };
    let month = u64::try_from(MONTHS.iter().position(|m| m == month)?).ok()? + 1;
    let (day, year): (u64, u64) = (day.parse().ok()?, year.parse().ok()?);
    if !(1970..10000).contains(&year) || !(1..=31).contains(&day) {
        return None;
    }
    let days = days_before(year, month) + day - 1;
    Some(((days * 24 + hour.min(&23)) * 60 + minute.min(&59)) * 60 + second.min(&60))
}

/// Days from 1970-01-01 to the first of a month, counted with years that begin in March.
fn days_before(year: u64, month: u64) -> u64 {
    let (year, month) = match month {
        1 | 2 => (year - 1, month + 9),
        _ => (year, month - 3),
    };
    let leaps = year / 4 - year / 100 + year / 400;
    year * 365 + leaps + (month * 153 + 2) / 5 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_never_fall_below_half() {
        let patience = Patience::default();
        for (n, full) in [(1, 250), (2, 500), (3, 1000), (9, 60_000), (500, 60_000)] {
            let wait = u64::try_from(patience.wait(n, None).as_millis()).unwrap();
            assert!(wait >= full / 2 && wait <= full, "{n}: {wait} ms");
        }
        let asked = |s| patience.wait(1, Some(Duration::from_secs(s))).as_secs();
        assert_eq!((asked(0), asked(7), asked(86_400)), (0, 7, 60));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let table = [
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777)),
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
            ("Thu, 29 Feb 2024 23:59:60 GMT", Some(1_709_251_200)),
            ("Fri, 31 Dec 2100 00:00:00 GMT", Some(4_133_894_400)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", None),
            ("Sun, 06 Nov 1994 08:49:37", None),
            ("Sun, 06 Foo 1994 08:49:37 GMT", None),
            ("Sun, 99 Nov 1994 08:49:37 GMT", None),
            ("Sun, 06 Nov 99999999999999999 08:49:37 GMT", None),
            ("", None),
        ];
        for (text, want) in table {
            assert_eq!(date(text), want, "{text}");
        }
        assert_eq!(retry_after(" 12 "), Some(Duration::from_secs(12)));
        assert_eq!(
            retry_after("Sun, 06 Nov 1994 08:49:37 GMT"),
            Some(Duration::ZERO)
        );
        assert_eq!(retry_after("-1"), None);
        assert_eq!(retry_after("soon"), None);
    }
}
