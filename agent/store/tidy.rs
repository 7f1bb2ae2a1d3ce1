//! What earlier fills left behind, and what of it is used again.
//! It is separate because it must be settled before anything that is there is believed.

use super::Inventory;
use super::differences::OURS;
use super::place::Rooms;
use super::staging::{self, Left};
use crate::error::Result;
use crate::host::containerd::{Containerd, SnapshotKind};

/// The lease under which everything is written: without it a collection might take what no image refers to yet.
pub(super) const LEASE: &str = "nodeagent-fill";

/// Hours after which the daemon ends the lease of a fill that was never taken up again.
pub(super) const HOURS: u64 = 24;

/// Ends what cannot be used again. Gives what is there now, and what kind of end the last fill met.
pub(super) fn tidy(
    containerd: &mut dyn Containerd,
    rooms: &Rooms,
    boot: &str,
) -> Result<(Inventory, Left)> {
    let inventory = Inventory::ask(containerd)?;
    let ours = |name: &&String| name.starts_with(OURS);
    let leases: Vec<&String> = inventory.leases.iter().filter(ours).collect();
    let left = staging::left(rooms, boot, !leases.is_empty())?;
    let mut changed = false;
    for ingest in inventory.ingests.iter().filter(ours) {
        containerd.abort(ingest)?;
        changed = true;
    }
    for snapshot in &inventory.snapshots {
        if snapshot.kind != SnapshotKind::Committed && snapshot.name.starts_with(OURS) {
            containerd.remove_snapshot(&snapshot.name)?;
            changed = true;
        }
    }
    for lease in leases {
        // After a mere kill the lease keeps what is already there from being collected.
        if left == Left::Crashed || lease != LEASE {
            tracing::info!(
                "an earlier fill did not end: its lease {lease} is ended, and what no image needs goes"
            );
            containerd.end_lease(lease)?;
            changed = true;
        }
    }
    match changed {
        true => Ok((Inventory::ask(containerd)?, left)),
        false => Ok((inventory, left)),
    }
}
