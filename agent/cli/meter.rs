//! Meters on stderr: a bar for each running piece and one for the whole on a terminal, a line every few seconds elsewhere.
//! They are separate because a terminal can be painted over, while Packer and journald keep every line.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Io;
use crate::host::clock::{Clock, SystemClock};
use crate::host::meter::Meter;

/// Time between two lines.
const PACE: Duration = Duration::from_secs(5);

/// The meter for where stderr goes.
pub fn meter(io: &Io<'_>, what: &'static str) -> Arc<dyn Meter> {
    if io.terminal {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
        Arc::new(Bars::new(all))
    } else {
        Arc::new(Lines::new(what))
    }
}

/// A meter whose bars stand below others.
pub fn below(all: &MultiProgress) -> Arc<dyn Meter> {
    Arc::new(Bars::new(all.clone()))
}

/// A meter of lines.
pub fn lines(what: &'static str) -> Arc<dyn Meter> {
    Arc::new(Lines::new(what))
}

/// A lock whose holder panicked still guards plain numbers.
fn held<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Bars: the whole below, the pieces above it.
struct Bars {
    all: MultiProgress,
    /// Shown from the moment that it is known.
    whole: ProgressBar,
    pieces: Mutex<BTreeMap<String, ProgressBar>>,
}

const WHOLE: &str = "{prefix:>14} [{bar:24}] {decimal_bytes}/{decimal_total_bytes}  {decimal_bytes_per_sec}  {eta} left  {msg}";
const PIECE: &str = "{prefix:>14} [{bar:24}] {decimal_bytes}/{decimal_total_bytes}";

fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template);
    style
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
}

impl Bars {
    fn new(all: MultiProgress) -> Self {
        let whole = ProgressBar::hidden().with_style(style(WHOLE));
        whole.set_prefix("total");
        Self {
            all,
            whole,
            pieces: Mutex::default(),
        }
    }
}

impl Meter for Bars {
    fn total(&self, pieces: usize, bytes: u64) {
        self.whole.reset();
        self.whole.set_length(bytes);
        self.all.add(self.whole.clone());
        self.whole.set_message(format!("{pieces} layers"));
        self.whole.enable_steady_tick(Duration::from_millis(200));
    }

    fn begin(&self, piece: &str, bytes: u64) {
        let bar = ProgressBar::new(bytes)
            .with_style(style(PIECE))
            .with_prefix(piece.to_owned());
        let bar = self.all.insert_before(&self.whole, bar);
        held(&self.pieces).insert(piece.to_owned(), bar);
    }

    fn more(&self, piece: &str, bytes: u64) {
        if let Some(bar) = held(&self.pieces).get(piece) {
            bar.inc(bytes);
        }
        self.whole.inc(bytes);
    }

    fn less(&self, piece: &str, bytes: u64) {
        if let Some(bar) = held(&self.pieces).get(piece) {
            bar.dec(bytes);
        }
        self.whole.dec(bytes);
    }

    fn end(&self, piece: &str) {
        if let Some(bar) = held(&self.pieces).remove(piece) {
            bar.finish_and_clear();
            self.all.remove(&bar);
        }
    }

    fn say(&self, line: &str) {
        // A line above the bars; if that cannot be drawn nobody watches.
        self.all.println(format!("   {line}")).ok();
    }

    fn close(&self) {
        self.whole.disable_steady_tick();
        self.whole.finish_and_clear();
        self.all.remove(&self.whole);
    }
}

/// How far it is.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
struct Tally {
    pieces: usize,
    done: usize,
    bytes: u64,
    moved: u64,
    told: Duration,
}

impl Tally {
    /// One line of how far it is, after so much time.
    fn line(&self, what: &str, elapsed: Duration) -> String {
        let millis = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        let rate = self.moved.saturating_mul(1000) / millis.max(1);
        let left = self.bytes.saturating_sub(self.moved) / rate.max(1);
        format!(
            "{what}: {} of {} layers, {} of {}, {}/s, {left} s left",
            self.done,
            self.pieces,
            size(self.moved),
            size(self.bytes),
            size(rate),
        )
    }
}

/// Bytes for people: `434 MB`, and `1.2 GB` where one digit alone would say too little.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    // In tenths of the unit, rounded.
    let mut tenths = (bytes + 50) / 100;
    let mut units = UNITS.iter();
    let mut unit = units.next();
    while tenths >= 9995 {
        let Some(next) = units.next() else { break };
        tenths = (tenths + 500) / 1000;
        unit = Some(next);
    }
    let unit = unit.copied().unwrap_or_default();
    match tenths < 100 {
        true => format!("{}.{} {unit}", tenths / 10, tenths % 10),
        false => format!("{} {unit}", (tenths + 5) / 10),
    }
}

/// Lines by way of the log.
struct Lines {
    what: &'static str,
    clock: SystemClock,
    tally: Mutex<Tally>,
}

impl Lines {
    fn new(what: &'static str) -> Self {
        Self {
            what,
            clock: SystemClock::start(None),
            tally: Mutex::default(),
        }
    }
}

impl Meter for Lines {
    fn total(&self, pieces: usize, bytes: u64) {
        let mut tally = held(&self.tally);
        tally.pieces = pieces;
        tally.bytes = bytes;
        tracing::info!("{}: {pieces} layers to fetch, {}", self.what, size(bytes));
    }

    fn begin(&self, piece: &str, bytes: u64) {
        tracing::debug!("begin layer {piece}, {}", size(bytes));
    }

    fn more(&self, _piece: &str, bytes: u64) {
        let elapsed = self.clock.elapsed();
        let mut tally = held(&self.tally);
        tally.moved += bytes;
        if elapsed.saturating_sub(tally.told) >= PACE {
            tally.told = elapsed;
            tracing::info!("{}", tally.line(self.what, elapsed));
        }
    }

    fn less(&self, _piece: &str, bytes: u64) {
        let mut tally = held(&self.tally);
        tally.moved = tally.moved.saturating_sub(bytes);
    }

    fn end(&self, piece: &str) {
        held(&self.tally).done += 1;
        tracing::debug!("end layer {piece}");
    }

    fn say(&self, line: &str) {
        tracing::info!("{line}");
    }

    fn close(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short() {
        let table = [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (434_000_000, "434 MB"),
            (999_600_000, "1.0 GB"),
            (12_345_678_901, "12 GB"),
        ];
        for (bytes, text) in table {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn a_line_tells_rate_and_time_left() {
        let tally = Tally {
            pieces: 20,
            done: 12,
            bytes: 400_000_000,
            moved: 100_000_000,
            told: Duration::ZERO,
        };
        assert_eq!(
            tally.line("images", Duration::from_secs(2)),
            "images: 12 of 20 layers, 100 MB of 400 MB, 50 MB/s, 6 s left"
        );
    }
}
