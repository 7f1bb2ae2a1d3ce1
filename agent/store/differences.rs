//! The differences between what must be recorded and what is.
//! It is separate because it is one rule for judging a store, for planning a fill, and for checking it afterwards.

use std::collections::{BTreeMap, BTreeSet};

use super::desired::{Desired, RECORD};
use super::{Flaw, Inventory};
use crate::error::Result;
use crate::host::containerd::{Snapshot, SnapshotKind};
use crate::host::oci::Digest;

/// Begins the names of leases, writes and unfinished snapshots that are ours.
pub(super) const OURS: &str = "nodeagent";

/// Each difference with the images that suffer from it.
pub(super) fn differences<'d>(
    desired: &'d Desired,
    inventory: &Inventory,
    size: &mut dyn FnMut(&Digest) -> Result<Option<u64>>,
) -> Result<Vec<(&'d BTreeSet<usize>, Flaw)>> {
    let mut all = records(desired, inventory);
    all.extend(blobs(desired, inventory, size)?);
    all.extend(chains(desired, inventory));
    Ok(all)
}

fn records<'d>(desired: &'d Desired, inventory: &Inventory) -> Vec<(&'d BTreeSet<usize>, Flaw)> {
    let have: BTreeMap<&str, _> = (inventory.images.iter())
        .map(|image| (image.name.as_str(), image))
        .collect();
    let mut all = Vec::new();
    for (name, record) in &desired.records {
        let Some(image) = have.get(name.as_str()) else {
            all.push((&record.images, Flaw::NoRecord(name.clone())));
            continue;
        };
        let same = |want: &crate::host::containerd::Target| {
            want.digest == image.target.digest && want.size == image.target.size
        };
        if !record.targets.iter().any(same) {
            all.push((&record.images, Flaw::OtherTarget(name.clone())));
        }
        for (key, value) in RECORD {
            if image.labels.get(key).is_none_or(|have| have != value) {
                let flaw = Flaw::RecordLabel(name.clone(), key.to_owned());
                all.push((&record.images, flaw));
            }
        }
    }
    all
}

fn blobs<'d>(
    desired: &'d Desired,
    inventory: &Inventory,
    size: &mut dyn FnMut(&Digest) -> Result<Option<u64>>,
) -> Result<Vec<(&'d BTreeSet<usize>, Flaw)>> {
    let have: BTreeMap<&Digest, _> = (inventory.content.iter())
        .map(|content| (&content.digest, content))
        .collect();
    let mut all = Vec::new();
    for (digest, blob) in &desired.blobs {
        let Some(record) = have.get(digest) else {
            all.push((&blob.images, Flaw::NoBlob(digest.clone())));
            continue;
        };
        let want = blob.descriptor.as_ref().map_or(0, |blob| blob.size);
        let file = size(digest)?;
        let wrong = [Some(record.size), file].into_iter().flatten();
        if file.is_none() {
            all.push((&blob.images, Flaw::NoFile(digest.clone())));
        }
        for have in wrong.filter(|have| *have != want).take(1) {
            let digest = digest.clone();
            all.push((&blob.images, Flaw::Size { digest, want, have }));
        }
        for label in blob.lacks(&record.labels).into_keys() {
            all.push((&blob.images, Flaw::BlobLabel(digest.clone(), label)));
        }
    }
    Ok(all)
}

fn chains<'d>(desired: &'d Desired, inventory: &Inventory) -> Vec<(&'d BTreeSet<usize>, Flaw)> {
    let have = by_name(inventory);
    (desired.chains.iter())
        .filter_map(|(chain, want)| {
            let flaw = match have.get(chain.as_str()) {
                None => Flaw::NoSnapshot(chain.clone()),
                Some(found) if !right(found, want.parent.as_ref()) => Flaw::Snapshot(chain.clone()),
                Some(_) => return None,
            };
            Some((&want.images, flaw))
        })
        .collect()
}

/// Snapshots by their names.
pub(super) fn by_name(inventory: &Inventory) -> BTreeMap<&str, &Snapshot> {
    (inventory.snapshots.iter())
        .map(|snapshot| (snapshot.name.as_str(), snapshot))
        .collect()
}

/// Whether a snapshot is committed and lies on the one that it must.
pub(super) fn right(snapshot: &Snapshot, parent: Option<&Digest>) -> bool {
    snapshot.kind == SnapshotKind::Committed
        && snapshot.parent.as_deref().filter(|name| !name.is_empty()) == parent.map(Digest::as_str)
}

/// What an earlier fill left that no image refers to.
pub(super) fn stale(inventory: &Inventory) -> Vec<Flaw> {
    let ours = |name: &&String| name.starts_with(OURS);
    let leases = inventory.leases.iter().filter(ours);
    let ingests = inventory.ingests.iter().filter(ours);
    (leases.map(|name| Flaw::StaleLease(name.clone())))
        .chain(ingests.map(|name| Flaw::StaleIngest(name.clone())))
        .collect()
}
