//! Waiting until no other package manager works here, and saying who does.
//! It is separate because another package manager at work is the commonest reason why a first bake stands still.

use std::time::Duration;

use crate::error::{Error, Result};
use crate::host::{Clock, Notes};

/// unattended-upgrades, dnf-automatic and cloud-init hold locks for minutes at a first boot.
pub(super) const PATIENCE: Duration = Duration::from_secs(900);

/// How often to look again.
const TICK: Duration = Duration::from_millis(500);

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
