//! Images made in memory, byte for byte the same every time: layers, configurations, manifests, indexes.
//! It is separate because registries, tarballs and stores are all filled with them, and none of those makes any.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "shared with the benchmark's driver; a broken maker of inputs is to stop it"
)]
#![allow(
    dead_code,
    reason = "a shared toolbox: which part is used changes with the tests"
)]

mod layer;
pub(crate) mod small;
mod tar;

use nodeagent::host::root::sha256;
use serde_json::{Value, json};

pub(crate) use layer::{Layer, Packing};
#[allow(unused_imports, reason = "the benchmark has no use for it")]
pub(crate) use small::tiny;
pub(crate) use tar::{Entry, tar};

/// Bytes and their digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Blob {
    /// `sha256:…`.
    pub(crate) digest: String,
    pub(crate) bytes: Vec<u8>,
}

impl Blob {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        let digest = format!("sha256:{}", sha256(&bytes));
        Self { digest, bytes }
    }
}

/// A manifest or index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Document {
    pub(crate) media_type: String,
    pub(crate) digest: String,
    pub(crate) bytes: Vec<u8>,
}

impl Document {
    /// A JSON text under a media type, right or wrong.
    pub(crate) fn new(media_type: &str, content: &Value) -> Self {
        let blob = Blob::new(content.to_string().into_bytes());
        Self {
            media_type: media_type.to_owned(),
            digest: blob.digest,
            bytes: blob.bytes,
        }
    }

    fn descriptor(&self) -> Value {
        json!({"mediaType": self.media_type, "digest": self.digest, "size": self.bytes.len()})
    }
}

/// In whose terms an image is described.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Oci,
    Docker,
}

impl Dialect {
    /// The media type of an index.
    pub(crate) fn index(self) -> &'static str {
        match self {
            Self::Oci => "application/vnd.oci.image.index.v1+json",
            Self::Docker => "application/vnd.docker.distribution.manifest.list.v2+json",
        }
    }

    /// The media type of a manifest.
    pub(crate) fn manifest(self) -> &'static str {
        match self {
            Self::Oci => "application/vnd.oci.image.manifest.v1+json",
            Self::Docker => "application/vnd.docker.distribution.manifest.v2+json",
        }
    }

    /// The media type of a configuration.
    pub(crate) fn config(self) -> &'static str {
        match self {
            Self::Oci => "application/vnd.oci.image.config.v1+json",
            Self::Docker => "application/vnd.docker.container.image.v1+json",
        }
    }
}

/// An image for one platform.
#[derive(Debug, Clone)]
pub(crate) struct Variant {
    /// `linux/amd64`, `linux/arm/v7`.
    pub(crate) platform: String,
    pub(crate) manifest: Document,
    pub(crate) config: Blob,
    /// The lowest first.
    pub(crate) layers: Vec<Layer>,
}

/// What a tag names: one image, or an index with one a platform.
#[derive(Debug, Clone)]
pub(crate) struct Image {
    /// `k8s/pause`, without a host.
    pub(crate) repository: String,
    pub(crate) tag: String,
    /// What the tag resolves to: the manifest of the only variant, or an index of all.
    pub(crate) top: Document,
    pub(crate) variants: Vec<Variant>,
}

impl Image {
    /// An image for linux/amd64, without an index.
    pub(crate) fn single(name: &str, dialect: Dialect, layers: &[Layer]) -> Self {
        let variant = Variant::new(dialect, "linux/amd64", layers);
        let top = variant.manifest.clone();
        Self::of(name, top, vec![variant])
    }

    /// An index with one image a platform (`linux/arm64/v8`), in this order.
    pub(crate) fn index(name: &str, dialect: Dialect, platforms: &[(&str, Vec<Layer>)]) -> Self {
        let variants: Vec<_> = platforms
            .iter()
            .map(|(platform, layers)| Variant::new(dialect, platform, layers))
            .collect();
        let entry = |variant: &Variant| {
            let mut entry = variant.manifest.descriptor();
            entry["platform"] = platform(&variant.platform);
            entry
        };
        let manifests: Vec<Value> = variants.iter().map(entry).collect();
        let index =
            json!({"schemaVersion": 2, "mediaType": dialect.index(), "manifests": manifests});
        Self::of(name, Document::new(dialect.index(), &index), variants)
    }

    fn of(name: &str, top: Document, variants: Vec<Variant>) -> Self {
        let (repository, tag) = name.split_once(':').expect("repository:tag");
        Self {
            repository: repository.to_owned(),
            tag: tag.to_owned(),
            top,
            variants,
        }
    }

    /// `host/repository:tag`.
    pub(crate) fn tagged(&self, host: &str) -> String {
        format!("{host}/{}:{}", self.repository, self.tag)
    }

    /// `host/repository:tag@sha256:…`, as a pinned list names it.
    pub(crate) fn pinned(&self, host: &str) -> String {
        format!("{}@{}", self.tagged(host), self.top.digest)
    }

    /// The variant of a platform.
    pub(crate) fn variant(&self, platform: &str) -> &Variant {
        let found = self.variants.iter().find(|v| v.platform == platform);
        found.unwrap_or_else(|| panic!("{} has no {platform}", self.repository))
    }
}

impl Variant {
    fn new(dialect: Dialect, on: &str, layers: &[Layer]) -> Self {
        let diff_ids: Vec<&str> = layers.iter().map(|l| l.diff_id.as_str()).collect();
        let mut config = platform(on);
        config["created"] = json!("2024-02-03T04:05:06Z");
        config["config"] = json!({"Env": ["PATH=/bin"], "Cmd": ["/bin/hello"], "WorkingDir": "/"});
        config["rootfs"] = json!({"type": "layers", "diff_ids": diff_ids});
        let config = Blob::new(config.to_string().into_bytes());
        let described: Vec<Value> = layers.iter().map(|l| l.descriptor(dialect)).collect();
        let content = json!({
            "schemaVersion": 2,
            "mediaType": dialect.manifest(),
            "config": {"mediaType": dialect.config(), "digest": config.digest, "size": config.bytes.len()},
            "layers": described,
        });
        Self {
            platform: on.to_owned(),
            manifest: Document::new(dialect.manifest(), &content),
            config,
            layers: layers.to_vec(),
        }
    }
}

fn platform(text: &str) -> Value {
    let mut parts = text.split('/');
    let mut platform = json!({"os": parts.next(), "architecture": parts.next()});
    if let Some(variant) = parts.next() {
        platform["variant"] = json!(variant);
    }
    platform
}
