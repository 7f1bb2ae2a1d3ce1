//! Manifests and indexes, read from the bytes whose digest was checked.
//! They are separate because everything that is fetched, sized and written later is taken from them.

use oci_distribution::manifest::{OciDescriptor, OciManifest};

use super::{Digest, Platform, bad};
use crate::error::Result;

/// Largest manifest, index or configuration: what registries and containerd accept at most.
pub const LARGEST: u64 = 8 << 20;

/// Most layers of an image; containerd and overlayfs give up far below.
const LAYERS: usize = 512;

/// Most images of an index.
const CHILDREN: usize = 1024;

/// What is known of a blob before it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Descriptor {
    /// Its media type, as the document that names it says.
    pub media_type: String,
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
}

/// An image of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Child {
    /// Its manifest.
    pub manifest: Descriptor,
    /// What it runs on; attestations have none or `unknown`.
    pub platform: Option<Platform>,
}

/// One image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Its configuration; its digest is the image's id for kubelet.
    pub config: Descriptor,
    /// Its layers, the lowest first.
    pub layers: Vec<Descriptor>,
}

/// What a reference resolves to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Document {
    /// Images of several platforms.
    Index(Vec<Child>),
    /// One image.
    Manifest(Manifest),
}

impl Document {
    /// Reads a manifest or index.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let read: OciManifest = serde_json::from_slice(bytes)
            .map_err(|error| bad("read an image's manifest").because(error))?;
        match read {
            OciManifest::Image(image) => {
                if image.layers.len() > LAYERS {
                    return Err(bad(format!(
                        "read an image's manifest: it has {} layers, more than {LAYERS}",
                        image.layers.len()
                    )));
                }
                let layers: Result<Vec<_>> = image.layers.iter().map(Descriptor::read).collect();
                Ok(Self::Manifest(Manifest {
                    config: Descriptor::read(&image.config)?,
                    layers: layers?,
                }))
            }
            OciManifest::ImageIndex(index) => {
                if index.manifests.len() > CHILDREN {
                    return Err(bad("read an image index: it is longer than any real one"));
                }
                let children = index.manifests.iter().map(|entry| {
                    let platform = entry.platform.as_ref().map(|p| {
                        Platform::new(
                            &p.os.to_string(),
                            &p.architecture.to_string(),
                            p.variant.as_deref(),
                        )
                    });
                    let manifest = Descriptor::new(&entry.media_type, &entry.digest, entry.size)?;
                    Ok(Child { manifest, platform })
                });
                Ok(Self::Index(children.collect::<Result<_>>()?))
            }
        }
    }
}

impl Descriptor {
    fn read(read: &OciDescriptor) -> Result<Self> {
        if read.urls.as_ref().is_some_and(|urls| !urls.is_empty()) {
            return Err(bad(format!(
                "read an image's manifest: {} is a foreign layer, which its registry does not hold",
                read.digest
            )));
        }
        Self::new(&read.media_type, &read.digest, read.size)
    }

    fn new(media_type: &str, digest: &str, size: i64) -> Result<Self> {
        let size = u64::try_from(size).map_err(|_| {
            bad(format!(
                "read an image's manifest: the size of {digest} is {size}"
            ))
        })?;
        Ok(Self {
            media_type: media_type.to_owned(),
            digest: Digest::parse(digest)?,
            size,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn descriptor(size: &str, more: &str) -> String {
        let digest = format!("sha256:{}", "a".repeat(64));
        format!(r#"{{"mediaType":"m","digest":"{digest}","size":{size}{more}}}"#)
    }

    fn manifest(layers: &[String]) -> String {
        let config = descriptor("2", "");
        let layers = layers.join(",");
        format!(r#"{{"schemaVersion":2,"config":{config},"layers":[{layers}]}}"#)
    }

    #[test]
    fn an_index_is_told_from_a_manifest() {
        let image = manifest(&[descriptor("5", "")]);
        let Document::Manifest(image) = Document::parse(image.as_bytes()).unwrap() else {
            panic!("a manifest");
        };
        assert_eq!(image.layers[0].size, 5);
        let arm = descriptor(
            "7",
            r#","platform":{"os":"linux","architecture":"arm64","variant":"v8"}"#,
        );
        let none = descriptor("7", "");
        let index = format!(r#"{{"schemaVersion":2,"manifests":[{arm},{none}]}}"#);
        let Document::Index(children) = Document::parse(index.as_bytes()).unwrap() else {
            panic!("an index");
        };
        assert_eq!(
            children[0].platform,
            Some(Platform::parse("linux/arm64").unwrap())
        );
        assert_eq!(children[1].platform, None);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let table = [
            "",
            "{}",
            "[]",
            &manifest(&[descriptor("-1", "")]),
            &manifest(&[descriptor("9223372036854775808", "")]),
            &manifest(&[descriptor(
                "1",
                r#","urls":["https://elsewhere.example/x"]"#,
            )]),
            &manifest(&[descriptor("1", "").replace("sha256:", "sha512:")]),
            &manifest(&vec![descriptor("1", ""); LAYERS + 1]),
        ];
        for text in table {
            assert!(Document::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
