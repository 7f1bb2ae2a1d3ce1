//! An image as its documents describe it: target, configuration, layers, chains, all checked against each other.
//! It is separate and pure because everything that is fetched, recorded and judged later is taken from it.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Wanted;
use crate::error::{Error, Result};
use crate::host::containerd::Target;
use crate::host::failure::{Class, Failure};
use crate::host::oci::{
    Child, Descriptor, Digest, Document, ImageConfig, LARGEST, Manifest, Platform, chain_ids,
};

/// The media type of an OCI index.
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// The media type of an OCI manifest.
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// Docker's names of the same.
const DOCKER: [&str; 2] = [
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];

/// What media types of layers begin with; what follows says how they are packed.
const LAYERS: [&str; 3] = [
    "application/vnd.oci.image.layer.v1.tar",
    "application/vnd.oci.image.layer.nondistributable.v1.tar",
    "application/vnd.docker.image.rootfs.diff.tar",
];

/// A layer of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ImageLayer {
    /// Its blob.
    pub(super) blob: Descriptor,
    /// The digest of its tar.
    pub(super) diff: Digest,
    /// The name of the snapshot with it on top.
    pub(super) chain: Digest,
}

/// One image, whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Resolved {
    /// What was wanted.
    pub(super) wanted: Wanted,
    /// What the name resolves to: the index, where it is one, else the manifest.
    pub(super) target: Descriptor,
    /// The manifest.
    pub(super) manifest: Descriptor,
    /// The configuration.
    pub(super) config: Descriptor,
    /// Layers, the lowest first.
    pub(super) layers: Vec<ImageLayer>,
}

/// Documents by their digests.
pub(super) type Documents = BTreeMap<Digest, Vec<u8>>;

impl Resolved {
    /// Documents of the image: the index, where there is one, the manifest, the configuration.
    pub(super) fn documents(&self) -> Vec<&Descriptor> {
        let mut all = vec![&self.manifest, &self.config];
        if self.has_index() {
            all.insert(0, &self.target);
        }
        all
    }

    /// Whether the name resolves to an index.
    pub(super) fn has_index(&self) -> bool {
        self.target.digest != self.manifest.digest
    }

    /// The target as a record has it.
    pub(super) fn record_target(&self) -> Target {
        Target {
            media_type: self.target.media_type.clone(),
            digest: self.target.digest.clone(),
            size: self.target.size,
        }
    }

    /// Bytes of all documents and layers; one that is there twice counts once.
    pub(super) fn size(&self) -> u64 {
        let layers = self.layers.iter().map(|layer| &layer.blob);
        let blobs: BTreeMap<&Digest, u64> = (self.documents().into_iter().chain(layers))
            .map(|blob| (&blob.digest, blob.size))
            .collect();
        blobs.values().copied().fold(0, u64::saturating_add)
    }
}

/// A document that was read, with its descriptor.
pub(super) fn read(
    bytes: &[u8],
    digest: &Digest,
    said: &str,
) -> Result<(Descriptor, Document), Failure> {
    let document = Document::parse(bytes).map_err(broken)?;
    let descriptor = Descriptor {
        media_type: media_type(bytes, said, &document),
        digest: digest.clone(),
        size: bytes.len() as u64,
    };
    Ok((descriptor, document))
}

/// The media type: what the document says itself, else what its source says, else what it is.
fn media_type(bytes: &[u8], said: &str, document: &Document) -> String {
    #[derive(Deserialize)]
    struct Own {
        #[serde(rename = "mediaType")]
        media_type: Option<String>,
    }
    let own = serde_json::from_slice::<Own>(bytes)
        .ok()
        .and_then(|own| own.media_type);
    let (index, docker) = (matches!(document, Document::Index(_)), DOCKER);
    let known: [&str; 2] = match index {
        true => [INDEX, docker[0]],
        false => [MANIFEST, docker[1]],
    };
    let fits = |kind: &&str| known.contains(kind);
    own.as_deref()
        .filter(fits)
        .or(Some(said).filter(fits))
        .unwrap_or(known[0])
        .to_owned()
}

/// The image of an index that is meant: the platform's own, and no other however close.
pub(super) fn choose<'c>(children: &'c [Child], platform: &Platform) -> Result<&'c Child, Failure> {
    let is = |child: &&Child| child.platform.as_ref().is_some_and(|p| p.is(platform));
    if let Some(child) = children.iter().find(is) {
        return Ok(child);
    }
    // An index of one image that does not say for which platform: its configuration does.
    if let [child] = children
        && child.platform.is_none()
    {
        return Ok(child);
    }
    let mut there: Vec<String> = (children.iter())
        .filter_map(|child| Some(child.platform.as_ref()?.to_string()))
        .filter(|name| !name.starts_with("unknown"))
        .collect();
    there.sort();
    there.dedup();
    let there = match there.is_empty() {
        true => "none".to_owned(),
        false => there.join(", "),
    };
    let error = Error::host(format!(
        "find the image for {platform} in the index: it has {there}"
    ));
    Err(Failure::new(
        Class::Platform,
        error.hint("pin an image that is built for this platform"),
    ))
}

/// The descriptor of a configuration, if it may be fetched.
pub(super) fn config_of(manifest: &Manifest) -> Result<&Descriptor, Failure> {
    match manifest.config.size {
        size if size > LARGEST => Err(broken(Error::host(format!(
            "read the image's configuration: it has {size} bytes, more than {LARGEST}"
        )))),
        _ => Ok(&manifest.config),
    }
}

/// Puts an image together, if its documents fit each other and the platform.
pub(super) fn assemble(
    wanted: &Wanted,
    target: Descriptor,
    (descriptor, manifest): (Descriptor, Manifest),
    config: &[u8],
    platform: &Platform,
) -> Result<Resolved, Failure> {
    let read = ImageConfig::parse(config).map_err(broken)?;
    if !read.platform.is(platform) {
        let error = Error::host(format!(
            "use the image: it is for {}, not for {platform}",
            read.platform
        ));
        let hint = "pin an image that is built for this platform";
        return Err(Failure::new(Class::Platform, error.hint(hint)));
    }
    let (have, want) = (read.diff_ids.len(), manifest.layers.len());
    if have != want {
        return Err(broken(Error::host(format!(
            "read the image's documents: the manifest has {want} layers, the configuration {have}"
        ))));
    }
    let chains = chain_ids(&read.diff_ids);
    let mut layers = Vec::with_capacity(want);
    for ((blob, diff), chain) in manifest.layers.into_iter().zip(read.diff_ids).zip(chains) {
        usable(&blob)?;
        layers.push(ImageLayer { blob, diff, chain });
    }
    Ok(Resolved {
        wanted: wanted.clone(),
        target,
        manifest: descriptor,
        config: manifest.config,
        layers,
    })
}

/// A layer must be a tar that containerd would unpack: not encrypted, not a chart, not a signature.
fn usable(layer: &Descriptor) -> Result<(), Failure> {
    let packed = |prefix: &&'static str| layer.media_type.strip_prefix(*prefix);
    let how = LAYERS.iter().find_map(packed);
    let known = ["", ".gzip", "+gzip", ".zstd", "+zstd"];
    match how {
        Some(how) if known.contains(&how) => Ok(()),
        _ => Err(broken(Error::host(format!(
            "use the layer {}: containers cannot be made of {}",
            layer.digest, layer.media_type
        )))),
    }
}

/// The failure of an image that is not as it must be.
pub(super) fn broken(error: Error) -> Failure {
    Failure::new(Class::Image, error)
}
