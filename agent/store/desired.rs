//! What containerd must have recorded for a set of images: blobs with their labels, snapshots, names.
//! It is separate and pure because filling a store and judging it must mean the same by "complete".
//!
//! Labels as containerd's own pull writes them (core/images/mediatypes.go `ChildGCLabels`, core/unpack/unpacker.go,
//! docs/garbage-collection.md; internal/cri/labels/labels.go).

use std::collections::{BTreeMap, BTreeSet};

use super::resolved::Resolved;
use crate::host::containerd::{Labels, Snapshotter, Target};
use crate::host::oci::{Descriptor, Digest};

/// Begins every label by which a blob keeps another one from being collected.
pub(super) const REFERS: &str = "containerd.io/gc.ref.content.";

/// Begins the label by which a configuration keeps its snapshots; the snapshotter's name follows.
const TOP: &str = "containerd.io/gc.ref.snapshot.";

/// The label of a layer with the digest of its tar.
const UNPACKED: &str = "containerd.io/uncompressed";

/// Begins the label of a blob with the repositories that it came from; the registry's name follows.
const SOURCE: &str = "containerd.io/distribution.source.";

/// Labels of image records: kubelet's interface manages it, and kubelet's collection leaves it alone. Never k3s's own
/// label beside it: at each start k3s takes the pin from what carries that.
pub(super) const RECORD: [(&str, &str); 2] = [MANAGED, PINNED];

/// The label of images that kubelet's interface knows.
pub const MANAGED: (&str, &str) = ("io.cri-containerd.image", "managed");

/// The label of images that kubelet does not collect when the disk is full.
pub const PINNED: (&str, &str) = ("io.cri-containerd.pinned", "pinned");

/// A blob that must be there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Blob {
    /// What it is.
    pub(super) descriptor: Option<Descriptor>,
    /// It is a layer, not a document.
    pub(super) layer: bool,
    /// Blobs that it keeps, by the part of the label after `REFERS`; one that ends with a dot takes a number.
    pub(super) keeps: BTreeSet<(&'static str, Digest)>,
    /// Other labels that it must have.
    pub(super) labels: Labels,
    /// Registries and repositories that it comes from.
    pub(super) sources: BTreeMap<String, BTreeSet<String>>,
    /// The images that need it.
    pub(super) images: BTreeSet<usize>,
}

/// A snapshot that must be there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Chain {
    /// The one below.
    pub(super) parent: Option<Digest>,
    /// The images that need it.
    pub(super) images: BTreeSet<usize>,
}

/// A name that must be there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Record {
    /// What it may stand for; more than one only for the names by configuration, which several images may share.
    pub(super) targets: Vec<Target>,
    /// The images that need it.
    pub(super) images: BTreeSet<usize>,
}

/// Everything that must be there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Desired {
    pub(super) blobs: BTreeMap<Digest, Blob>,
    pub(super) chains: BTreeMap<Digest, Chain>,
    pub(super) records: BTreeMap<String, Record>,
}

impl Desired {
    /// What images need on this snapshotter; the numbers are the images' own, and layers are wanted where the second
    /// value says so.
    pub(super) fn of<'i>(
        snapshotter: &Snapshotter,
        images: impl Iterator<Item = (usize, &'i Resolved, bool)>,
    ) -> Self {
        let mut all = Self::default();
        let top = format!("{TOP}{snapshotter}");
        for (number, image, keep) in images {
            all.documents(number, image, keep);
            let config = all.blobs.entry(image.config.digest.clone()).or_default();
            if let Some(layer) = image.layers.last() {
                config.labels.insert(top.clone(), layer.chain.to_string());
            }
            all.layers(number, image, keep);
            all.names(number, image);
        }
        all
    }

    fn blob(&mut self, number: usize, image: &Resolved, blob: &Descriptor) -> &mut Blob {
        let entry = self.blobs.entry(blob.digest.clone()).or_default();
        entry.images.insert(number);
        entry.descriptor.get_or_insert_with(|| blob.clone());
        let name = &image.wanted.name;
        let repositories = entry.sources.entry(name.registry().to_owned()).or_default();
        repositories.insert(name.repository().to_owned());
        entry
    }

    fn documents(&mut self, number: usize, image: &Resolved, keep: bool) {
        if image.has_index() {
            let index = self.blob(number, image, &image.target);
            index.keeps.insert(("m.", image.manifest.digest.clone()));
        }
        let manifest = self.blob(number, image, &image.manifest);
        let config = image.config.digest.clone();
        manifest.keeps.insert(("config", config));
        if keep {
            let layers = image.layers.iter();
            (manifest.keeps).extend(layers.map(|layer| ("l.", layer.blob.digest.clone())));
        }
        self.blob(number, image, &image.config);
    }

    fn layers(&mut self, number: usize, image: &Resolved, keep: bool) {
        let mut parent = None;
        for layer in &image.layers {
            if keep {
                let blob = self.blob(number, image, &layer.blob);
                blob.layer = true;
                let diff = layer.diff.to_string();
                blob.labels.insert(UNPACKED.to_owned(), diff);
            }
            let chain = self.chains.entry(layer.chain.clone()).or_default();
            chain.parent = parent.replace(layer.chain.clone());
            chain.images.insert(number);
        }
    }

    fn names(&mut self, number: usize, image: &Resolved) {
        for name in names(image) {
            let record = self.records.entry(name).or_default();
            let target = image.record_target();
            if !record.targets.contains(&target) {
                record.targets.push(target);
            }
            record.images.insert(number);
        }
    }
}

/// The names that an image is recorded under: by tag and by digest, each also under its other names, and its id.
pub(super) fn names(image: &Resolved) -> Vec<String> {
    let mut all = vec![image.config.digest.to_string()];
    for name in std::iter::once(&image.wanted.name).chain(&image.wanted.also) {
        all.extend(name.tagged());
        all.push(name.digested(&image.target.digest));
    }
    all
}

/// Labels of every image record.
pub(super) fn record_labels() -> Labels {
    (RECORD.iter())
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

impl Blob {
    /// The labels that it lacks, given those that it has: what keeps others under another number is fine as it is.
    pub(super) fn lacks(&self, have: &Labels) -> Labels {
        let mut lacks = Labels::new();
        for (part, digest) in &self.keeps {
            let kept = |(key, value): (&String, &String)| {
                key.starts_with(REFERS) && value == digest.as_str()
            };
            if have.iter().any(kept) || lacks.iter().any(kept) {
                continue;
            }
            let key = match part.ends_with('.') {
                false => format!("{REFERS}{part}"),
                true => free(part, have, &lacks),
            };
            lacks.insert(key, digest.to_string());
        }
        for (key, value) in &self.labels {
            if have.get(key) != Some(value) {
                lacks.insert(key.clone(), value.clone());
            }
        }
        lacks
    }

    /// All labels of a blob that is recorded for the first time.
    pub(super) fn all_labels(&self) -> Labels {
        let mut all = self.lacks(&Labels::new());
        for (registry, repositories) in &self.sources {
            let list: Vec<&str> = repositories.iter().map(String::as_str).collect();
            // A label's key and value may have 4096 bytes together (containerd, pkg/labels/validate.go).
            let mut value = list.join(",");
            value.truncate(2048);
            all.insert(format!("{SOURCE}{registry}"), value);
        }
        all
    }
}

/// The first number that no label of this kind has.
fn free(part: &str, have: &Labels, more: &Labels) -> String {
    (0..=u32::MAX)
        .map(|number| format!("{REFERS}{part}{number}"))
        .find(|key| !have.contains_key(key) && !more.contains_key(key))
        .unwrap_or_default()
}
