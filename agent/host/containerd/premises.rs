//! What must hold before a daemon is started on a store: no other one has it, and its file system carries snapshots.
//! It is separate because containerd itself waits without end for the first and does not see the second.

use std::time::Duration;

use crate::error::{Error, Result};
use crate::host::Host;
use crate::host::root::{Attr, Lock, Root};

/// All that a daemon of ours has while it runs, and none else may look into.
pub(super) const DIR: &str = "/run/nodeagent/containerd";
/// One at a time: the service has one name, and the directory too.
pub(super) const LOCK: &str = "/run/nodeagent/containerd.lock";

/// How long a store may still be held by a daemon that is about to end.
const HELD: Duration = Duration::from_secs(5);
/// How often it is looked again.
const TICK: Duration = Duration::from_millis(20);
/// Databases that a running containerd holds, below its root.
const DATABASES: [&str; 2] = [
    "io.containerd.metadata.v1.bolt/meta.db",
    "io.containerd.snapshotter.v1.overlayfs/metadata.db",
];

/// Refuses a store on an overlay: the kernel takes no overlay as another overlay's upper directory, and containerd does
/// not find that out before the first container.
pub fn carries_snapshots(root: &Root, store: &str) -> Result<()> {
    if !root.space(store)?.overlay {
        return Ok(());
    }
    Err(Error::refused(format!("use the store {store}"))
        .because(
            "it lies on an overlay file system, on which the overlayfs snapshotter does not work",
        )
        .hint(
            "mount another file system there, such as ext4, xfs or a tmpfs; for a running containerd whose node uses \
             another snapshotter name it: --snapshotter native",
        ))
}

/// Makes the directory and takes the lock. A tree's children have a `/run` of their own.
pub(super) fn lock(host: &Host) -> Result<Option<Lock>> {
    if !host.root.is_live() {
        return Ok(None);
    }
    host.root.make_parent(DIR)?;
    host.root.make_dir(DIR, Attr::root(0o700))?;
    let own = format!("process {}", std::process::id());
    match host.root.try_lock(LOCK, &own)? {
        Ok(lock) => Ok(Some(lock)),
        Err(holder) => Err(Error::refused("run a containerd of our own")
            .because(format!("{holder} does so"))
            .hint("wait until it has ended")),
    }
}

/// Waits a little for a daemon that is about to end, and refuses a store that another one holds.
pub(super) fn wait_until_free(host: &Host, store: &str) -> Result<()> {
    let begun = host.clock.elapsed();
    loop {
        let Some((database, holder)) = held(&host.root, store)? else {
            return Ok(());
        };
        if host.clock.elapsed().saturating_sub(begun) > HELD {
            return Err(Error::refused(format!("use the store {store}"))
                .because(format!("{holder} holds its {database}"))
                .hint("stop that containerd first, or name its socket with --address"));
        }
        host.clock.sleep(TICK);
    }
}

fn held(root: &Root, store: &str) -> Result<Option<(&'static str, String)>> {
    for database in DATABASES {
        let path = format!("{}/{database}", store.trim_end_matches('/'));
        if let Some(holder) = root.flock_holder(&path)? {
            return Ok(Some((database, holder)));
        }
    }
    Ok(None)
}
