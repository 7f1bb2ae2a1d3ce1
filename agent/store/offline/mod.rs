//! containerd's store read from its files, without a containerd and without writing: its databases and its blobs.
//! It is separate because an unbooted or read-only tree must be judged too, where no daemon can be started.
//!
//! Source: containerd core/metadata/buckets.go, core/metadata/boltutil, core/snapshots/storage/bolt.go and
//! plugins/content/local/store.go; what is read here is the same from 1.6 to 2.3 (schema v1, versions 3 and 4).

mod blobs;
mod records;
mod snapshots;
#[cfg(test)]
mod tests;
mod values;

use std::path::PathBuf;

pub use blobs::Blobs;

use super::bolt::Db;
use super::{Inventory, Place};
use crate::error::{Context as _, Error, Result};
use crate::host::Root;
use crate::host::containerd::SnapshotKind;
use crate::host::root::Paged;

/// The database of all records, below the store.
const RECORDS: &str = "io.containerd.metadata.v1.bolt/meta.db";

/// The directory of the overlayfs snapshotter, below the store.
const OVERLAYFS: &str = "io.containerd.snapshotter.v1.overlayfs";

/// The directory of the content store, below the store.
const CONTENT: &str = "io.containerd.content.v1.content";

/// Everything of one namespace of a store, as containerd itself would list it.
///
/// A store without a database is empty. The databases are read under the shared lock that bbolt takes for readers: one
/// that a running containerd holds is an error.
pub fn read(place: &Place, namespace: &str) -> Result<Inventory> {
    let (root, store) = (place.tree(), place.store().trim_end_matches('/'));
    let Some(db) = open(root, &format!("{store}/{RECORDS}"))? else {
        return Ok(Inventory::default());
    };
    let mut inventory = Inventory::default();
    let reading = || format!("read the records of {store}/{RECORDS}");
    let records = records::read(&db, namespace, &mut inventory).context(reading)?;
    drop(db);
    let path = format!("{store}/{OVERLAYFS}/metadata.db");
    let backend = match open(root, &path)? {
        Some(db) => snapshots::read(&db).context(|| format!("read the snapshots of {path}"))?,
        None => snapshots::Backend::default(),
    };
    for record in records.snapshots {
        // containerd passes over a record without a snapshot as well.
        let Some(known) = backend.get(&record.backend) else {
            continue;
        };
        let mut snapshot = record.snapshot;
        snapshot.kind = known.kind;
        let mut labels = known.labels.clone();
        labels.append(&mut snapshot.labels);
        snapshot.labels = labels;
        let directory = PathBuf::from(format!("{OVERLAYFS}/snapshots/{}/fs", known.id));
        inventory
            .directories
            .insert(snapshot.name.clone(), directory);
        inventory.snapshots.push(snapshot);
    }
    for (reference, backend) in records.ingests {
        let begun = format!("{store}/{CONTENT}/ingest/{}", values::hashed(&backend));
        if root.present(&begun)? {
            inventory.ingests.push(reference);
        }
    }
    Ok(inventory)
}

/// Opens a database; none where there is no such file.
fn open(root: &Root, path: &str) -> Result<Option<Db<Paged>>> {
    match root.paged_shared(path)? {
        None => Ok(None),
        Some(None) => Err(Error::host(format!(
            "read {path}: a containerd is running on this store"
        ))
        .hint("ask that containerd by --address, or stop it first")),
        Some(Some(file)) => {
            let db = Db::open(file).context(|| format!("open the database {path}"))?;
            Ok(Some(db))
        }
    }
}

/// What containerd's number for a kind of snapshot means (core/snapshots/snapshotter.go).
fn kind(number: u8) -> Option<SnapshotKind> {
    match number {
        1 => Some(SnapshotKind::View),
        2 => Some(SnapshotKind::Active),
        3 => Some(SnapshotKind::Committed),
        _ => None,
    }
}
