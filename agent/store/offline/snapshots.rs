//! The overlayfs snapshotter's own database: which directory a snapshot's files lie in, and whether it is complete.
//! It is separate because it knows no namespaces: its names are `<namespace>/<number>/<name>`.

use std::collections::BTreeMap;

use super::kind;
use super::values::{labels, text, unsigned};
use crate::error::{Context as _, Result};
use crate::host::containerd::{Labels, SnapshotKind};
use crate::store::bolt::{Bucket, Bytes, Db, Entry, damaged};

/// The snapshots by their names.
pub(super) type Backend = BTreeMap<String, Known>;

/// What the snapshotter knows of one.
#[derive(Debug)]
pub(super) struct Known {
    /// The name of its directory.
    pub(super) id: u64,
    /// What it is.
    pub(super) kind: SnapshotKind,
    /// Its labels; those of the record count before them.
    pub(super) labels: Labels,
}

/// Reads all of them.
pub(super) fn read<B: Bytes>(db: &Db<B>) -> Result<Backend> {
    let mut found = Backend::new();
    let Some(bucket) = db.root().path(&["v1", "snapshots"])? else {
        return Ok(found);
    };
    bucket.each(&mut |key, entry| {
        if let Entry::Bucket(bucket) = entry {
            let name = text(key)?;
            let known = known(&bucket).context(|| format!("read its record of {name}"))?;
            found.insert(name, known);
        }
        Ok(())
    })?;
    Ok(found)
}

fn known<B: Bytes>(bucket: &Bucket<'_, B>) -> Result<Known> {
    let (mut id, mut is, mut found) = (None, None, Labels::new());
    bucket.each(&mut |key, entry| {
        match (key, entry) {
            (b"id", Entry::Value(value)) => id = Some(unsigned(value)?),
            (b"kind", Entry::Value([number])) => is = kind(*number),
            (b"labels", Entry::Bucket(bucket)) => found = labels(&bucket)?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(Known {
        id: id.ok_or_else(|| damaged("it has no directory"))?,
        kind: is.ok_or_else(|| damaged("it is of no known kind"))?,
        labels: found,
    })
}
