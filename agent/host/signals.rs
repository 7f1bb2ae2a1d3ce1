//! SIGTERM and SIGINT as a question that the write loop asks between two steps.
//! It is separate because a signal must never end a step halfway.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use signal_hook::consts::{SIGINT, SIGTERM};

use crate::error::{Context as _, Result};

/// What `watch` began; a step that waits asks it too.
static WATCHED: OnceLock<Stop> = OnceLock::new();

/// Remembers the last signal that asked to stop.
#[derive(Debug, Clone)]
pub struct Stop(Arc<AtomicUsize>);

impl Stop {
    /// The number of the signal; none while nobody asked.
    pub fn asked(&self) -> Option<i32> {
        match self.0.load(Ordering::Relaxed) {
            0 => None,
            number => i32::try_from(number).ok(),
        }
    }
}

/// Watches SIGTERM and SIGINT from now on; they no longer end the process by themselves.
pub fn watch() -> Result<Stop> {
    let stop = Stop(Arc::new(AtomicUsize::new(0)));
    for (signal, number) in [(SIGTERM, 15), (SIGINT, 2)] {
        signal_hook::flag::register_usize(signal, Arc::clone(&stop.0), number)
            .context(|| format!("watch signal {signal}"))?;
    }
    Ok(WATCHED.get_or_init(|| stop).clone())
}

/// The number of the signal that asked to stop; none while nobody asked or nothing is watched.
pub fn asked() -> Option<i32> {
    WATCHED.get().and_then(Stop::asked)
}
