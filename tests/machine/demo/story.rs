//! The demo's running lines on the terminal, and the seconds of every stage.
//! Separate so that stages only say what they do.

use crate::support::machine::Result;
use std::{collections::BTreeMap, io::Write as _, time::Instant};

/// Tells stages as they run: a line begins when a stage does and ends with its seconds.
#[derive(Debug)]
pub(crate) struct Story {
    begun: Instant,
    seconds: BTreeMap<String, f64>,
}

impl Story {
    /// Prints the title and starts the clock.
    pub(crate) fn begin(title: &str) -> Self {
        println!("{title}\n");
        Self {
            begun: Instant::now(),
            seconds: BTreeMap::new(),
        }
    }

    /// Runs one stage; `key` names it in the summary, `title` on the terminal, and the text it
    /// returns beside its value says what came out.
    pub(crate) fn stage<T>(
        &mut self,
        key: &str,
        title: &str,
        work: impl FnOnce() -> Result<(T, String)>,
    ) -> Result<T> {
        print!("  {title:<44}");
        // Without a terminal nothing is lost when the line comes late.
        std::io::stdout().flush().unwrap_or_default();
        let start = Instant::now();
        let result = work();
        let took = start.elapsed().as_secs_f64();
        self.seconds.insert(key.to_owned(), rounded(took));
        match result {
            Ok((value, note)) => {
                println!("{took:>6.1} s  {note}");
                Ok(value)
            }
            Err(error) => {
                println!("{took:>6.1} s  FAILED");
                Err(format!("{title}: {error}"))
            }
        }
    }

    /// The seconds of every stage so far, with `total`.
    pub(crate) fn seconds(&self) -> BTreeMap<String, f64> {
        let mut all = self.seconds.clone();
        all.insert(
            "total".to_owned(),
            rounded(self.begun.elapsed().as_secs_f64()),
        );
        all
    }
}

fn rounded(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}
