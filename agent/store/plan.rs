//! What there is to do: unique layers, the largest first, and the snapshots that become of them.
//! It is separate and pure because the whole order of the work follows from it.

use std::collections::{BTreeMap, BTreeSet};

use super::Flaw;
use super::desired::Desired;
use super::resolved::Resolved;
use crate::host::oci::{Descriptor, Digest, Name};

/// How much larger a layer's files are than its blob, where nothing says. Sets of real images that were measured came to
/// 3.0 and 3.6 times; a file system's own share comes on top.
const GROWTH: u64 = 4;

/// A layer that must be fetched or read, and checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layer {
    /// Its blob.
    pub(super) blob: Descriptor,
    /// The digest of its tar.
    pub(super) diff: Digest,
    /// The image that it is asked for as a part of.
    pub(super) name: Name,
    /// The blob must be put in the store.
    pub(super) keep: bool,
    /// The snapshots that it becomes, by their places in the plan.
    pub(super) nodes: Vec<usize>,
    /// The images that need it.
    pub(super) images: BTreeSet<usize>,
}

/// A snapshot that must be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    /// Its name.
    pub(super) chain: Digest,
    /// The name of the one below.
    pub(super) parent: Option<Digest>,
    /// A snapshot of the name is there and its files are wrong: they are exchanged, and its place is kept.
    pub(super) mend: bool,
    /// The images that need it.
    pub(super) images: BTreeSet<usize>,
}

/// Everything that there is to do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// Layers, the largest first.
    pub(super) layers: Vec<Layer>,
    /// Snapshots; a lower one comes before those on it.
    pub(super) nodes: Vec<Node>,
    /// Documents that must be put in the store.
    pub(super) documents: BTreeSet<Digest>,
    /// Blobs that are recorded with a wrong size, or cannot be put right in their place.
    pub(super) forget: BTreeSet<Digest>,
    /// Blobs that are there and lack labels.
    pub(super) label: BTreeSet<Digest>,
    /// Snapshots that lie on the wrong one.
    pub(super) uproot: BTreeSet<Digest>,
    /// Names that must be recorded.
    pub(super) names: BTreeSet<String>,
}

impl Plan {
    /// What differs between what is desired and what is there.
    pub(super) fn of(
        images: &[(usize, &Resolved)],
        desired: &Desired,
        flaws: &[(&BTreeSet<usize>, Flaw)],
    ) -> Self {
        let mut plan = Self::default();
        let (mut blobs, mut chains) = (BTreeSet::new(), BTreeMap::new());
        for (_, flaw) in flaws {
            match flaw {
                Flaw::NoBlob(digest) | Flaw::NoFile(digest) | Flaw::Content(digest) => {
                    blobs.insert(digest);
                }
                Flaw::Size { digest, .. } => {
                    blobs.insert(digest);
                    plan.forget.insert(digest.clone());
                }
                Flaw::BlobLabel(digest, _) => drop(plan.label.insert(digest.clone())),
                Flaw::NoSnapshot(chain) => drop(chains.insert(chain, false)),
                Flaw::Snapshot(chain) => {
                    chains.insert(chain, false);
                    plan.uproot.insert(chain.clone());
                }
                Flaw::Files(chain, _) => drop(chains.insert(chain, true)),
                Flaw::NoRecord(name) | Flaw::OtherTarget(name) | Flaw::RecordLabel(name, _) => {
                    plan.names.insert(name.clone());
                }
                Flaw::Document(..)
                | Flaw::Platform(_)
                | Flaw::StaleIngest(_)
                | Flaw::StaleLease(_) => {}
            }
        }
        plan.label.retain(|digest| !blobs.contains(digest));
        let is_document = |digest: &&&Digest| desired.blobs.get(**digest).is_some_and(|b| !b.layer);
        plan.documents = blobs
            .iter()
            .filter(is_document)
            .map(|d| (*d).clone())
            .collect();
        plan.work(images, desired, &blobs, &chains);
        plan
    }

    fn work(
        &mut self,
        images: &[(usize, &Resolved)],
        desired: &Desired,
        blobs: &BTreeSet<&Digest>,
        chains: &BTreeMap<&Digest, bool>,
    ) {
        let mut layers: BTreeMap<(&Digest, &Digest), Layer> = BTreeMap::new();
        let mut nodes: BTreeMap<&Digest, usize> = BTreeMap::new();
        for (number, image) in images {
            let mut below = None;
            for part in &image.layers {
                let parent = below.replace(&part.chain).cloned();
                let mend = chains.get(&part.chain);
                let keep = blobs.contains(&part.blob.digest)
                    && desired.blobs.contains_key(&part.blob.digest);
                if mend.is_none() && !keep {
                    continue;
                }
                let key = (&part.blob.digest, &part.diff);
                let layer = layers.entry(key).or_insert_with(|| Layer {
                    blob: part.blob.clone(),
                    diff: part.diff.clone(),
                    name: image.wanted.name.clone(),
                    keep,
                    nodes: Vec::new(),
                    images: BTreeSet::new(),
                });
                layer.images.insert(*number);
                let Some(mend) = mend else {
                    continue;
                };
                let node = *nodes.entry(&part.chain).or_insert_with(|| {
                    self.nodes.push(Node {
                        chain: part.chain.clone(),
                        parent,
                        mend: *mend,
                        images: BTreeSet::new(),
                    });
                    self.nodes.len() - 1
                });
                if let Some(node) = self.nodes.get_mut(node) {
                    node.images.insert(*number);
                }
                if !layer.nodes.contains(&node) {
                    layer.nodes.push(node);
                }
            }
        }
        self.layers = layers.into_values().collect();
        (self.layers).sort_by_key(|layer| {
            (
                std::cmp::Reverse(layer.blob.size),
                layer.blob.digest.clone(),
            )
        });
    }

    /// Whether nothing is to be done.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Compressed bytes of the layers.
    pub(super) fn bytes(&self) -> u64 {
        let sizes = self.layers.iter().map(|layer| layer.blob.size);
        sizes.fold(0, u64::saturating_add)
    }

    /// Bytes that must be free: blobs that are kept, and files, by estimate where nothing says how large they are.
    pub(super) fn room(&self) -> u64 {
        let of = |layer: &Layer| {
            let blob = if layer.keep { layer.blob.size } else { 0 };
            let growth = if layer.blob.digest == layer.diff {
                1
            } else {
                GROWTH
            };
            let files = (layer.blob.size)
                .saturating_mul(growth)
                .saturating_mul(layer.nodes.len() as u64);
            blob.saturating_add(files)
        };
        self.layers.iter().map(of).fold(0, u64::saturating_add)
    }
}
