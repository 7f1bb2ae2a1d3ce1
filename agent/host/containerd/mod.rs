//! containerd's metadata over gRPC: content, snapshots, images, leases. Bytes of layers do not pass here unless they must.
//! It is separate because it is the seam that tests make fail, and because nothing else knows containerd's protocol.

mod client;
mod config;
pub mod find;
mod premises;
mod snapshotter;
mod standalone;

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::failure::{Class, Failure};
use super::oci::{Descriptor, Digest};
use crate::error::{Error, Result};

pub use client::Client;
pub use premises::carries_snapshots;
pub use snapshotter::Snapshotter;
pub use standalone::{Standalone, Start, UNIT};

/// The class of an error that a call ended with: no room, what a reader said, or the store's own fault.
pub fn class(error: &Error) -> Class {
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        if let Some(io) = cause.downcast_ref::<std::io::Error>() {
            let inner = io
                .get_ref()
                .and_then(|inner| inner.downcast_ref::<Failure>());
            return match (inner, io.kind()) {
                (Some(failure), _) => failure.class,
                (_, ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => Class::DiskFull,
                _ => Class::Store,
            };
        }
        next = cause.source();
    }
    Class::Store
}

/// Labels of a record.
pub type Labels = BTreeMap<String, String>;

/// What a daemon is and where it keeps its files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Its version, such as `1.7.24~ds1` or `v2.1.4-k3s2`.
    pub version: String,
    /// The directory of its content store, as the daemon sees it; holds `blobs/sha256`.
    pub content: PathBuf,
    /// The snapshotter that is asked for is there and usable.
    pub snapshots: bool,
    /// The directory of its overlayfs snapshotter, as the daemon sees it; holds `snapshots`. None where it is not usable,
    /// or where another snapshotter is asked for.
    pub overlayfs: Option<PathBuf>,
    /// A blob that lies in the content store is adopted without its bytes (`content_sharing_policy = "shared"`).
    pub shares_content: bool,
}

/// A blob that is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// Its labels.
    pub labels: Labels,
}

/// What a snapshot is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SnapshotKind {
    /// Complete, a layer of images.
    Committed,
    /// Being written.
    Active,
    /// A view of a committed one.
    View,
}

/// A snapshot that is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Its name; of a committed one the chain id.
    pub name: String,
    /// The name of the one below.
    pub parent: Option<String>,
    /// What it is.
    pub kind: SnapshotKind,
    /// Its labels.
    pub labels: Labels,
}

/// A mount that a snapshot is reached by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// `overlay` or `bind`.
    pub kind: String,
    /// What is mounted.
    pub source: String,
    /// Its options.
    pub options: Vec<String>,
}

/// How a snapshot was prepared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Prepared {
    /// It is new and is reached by these mounts.
    New(Vec<Mount>),
    /// The key, or the committed snapshot that it was to become, exists.
    Exists,
}

/// An image that is recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// Its name.
    pub name: String,
    /// What the name resolves to.
    pub target: Target,
    /// Its labels.
    pub labels: Labels,
}

/// A manifest or index that an image record points to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// Its media type.
    pub media_type: String,
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
}

/// The metadata of one namespace. All calls are idempotent unless they say otherwise; every error names the object.
pub trait Containerd {
    /// What the daemon is.
    fn facts(&self) -> Result<Facts>;
    /// The snapshotter that is asked.
    fn snapshotter(&self) -> &Snapshotter;
    /// Makes the namespace, if it is not there.
    fn make_namespace(&self) -> Result<()>;

    /// Takes a lease, or the one of this id that is there; later calls that write are made under it.
    fn lease(&mut self, id: &str, hours: u64) -> Result<()>;
    /// Ends a lease and waits for the garbage collection that follows. A lease that is not there is fine.
    fn end_lease(&mut self, id: &str) -> Result<()>;
    /// Ids of the leases.
    fn leases(&self) -> Result<Vec<String>>;

    /// Records a blob that lies whole in the content store's `blobs/sha256`; no bytes are sent. One that is recorded already
    /// gets the labels that it lacks.
    fn adopt(&self, blob: &Descriptor, labels: &Labels) -> Result<()>;
    /// Sends a blob's bytes; the slow way, for stores that share no content.
    fn send(&self, blob: &Descriptor, labels: &Labels, from: &mut dyn Read) -> Result<()>;
    /// All recorded blobs.
    fn content(&self) -> Result<Vec<Content>>;
    /// Sets labels of a recorded blob; others stay.
    fn label_content(&self, digest: &Digest, labels: &Labels) -> Result<()>;
    /// Forgets a blob; the next collection deletes its bytes.
    fn forget_content(&self, digest: &Digest) -> Result<()>;
    /// The bytes of a recorded blob, at most `limit`.
    fn read(&self, digest: &Digest, limit: u64) -> Result<Vec<u8>>;
    /// Refs of writes that were begun and not ended.
    fn ingests(&self) -> Result<Vec<String>>;
    /// Drops such a write.
    fn abort(&self, ingest: &str) -> Result<()>;

    /// Begins a snapshot.
    fn prepare(&self, key: &str, parent: Option<&str>, labels: &Labels) -> Result<Prepared>;
    /// Commits it under its final name; one that is there is fine.
    fn commit(&self, name: &str, key: &str, labels: &Labels) -> Result<()>;
    /// Removes a snapshot; one that is not there is fine.
    fn remove_snapshot(&self, name: &str) -> Result<()>;
    /// All snapshots.
    fn snapshots(&self) -> Result<Vec<Snapshot>>;
    /// Unpacks a recorded layer through containerd's own diff service; the digest of its tar.
    fn unpack(&self, layer: &Descriptor, mounts: &[Mount]) -> Result<Digest>;

    /// All images.
    fn images(&self) -> Result<Vec<Image>>;
    /// Records an image, or makes the one of this name equal to it.
    fn put_image(&self, image: &Image) -> Result<()>;
    /// Removes an image's record and waits for the garbage collection. One that is not there is fine.
    fn remove_image(&self, name: &str) -> Result<()>;
}
