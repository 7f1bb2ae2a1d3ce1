//! Which of the locks of rpm and dnf somebody else holds.
//! It is separate because dnf's are files with a process number, which a killed dnf leaves behind.

use super::Dnf;
use crate::error::Result;
use crate::host::packages::wait::{self, Held};

/// Locks of rpm's transactions: record locks, which the kernel drops with their process.
const RECORDS: &[&str] = &["/var/lib/rpm/.rpm.lock", "/usr/lib/sysimage/rpm/.rpm.lock"];

/// dnf's own locks: files that hold a process number.
const FILES: &[&str] = &[
    "/var/lib/dnf/rpmdb_lock.pid",
    "/var/cache/dnf/metadata_lock.pid",
    "/var/cache/dnf/download_lock.pid",
    "/var/log/log_lock.pid",
];

/// Programs that take those.
const PROGRAMS: &[&str] = &[
    "dnf",
    "dnf-3",
    "dnf-automatic",
    "yum",
    "microdnf",
    "python3",
    "packagekitd",
];

impl Dnf {
    /// Waits until nobody holds a lock, and takes away what a killed dnf left of its own in a tree.
    pub(super) fn wait_for_locks(&self) -> Result<()> {
        wait::until_free(&*self.clock, &self.notes, || self.holder())?;
        if self.root.is_live() {
            return Ok(());
        }
        // In a tree dnf counts processes anew: a number left there may be that of a process of the next run.
        for path in FILES {
            self.root.remove(path)?;
        }
        Ok(())
    }

    fn holder(&self) -> Result<Option<Held>> {
        for path in RECORDS {
            if let Some(pid) = self.root.lock_holder(path)? {
                return Ok(Some(((*path).to_owned(), pid)));
            }
        }
        for path in FILES {
            let text = self.root.read(path)?.unwrap_or_default();
            let pid = String::from_utf8_lossy(&text).trim().parse::<i32>().ok();
            let alive = |pid: &i32| wait::name(*pid).is_some_and(|name| PROGRAMS.contains(&&*name));
            if let Some(pid) = pid.filter(alive) {
                return Ok(Some(((*path).to_owned(), pid)));
            }
        }
        Ok(None)
    }
}
