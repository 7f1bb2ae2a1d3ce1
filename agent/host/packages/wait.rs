//! Waiting: until no other package manager works here, saying who does, and until a fault of the network has passed.
//! It is separate because apt and dnf wait alike: another package manager at work is the commonest reason why a first bake stands still.

use std::time::Duration;

use crate::error::{Error, Result};
use crate::host::{Clock, Notes, Output};

/// unattended-upgrades, dnf-automatic and cloud-init hold locks for minutes at a first boot.
pub(super) const PATIENCE: Duration = Duration::from_secs(900);

/// How often to look again.
const TICK: Duration = Duration::from_millis(500);

/// How often a command that may succeed later is tried.
const TRIES: u32 = 3;

/// The first pause before trying again; doubled each time.
const PAUSE: Duration = Duration::from_secs(2);

/// A lock that is held: its path and the process.
pub(super) type Held = (String, i32);

/// Waits until nobody holds a lock; each holder is noted once.
pub(super) fn until_free(
    clock: &dyn Clock,
    notes: &Notes,
    holder: impl Fn() -> Result<Option<Held>>,
) -> Result<()> {
    let begun = clock.elapsed();
    let mut told = String::new();
    while let Some((path, pid)) = holder()? {
        let who = process(pid);
        if who != told {
            let note = format!("waiting for {path}, held by {who}");
            tracing::info!("{note}");
            notes.add(note);
            told.clone_from(&who);
        }
        if clock.elapsed().saturating_sub(begun) >= PATIENCE {
            return Err(Error::host(format!(
                "wait for {path}: still held by {who} after {} s",
                PATIENCE.as_secs()
            ))
            .hint("let that package manager finish, or end it, and run this again"));
        }
        clock.sleep(TICK);
    }
    Ok(())
}

/// Runs a command, and again after a pause while `passing` says of its output what may pass by itself.
pub(super) fn retried(
    clock: &dyn Clock,
    notes: &Notes,
    run: impl Fn() -> Result<Output>,
    passing: impl Fn(&Output) -> Option<String>,
) -> Result<Output> {
    let (mut attempt, mut pause) = (1, PAUSE);
    loop {
        let output = run()?;
        let Some(why) = passing(&output).filter(|_| attempt < TRIES) else {
            return Ok(output);
        };
        let seconds = pause.as_secs();
        notes.warn(format!(
            "attempt {attempt} of {TRIES} failed, trying again in {seconds} s: {why}"
        ));
        clock.sleep(pause);
        attempt += 1;
        pause *= 2;
    }
}

/// The name of a process; none when there is no such process. It is not checked against reuse: it only informs.
pub(super) fn name(pid: i32) -> Option<String> {
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    Some(name.trim().to_owned())
}

/// A process as a person knows it.
fn process(pid: i32) -> String {
    match name(pid).as_deref() {
        None | Some("") => format!("process {pid}"),
        Some(name) => format!("process {pid} ({name})"),
    }
}
