//! What a store records, read in one go: from a running containerd, or from its databases when none runs.
//! It is separate so that a store is judged by one rule, whichever way it was looked at.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::error::Result;
use crate::host::containerd::{Containerd, Content, Image, Snapshot, Snapshotter};

/// Everything of one namespace. A plain value: judging it needs no daemon.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inventory {
    /// Images.
    pub images: Vec<Image>,
    /// Blobs.
    pub content: Vec<Content>,
    /// The snapshotter that was looked at.
    pub snapshotter: Snapshotter,
    /// Its snapshots.
    pub snapshots: Vec<Snapshot>,
    /// The directory of a snapshot's files by its name, below the store; known only from the databases.
    pub directories: BTreeMap<String, PathBuf>,
    /// Leases.
    pub leases: Vec<String>,
    /// Writes that were begun and not ended.
    pub ingests: Vec<String>,
}

impl Inventory {
    /// Asks a running daemon for everything.
    pub fn ask(containerd: &dyn Containerd) -> Result<Self> {
        Ok(Self {
            images: containerd.images()?,
            content: containerd.content()?,
            snapshotter: containerd.snapshotter().clone(),
            snapshots: containerd.snapshots()?,
            directories: BTreeMap::new(),
            leases: containerd.leases()?,
            ingests: containerd.ingests()?,
        })
    }
}
