//! What can be wrong with a store, named.
//! It is separate because what judges, what mends and what prints all speak of it.

use std::fmt;

use crate::host::oci::{Digest, Name};

/// What is wrong with one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flaw {
    /// There is no image under this name.
    NoRecord(String),
    /// The image of this name is another one.
    OtherTarget(String),
    /// The record of this name lacks this label.
    RecordLabel(String, String),
    /// This document or layer is not recorded.
    NoBlob(Digest),
    /// This blob's file is missing.
    NoFile(Digest),
    /// This blob's size is wrong.
    Size {
        /// The blob.
        digest: Digest,
        /// What its descriptor says, in bytes.
        want: u64,
        /// What is there.
        have: u64,
    },
    /// This blob's content is not what its digest says.
    Content(Digest),
    /// This document cannot be read as what it must be; why.
    Document(Digest, String),
    /// This blob lacks this label: the next collection would delete what it refers to.
    BlobLabel(Digest, String),
    /// The image, or the only one of its index, is for another platform.
    Platform(String),
    /// The layers of this image are not unpacked up to this chain.
    NoSnapshot(Digest),
    /// The snapshot of this chain lies on another one than it must, or is not committed.
    Snapshot(Digest),
    /// The files of the snapshot of this chain are not those of its layer; the first differences.
    Files(Digest, Vec<String>),
    /// A write that was begun and not ended.
    StaleIngest(String),
    /// A lease of an earlier fill.
    StaleLease(String),
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Flaw::NoRecord(name) => write!(f, "there is no image under the name {name}"),
            Flaw::OtherTarget(name) => write!(f, "the name {name} stands for another image"),
            Flaw::RecordLabel(name, label) => write!(f, "the name {name} lacks the label {label}"),
            Flaw::NoBlob(digest) => write!(f, "the blob {digest} is not recorded"),
            Flaw::NoFile(digest) => write!(f, "the file of the blob {digest} is missing"),
            Flaw::Size { digest, want, have } => {
                write!(f, "the blob {digest} has {have} bytes instead of {want}")
            }
            Flaw::Content(digest) => write!(f, "the content of the blob {digest} is not its own"),
            Flaw::Document(digest, why) => write!(f, "the document {digest} cannot be used: {why}"),
            Flaw::BlobLabel(digest, label) => {
                write!(f, "the blob {digest} lacks the label {label}")
            }
            Flaw::Platform(have) => write!(f, "it is for {have}"),
            Flaw::NoSnapshot(chain) => write!(f, "the layers up to {chain} are not unpacked"),
            Flaw::Snapshot(chain) => write!(f, "the snapshot {chain} lies on the wrong one"),
            Flaw::Files(chain, first) => {
                write!(
                    f,
                    "the files of the snapshot {chain} differ: {}",
                    first.join(", ")
                )
            }
            Flaw::StaleIngest(name) => write!(f, "the write {name} was begun and never ended"),
            Flaw::StaleLease(name) => write!(f, "the lease {name} of an earlier fill is there"),
        }
    }
}

/// What is wrong, and with which image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The image that it was found for; none where it concerns the store alone.
    pub image: Option<Name>,
    /// What.
    pub flaw: Flaw,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.image {
            Some(name) => write!(f, "{name}: {}", self.flaw),
            None => write!(f, "{}", self.flaw),
        }
    }
}
