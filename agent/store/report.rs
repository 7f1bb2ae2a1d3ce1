//! What is told while a store is filled, and afterwards.
//! It is separate because bars, lines and tables are made of it elsewhere.

use super::resolved::Resolved;
use crate::host::failure::Failure;
use crate::host::oci::{Digest, Name};

/// A part of the work, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// What is there is looked at and documents are fetched.
    Plan,
    /// Layers are fetched, checked, unpacked and recorded.
    Layers,
    /// Everything written goes to the disk.
    Sync,
    /// The images' names are recorded and what was left over is collected.
    Names,
    /// The store is read again and compared.
    Check,
}

impl Phase {
    /// The phase in a word.
    pub fn word(self) -> &'static str {
        match self {
            Phase::Plan => "plan",
            Phase::Layers => "layers",
            Phase::Sync => "sync",
            Phase::Names => "names",
            Phase::Check => "check",
        }
    }
}

/// Something that happened. Layers are told by their blob's digest.
#[derive(Debug)]
pub enum Event<'a> {
    /// A phase begins.
    Phase(Phase),
    /// What there is to do is known.
    Planned {
        /// Images that are wanted.
        images: usize,
        /// Layers that will be fetched or unpacked.
        layers: usize,
        /// Bytes of them, compressed.
        bytes: u64,
        /// Layers that are there already.
        present: usize,
    },
    /// Work on a layer begins, for the first time or anew.
    LayerBegun {
        /// Its digest.
        layer: &'a Digest,
        /// Its size in bytes, compressed.
        size: u64,
        /// An image that needs it.
        image: &'a Name,
    },
    /// Some of a layer's compressed bytes went through; the number is of these, not of all so far.
    LayerBytes {
        /// Its digest.
        layer: &'a Digest,
        /// How many.
        bytes: u64,
    },
    /// A layer was not what it must be, and is fetched once more: its bytes so far do not count.
    LayerAgain {
        /// Its digest.
        layer: &'a Digest,
        /// How many bytes do not count.
        bytes: u64,
        /// Why.
        failure: &'a Failure,
    },
    /// A layer is fetched, checked and unpacked.
    LayerDone {
        /// Its digest.
        layer: &'a Digest,
    },
    /// A layer cannot be had.
    LayerFailed {
        /// Its digest.
        layer: &'a Digest,
        /// Why.
        failure: &'a Failure,
    },
    /// An image is whole and recorded.
    ImageDone {
        /// Its name.
        image: &'a Name,
    },
    /// An image cannot be had.
    ImageFailed {
        /// Its name.
        image: &'a Name,
        /// Why.
        failure: &'a Failure,
    },
    /// Something of the store was broken and is mended.
    Mended {
        /// What, in words.
        what: &'a str,
    },
}

/// Is told what happens; by several threads.
pub trait Progress: Sync {
    /// Something happened.
    fn event(&self, event: &Event<'_>);
}

/// Tells nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Quiet;

impl Progress for Quiet {
    fn event(&self, _: &Event<'_>) {}
}

/// What became of one image.
#[derive(Debug)]
pub struct ImageReport {
    /// The name that was wanted.
    pub name: Name,
    /// What the name resolved to; none where that is not known.
    pub digest: Option<Digest>,
    /// The digest of its configuration: its id for kubelet.
    pub id: Option<Digest>,
    /// Bytes of its documents and layers, compressed.
    pub size: u64,
    /// Layers.
    pub layers: usize,
    /// Layers among them that another wanted image also has.
    pub shared: usize,
    /// Layers among them that were there already.
    pub present: usize,
    /// Seconds from the beginning until its last layer was recorded.
    pub seconds: f64,
    /// Whether it is whole, unpacked and recorded.
    pub outcome: Result<(), Failure>,
}

impl ImageReport {
    /// An image of which nothing is known yet.
    pub(super) fn begun(name: &Name) -> Self {
        Self {
            name: name.clone(),
            digest: name.digest().cloned(),
            id: None,
            size: 0,
            layers: 0,
            shared: 0,
            present: 0,
            seconds: 0.0,
            outcome: Ok(()),
        }
    }

    /// Takes over what the image's documents say.
    pub(super) fn describe(&mut self, image: &Resolved) {
        self.digest = Some(image.target.digest.clone());
        self.id = Some(image.config.digest.clone());
        self.size = image.size();
        self.layers = image.layers.len();
    }
}

/// What became of all.
#[derive(Debug, Default)]
pub struct Report {
    /// Images, as they were asked for.
    pub images: Vec<ImageReport>,
    /// Bytes that came from the source.
    pub fetched: u64,
    /// Bytes that were written to the store: layers and their files.
    pub written: u64,
    /// Blobs that the source was asked for.
    pub requests: u64,
    /// Seconds of each phase that was reached.
    pub phases: Vec<(Phase, f64)>,
}

impl Report {
    /// Images that failed.
    pub fn failed(&self) -> impl Iterator<Item = (&ImageReport, &Failure)> {
        self.images
            .iter()
            .filter_map(|image| Some((image, image.outcome.as_ref().err()?)))
    }
}

impl Report {
    /// Adds another fill's.
    pub fn join(&mut self, other: Report) {
        self.images.extend(other.images);
        self.fetched += other.fetched;
        self.written += other.written;
        self.requests += other.requests;
        self.phases.extend(other.phases);
    }
}
