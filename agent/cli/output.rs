//! Output: JSON and text on stdout, progress on stderr as bars on a terminal and as timed lines elsewhere.
//! It is separate because Packer, journald and people read the same run in different ways.

use std::sync::Arc;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde::Serialize;

use super::{Io, meter};
use crate::apply::{Outcome, Pending, Progress};
use crate::error::{Context as _, Error, Exit, Result};
use crate::host::meter::Meter;
use crate::plan::{Plan, Tally};
use crate::policy::{Entry, Policy};
use crate::resource::Phase;

/// What is being done when stdout fails.
pub const STDOUT: &str = "write to stdout";

/// A plan as JSON.
#[derive(Debug, Serialize)]
pub struct PlanView<'a> {
    /// Steps that would be done.
    pub changes: usize,
    /// Name of the profile.
    pub profile: &'a str,
    /// How many entries ended how.
    pub counts: Tally,
    /// The plan.
    #[serde(flatten)]
    pub plan: &'a Plan,
}

/// One line of `--list`.
#[derive(Debug, Serialize)]
struct Listed<'a> {
    phase: &'static str,
    id: &'a str,
    reason: &'a str,
}

/// Prints one JSON value and a newline on stdout.
pub fn json(io: &mut Io<'_>, value: &impl Serialize) -> Result<()> {
    let mut text = serde_json::to_vec_pretty(value).context(|| "write JSON")?;
    text.push(b'\n');
    io.out.write_all(&text).context(|| STDOUT)
}

/// Prints text on stdout.
pub fn text(io: &mut Io<'_>, text: &str) -> Result<()> {
    io.out.write_all(clean(text).as_bytes()).context(|| STDOUT)
}

/// The entries that a verb would work on, without doing anything.
pub fn list(
    io: &mut Io<'_>,
    policy: &Policy,
    as_json: bool,
    wanted: impl Fn(&Entry) -> bool,
) -> Result<Exit> {
    let entries = policy.entries.iter().filter(|entry| wanted(entry));
    let lines: Vec<Listed<'_>> = entries
        .map(|entry| Listed {
            phase: entry.resource.phase().word(),
            id: &entry.id,
            reason: &entry.reason,
        })
        .collect();
    if as_json {
        json(io, &lines)?;
    } else {
        let line = |l: &Listed<'_>| format!("{:<10} {:<28} {}\n", l.phase, l.id, l.reason);
        text(io, &lines.iter().map(line).collect::<String>())?;
    }
    Ok(match lines.is_empty() {
        true => Exit::Nothing,
        false => Exit::Ok,
    })
}

/// Text without control characters: names of files and values of a host or a policy may hold any byte.
pub fn clean(text: &str) -> String {
    let clean = |c: char| match c.is_control() && c != '\n' && c != '\t' {
        true => '\u{fffd}',
        false => c,
    };
    text.chars().map(clean).collect()
}

/// Whether an error is that nobody reads stdout any more.
pub fn reader_left(error: &Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        let io = inner.downcast_ref::<std::io::Error>();
        if io.is_some_and(|io| io.kind() == std::io::ErrorKind::BrokenPipe) {
            return error.to_string() == STDOUT;
        }
        cause = inner.source();
    }
    false
}

/// What a run did, for people: failures with their next step, then one line of figures.
pub fn summary(verb: &str, outcome: &Outcome, seconds: f64) -> String {
    let mut lines = Vec::new();
    for failure in &outcome.failed {
        lines.push(format!("failed  {}: {}", failure.id, failure.error));
        if let Some(hint) = &failure.hint {
            lines.push(format!("        next: {hint}"));
        }
    }
    for id in &outcome.drift {
        lines.push(format!("drift   {id} (audit only)"));
    }
    for Pending { id, what, why } in &outcome.reboot {
        lines.push(format!("reboot  {id}: {what}: {why}"));
    }
    if !outcome.reboot.is_empty() {
        lines.push(format!(
            "        next: reboot this machine, then run the same {verb} again: it goes on"
        ));
    }
    lines.push(format!(
        "{verb}: {} entries, {} changes, {} failed, {seconds:.2} s",
        outcome.entries,
        outcome.steps.len(),
        outcome.failed.len()
    ));
    lines.push(String::new());
    lines.join("\n")
}

/// The progress for where stderr goes, and the meter that goes with it.
pub fn progress(io: &Io<'_>) -> (Box<dyn Progress>, Arc<dyn Meter>) {
    if io.terminal {
        let bars = Bars::default();
        let meter = meter::below(&bars.all);
        (Box::new(bars), meter)
    } else {
        (Box::new(Lines), meter::lines("images"))
    }
}

/// Timed lines by way of the log: the log writes the time, `grep` finds the words.
#[derive(Debug)]
struct Lines;

impl Progress for Lines {
    fn phase(&mut self, phase: Phase, steps: usize) {
        tracing::info!("phase {}: {steps} steps", phase.word());
    }

    fn step(&mut self, id: &str, action: &str) {
        tracing::debug!("begin {id}: {action}");
    }

    fn done(&mut self, id: &str, action: &str, took: Duration, notes: &[String]) {
        tracing::info!("done {id}: {action} ({:.2} s)", took.as_secs_f64());
        for note in notes {
            tracing::info!("note {id}: {note}");
        }
    }

    fn failed(&mut self, id: &str, error: &Error) {
        tracing::error!("failed {id}: {}", error.one_line());
    }
}

/// One bar a phase; what was done stays above it.
#[derive(Debug, Default)]
struct Bars {
    /// Those of a meter stand below the phase's.
    all: MultiProgress,
    bar: Option<ProgressBar>,
}

impl Bars {
    /// A bar that is done leaves no line behind: what was done stands above it.
    fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    fn say(&self, line: &str) {
        if let Some(bar) = &self.bar {
            bar.println(line);
        } else {
            tracing::info!("{line}");
        }
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        self.clear();
    }
}

impl Progress for Bars {
    fn phase(&mut self, phase: Phase, steps: usize) {
        self.clear();
        let bar = self
            .all
            .add(ProgressBar::new(u64::try_from(steps).unwrap_or(0)));
        if let Ok(style) =
            ProgressStyle::with_template("{prefix:>9} [{bar:24}] {pos}/{len} {elapsed} {wide_msg}")
        {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_prefix(phase.word());
        bar.enable_steady_tick(Duration::from_millis(200));
        self.bar = Some(bar);
    }

    fn step(&mut self, id: &str, _action: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(id.to_owned());
        }
    }

    fn done(&mut self, id: &str, action: &str, took: Duration, notes: &[String]) {
        self.say(&format!(
            "   done  {id}: {action} ({:.2} s)",
            took.as_secs_f64()
        ));
        for note in notes {
            self.say(&format!("   note  {id}: {note}"));
        }
        if let Some(bar) = &self.bar {
            bar.inc(1);
        }
    }

    fn failed(&mut self, _id: &str, _error: &Error) {
        // On a terminal the summary follows at once and says it with the next step.
        self.clear();
    }
}
