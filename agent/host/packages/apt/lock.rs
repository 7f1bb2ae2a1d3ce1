//! Waiting for the locks of dpkg and apt, and saying who holds them.
//! It is separate because another package manager at work is the commonest reason why a first bake stands still.

use std::time::Duration;

use super::Apt;
use crate::error::{Error, Result};

/// The locks that apt-get takes, in its order.
const LOCKS: &[&str] = &[
    "/var/lib/dpkg/lock-frontend",
    "/var/lib/dpkg/lock",
    "/var/lib/apt/lists/lock",
    "/var/cache/apt/archives/lock",
];

/// unattended-upgrades and cloud-init hold them for minutes at a first boot.
pub(super) const PATIENCE: Duration = Duration::from_secs(900);

/// How often to look again.
const TICK: Duration = Duration::from_millis(500);

impl Apt {
    /// Waits until nobody holds a lock; each holder is noted once.
    pub(super) fn wait_for_locks(&self) -> Result<()> {
        let begun = self.clock.elapsed();
        let mut told = String::new();
        while let Some((path, pid)) = self.holder()? {
            let who = holder_name(pid);
            if who != told {
                let note = format!("waiting for {path}, held by {who}");
                tracing::info!("{note}");
                self.notes.add(note);
                told.clone_from(&who);
            }
            if self.clock.elapsed().saturating_sub(begun) >= PATIENCE {
                return Err(Error::host(format!(
                    "wait for {path}: still held by {who} after {} s",
                    PATIENCE.as_secs()
                ))
                .hint("let that package manager finish, or end it, and run this again"));
            }
            self.clock.sleep(TICK);
        }
        Ok(())
    }

    fn holder(&self) -> Result<Option<(&'static str, i32)>> {
        for path in LOCKS {
            if let Some(pid) = self.root.lock_holder(path)? {
                return Ok(Some((path, pid)));
            }
        }
        Ok(None)
    }
}

/// A process as a person knows it. Its name is not checked against reuse: it only informs.
fn holder_name(pid: i32) -> String {
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    match name.trim() {
        "" => format!("process {pid}"),
        name => format!("process {pid} ({name})"),
    }
}
