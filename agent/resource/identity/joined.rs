//! State of a cluster that is there before RKE2 was ever started on this machine.
//! It is separate because the same paths must be there later: only a machine without a stamp of its own is judged.

use serde::Serialize;

use crate::error::Result;
use crate::host::{Host, glob};
use crate::resource::{Diff, ENTRY};

/// Paths shown one by one; the rest is counted.
const SHOWN: usize = 20;

/// What was found of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Joined {
    /// This machine was stamped before: whatever it joined since is its own.
    pub stamped: bool,
    /// State that is there already.
    pub found: Vec<String>,
}

pub(super) fn observe(paths: &[String], host: &Host) -> Result<Joined> {
    let mut found = Vec::new();
    if !host.stamped {
        found = glob::expand(&host.root, paths)?.paths;
    }
    Ok(Joined {
        stamped: host.stamped,
        found,
    })
}

impl Joined {
    pub(super) fn judge<A>(&self, diff: &mut Diff<A>) {
        if self.stamped {
            diff.skip(
                ENTRY,
                "this machine had its first boot: RKE2 may have been started since",
            );
        }
        for path in self.found.iter().take(SHOWN) {
            diff.differs(
                path,
                "present",
                "absent until RKE2's first start on this machine",
            );
        }
        let more = self.found.len().saturating_sub(SHOWN);
        if more > 0 {
            diff.differs("further paths", format!("{more} more"), "absent");
        }
    }
}
