//! The records of one namespace in `meta.db`: images, blobs, begun writes, snapshots, leases.
//! They are separate because they are containerd's schema `v1/<namespace>/…` and nothing of the snapshotter's own.

use super::super::Inventory;
use super::values::{labels, size, text};
use crate::error::{Context as _, Result};
use crate::host::containerd::{Content, Image, Labels, Snapshot, SnapshotKind, Target};
use crate::host::oci::Digest;
use crate::store::bolt::{Bucket, Bytes, Db, Entry, damaged};

/// What of the records needs the snapshotter's database, or the content store, to be told.
#[derive(Debug, Default)]
pub(super) struct Records {
    /// Snapshots of the overlayfs snapshotter.
    pub(super) snapshots: Vec<Record>,
    /// Begun writes, and their references in the content store.
    pub(super) ingests: Vec<(String, String)>,
}

/// A snapshot's record.
#[derive(Debug)]
pub(super) struct Record {
    /// What is known of it here; of its kind nothing is.
    pub(super) snapshot: Snapshot,
    /// Its name in the snapshotter's database.
    pub(super) backend: String,
}

/// Reads a namespace; one that is not there has nothing.
pub(super) fn read<B: Bytes>(
    db: &Db<B>,
    namespace: &str,
    inventory: &mut Inventory,
) -> Result<Records> {
    let mut records = Records::default();
    let Some(own) = db.root().path(&["v1", namespace])? else {
        return Ok(records);
    };
    each(&own, &["images"], &mut |name, bucket| {
        inventory.images.push(image(name, &bucket)?);
        Ok(())
    })?;
    each(&own, &["content", "blob"], &mut |digest, bucket| {
        inventory.content.push(content(&digest, &bucket)?);
        Ok(())
    })?;
    each(&own, &["content", "ingests"], &mut |reference, bucket| {
        let mut backend = String::new();
        bucket.each(&mut |key, entry| {
            if let (b"ref", Entry::Value(value)) = (key, entry) {
                backend = text(value)?;
            }
            Ok(())
        })?;
        records.ingests.push((reference, backend));
        Ok(())
    })?;
    each(&own, &["snapshots", "overlayfs"], &mut |name, bucket| {
        records.snapshots.push(snapshot(name, &bucket)?);
        Ok(())
    })?;
    each(&own, &["leases"], &mut |id, _| {
        inventory.leases.push(id);
        Ok(())
    })?;
    Ok(records)
}

/// Shows the buckets below a path, each with its key.
fn each<'d, B: Bytes>(
    own: &Bucket<'d, B>,
    path: &[&str],
    visit: &mut dyn FnMut(String, Bucket<'d, B>) -> Result<()>,
) -> Result<()> {
    let Some((first, rest)) = path.split_first() else {
        return Ok(());
    };
    let Some(bucket) = own.bucket(first)? else {
        return Ok(());
    };
    let Some(bucket) = bucket.path(rest)? else {
        return Ok(());
    };
    bucket.each(&mut |key, entry| match entry {
        Entry::Bucket(bucket) => {
            let key = text(key)?;
            let doing = format!("read its record of {key} ({})", path.join("/"));
            visit(key, bucket).context(|| doing)
        }
        Entry::Value(_) => Ok(()),
    })
}

fn image<B: Bytes>(name: String, bucket: &Bucket<'_, B>) -> Result<Image> {
    let mut found = Labels::new();
    let mut points = None;
    bucket.each(&mut |key, entry| {
        match (key, entry) {
            (b"labels", Entry::Bucket(bucket)) => found = labels(&bucket)?,
            (b"target", Entry::Bucket(bucket)) => points = Some(target(&bucket)?),
            _ => {}
        }
        Ok(())
    })?;
    Ok(Image {
        name,
        target: points.ok_or_else(|| damaged("the image has no target"))?,
        labels: found,
    })
}

fn target<B: Bytes>(bucket: &Bucket<'_, B>) -> Result<Target> {
    let (mut digest, mut media_type, mut bytes) = (None, String::new(), 0);
    bucket.each(&mut |key, entry| {
        let Entry::Value(value) = entry else {
            return Ok(());
        };
        match key {
            b"digest" => digest = Some(Digest::parse(&text(value)?)?),
            b"mediatype" => media_type = text(value)?,
            b"size" => bytes = size(value)?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(Target {
        media_type,
        digest: digest.ok_or_else(|| damaged("the image's target has no digest"))?,
        size: bytes,
    })
}

fn content<B: Bytes>(digest: &str, bucket: &Bucket<'_, B>) -> Result<Content> {
    let mut found = Labels::new();
    let mut bytes = 0;
    bucket.each(&mut |key, entry| {
        match (key, entry) {
            (b"labels", Entry::Bucket(bucket)) => found = labels(&bucket)?,
            (b"size", Entry::Value(value)) => bytes = size(value)?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(Content {
        digest: Digest::parse(digest)?,
        size: bytes,
        labels: found,
    })
}

fn snapshot<B: Bytes>(name: String, bucket: &Bucket<'_, B>) -> Result<Record> {
    let mut backend = String::new();
    let mut snapshot = Snapshot {
        name,
        parent: None,
        kind: SnapshotKind::Active,
        labels: Labels::new(),
    };
    bucket.each(&mut |key, entry| {
        match (key, entry) {
            (b"name", Entry::Value(value)) => backend = text(value)?,
            (b"parent", Entry::Value(value)) if !value.is_empty() => {
                snapshot.parent = Some(text(value)?);
            }
            (b"labels", Entry::Bucket(bucket)) => snapshot.labels = labels(&bucket)?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(Record { snapshot, backend })
}
