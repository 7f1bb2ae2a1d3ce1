//! Time: wall clock, elapsed time, waiting, and SOURCE_DATE_EPOCH.
//! It is separate so that retries and records can be tested without waiting.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The clock seam.
pub trait Clock {
    /// Seconds since 1970-01-01 UTC.
    fn now(&self) -> u64;
    /// Time since this clock was made; never goes back.
    fn elapsed(&self) -> Duration;
    /// Waits.
    fn sleep(&self, time: Duration);
    /// The time to write into reproducible output: SOURCE_DATE_EPOCH when set, else `now`.
    fn stamp(&self) -> u64;
}

/// The real clock.
#[derive(Debug)]
pub struct SystemClock {
    start: Instant,
    epoch: Option<u64>,
}

impl SystemClock {
    /// Starts a clock; `epoch` is SOURCE_DATE_EPOCH (reproducible-builds.org), already parsed.
    pub fn start(epoch: Option<u64>) -> Self {
        Self {
            start: Instant::now(),
            epoch,
        }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> u64 {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |d| d.as_secs())
    }

    fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    fn sleep(&self, time: Duration) {
        std::thread::sleep(time);
    }

    fn stamp(&self) -> u64 {
        self.epoch.unwrap_or_else(|| self.now())
    }
}
