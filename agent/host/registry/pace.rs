//! What all sessions know of the way: how long answers take, how much comes, and how much may be buffered.
//! It is separate because it decides whether one connection is enough, and nothing else does.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A part that is fetched beside others.
pub(super) const CHUNK: u64 = 4 << 20;

/// Most parts that one session has under way beside the one that is read.
pub(super) const LANES: usize = 6;

/// Below this a blob, or what is left of it, is not worth a second connection.
const WORTH: u64 = 16 << 20;

/// How long anything is watched before it is judged, at least; over a long way longer, in answers' times.
const WATCH: Duration = Duration::from_millis(300);

/// Answers that come sooner come from near by: there the way never holds a connection back.
const NEAR: Duration = Duration::from_millis(3);

/// How long nobody tries again after more connections did not help.
const REST: Duration = Duration::from_secs(60);

/// When parts of a blob are fetched side by side.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Join {
    /// Where one connection over a long way does not fill the link, and more of them were seen to bring more.
    #[default]
    WhereItHelps,
    /// At once, for every blob that is large enough: for links that are known to be long.
    AtOnce,
}

/// Shared by all sessions.
#[derive(Debug)]
pub(super) struct Pace {
    /// The shortest time to an answer, by host.
    latency: Mutex<BTreeMap<String, Duration>>,
    /// Bytes of blobs that came in all.
    came: AtomicU64,
    /// Bytes that may still be buffered.
    room: Arc<AtomicU64>,
    /// Until when more connections are known not to help.
    enough: Mutex<Option<Instant>>,
    join: Join,
}

/// Room for one part; it is given back with the value.
#[derive(Debug)]
pub(super) struct Room(Arc<AtomicU64>);

impl Drop for Room {
    fn drop(&mut self) {
        self.0.fetch_add(CHUNK, Ordering::Relaxed);
    }
}

impl Pace {
    pub(super) fn new(memory: u64, join: Join) -> Self {
        Self {
            join,
            latency: Mutex::default(),
            came: AtomicU64::new(0),
            room: Arc::new(AtomicU64::new(memory)),
            enough: Mutex::default(),
        }
    }

    /// An answer of a host took so long.
    pub(super) fn answered(&self, host: &str, time: Duration) {
        let mut latency = self.latency.lock().unwrap_or_else(PoisonError::into_inner);
        match latency.get_mut(host) {
            Some(least) => *least = time.min(*least),
            None => drop(latency.insert(host.to_owned(), time)),
        }
    }

    /// The shortest time to an answer of a host.
    pub(super) fn latency(&self, host: &str) -> Option<Duration> {
        let latency = self.latency.lock().unwrap_or_else(PoisonError::into_inner);
        latency.get(host).copied()
    }

    /// So much of a blob came.
    pub(super) fn came(&self, bytes: u64) {
        self.came.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Room for one part, where there is some.
    pub(super) fn room(&self) -> Option<Room> {
        let take = |room: u64| room.checked_sub(CHUNK);
        let taken = self
            .room
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
        taken.ok().map(|_| Room(Arc::clone(&self.room)))
    }

    /// Watches from now on.
    pub(super) fn watch(&self) -> Watch {
        Watch {
            begun: Instant::now(),
            came: self.came.load(Ordering::Relaxed),
            waited: Duration::ZERO,
        }
    }

    /// Whether nothing is watched before parts join.
    pub(super) fn at_once(&self) -> bool {
        self.join == Join::AtOnce
    }

    fn is_enough(&self) -> bool {
        let enough = self.enough.lock().unwrap_or_else(PoisonError::into_inner);
        enough.is_some_and(|until| Instant::now() < until)
    }

    /// Nobody tries more connections for a while.
    pub(super) fn rest(&self) {
        let mut enough = self.enough.lock().unwrap_or_else(PoisonError::into_inner);
        *enough = Some(Instant::now() + REST);
    }
}

/// A time that is watched.
#[derive(Debug)]
pub(super) struct Watch {
    begun: Instant,
    came: u64,
    /// Of it spent waiting for bytes.
    waited: Duration,
}

impl Watch {
    /// So much of the time was waited for bytes.
    pub(super) fn waited(&mut self, time: Duration) {
        self.waited += time;
    }

    /// Bytes a second that came in all sessions.
    pub(super) fn rate(&self, pace: &Pace) -> u64 {
        let came = pace.came.load(Ordering::Relaxed).saturating_sub(self.came);
        let millis = self.begun.elapsed().as_millis().max(1);
        u64::try_from(u128::from(came) * 1000 / millis).unwrap_or(u64::MAX)
    }

    /// Whether it was watched for so many answers' times.
    pub(super) fn is_over(&self, pace: &Pace, latency: Option<Duration>, answers: u32) -> bool {
        pace.at_once() || self.begun.elapsed() >= WATCH.max(latency.unwrap_or_default() * answers)
    }

    /// Whether the reader is held back by a connection over a long way, so that more of them may help.
    pub(super) fn starves(&self, pace: &Pace, left: u64, latency: Option<Duration>) -> bool {
        if pace.at_once() {
            return left > CHUNK;
        }
        left > WORTH
            && self.waited * 2 > self.begun.elapsed()
            && latency.is_some_and(|latency| latency > NEAR)
            && !pace.is_enough()
    }

    /// Whether a tenth more came than before.
    pub(super) fn is_more(&self, pace: &Pace, before: u64) -> bool {
        pace.at_once() || self.rate(pace) > before + before / 10
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_never_more_than_there_is_and_comes_back() {
        let pace = Pace::new(2 * CHUNK + 1, Join::AtOnce);
        let (first, second) = (pace.room(), pace.room());
        assert!(first.is_some() && second.is_some() && pace.room().is_none());
        drop(first);
        assert!(pace.room().is_some());
        assert!(Pace::new(CHUNK - 1, Join::AtOnce).room().is_none());
    }

    #[test]
    fn more_connections_are_for_large_blobs_over_a_long_way_whose_reader_waits() {
        let pace = Pace::new(0, Join::WhereItHelps);
        let far = Some(Duration::from_millis(20));
        let watch = |waited: u64| Watch {
            begun: Instant::now().checked_sub(Duration::from_secs(1)).unwrap(),
            came: 0,
            waited: Duration::from_millis(waited),
        };
        assert!(watch(900).starves(&pace, WORTH + 1, far));
        assert!(!watch(900).starves(&pace, WORTH, far));
        assert!(!watch(100).starves(&pace, WORTH + 1, far));
        assert!(!watch(900).starves(&pace, WORTH + 1, Some(NEAR)));
        assert!(!watch(900).starves(&pace, WORTH + 1, None));
        assert!(watch(0).is_over(&pace, far, 10) && !watch(0).is_over(&pace, far, 100));
        assert!(!pace.watch().is_over(&pace, None, 0));
        pace.came(10 << 20);
        assert!(!watch(0).is_more(&pace, 10 << 20));
        assert!(watch(0).is_more(&pace, 5 << 20));
        pace.rest();
        assert!(!watch(900).starves(&pace, WORTH + 1, far));
    }
}
