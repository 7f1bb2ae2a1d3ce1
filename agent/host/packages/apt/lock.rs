//! Which of the locks of dpkg and apt somebody else holds.
//! It is separate because the names of the locks are all that is apt's own about waiting.

use super::Apt;
use crate::error::Result;
use crate::host::packages::wait::{self, Held};

/// The locks that apt-get takes, in its order.
const LOCKS: &[&str] = &[
    "/var/lib/dpkg/lock-frontend",
    "/var/lib/dpkg/lock",
    "/var/lib/apt/lists/lock",
    "/var/cache/apt/archives/lock",
];

impl Apt {
    /// Waits until nobody holds a lock.
    pub(super) fn wait_for_locks(&self) -> Result<()> {
        wait::until_free(&*self.clock, &self.notes, || self.holder())
    }

    fn holder(&self) -> Result<Option<Held>> {
        for path in LOCKS {
            if let Some(pid) = self.root.lock_holder(path)? {
                return Ok(Some(((*path).to_owned(), pid)));
            }
        }
        Ok(None)
    }
}
