//! A layer: its tar, packed or not, with both digests.
//! It is separate because the same tar is packed in several ways, and its diff id must stay one.

use std::io::Write as _;

use nodeagent::host::root::sha256;
use serde_json::{Value, json};

use super::{Blob, Dialect, Entry, tar};

/// How a layer's tar is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packing {
    Plain,
    Gzip,
    Zstd,
}

/// A layer as a registry holds it.
#[derive(Debug, Clone)]
pub(crate) struct Layer {
    pub(crate) blob: Blob,
    /// The digest of the tar.
    pub(crate) diff_id: String,
    /// Bytes of the tar.
    pub(crate) unpacked: u64,
    pub(crate) packing: Packing,
}

impl Layer {
    /// A layer of these entries.
    pub(crate) fn new(packing: Packing, entries: &[Entry]) -> Self {
        Self::from_tar(packing, &tar(entries))
    }

    /// A layer of any bytes, a tar or not.
    pub(crate) fn from_tar(packing: Packing, tar: &[u8]) -> Self {
        Self {
            blob: Blob::new(packing.pack(tar)),
            diff_id: format!("sha256:{}", sha256(tar)),
            unpacked: tar.len() as u64,
            packing,
        }
    }

    /// The media type; Docker has none for zstd, where tools write OCI's.
    pub(crate) fn media_type(&self, dialect: Dialect) -> &'static str {
        match (self.packing, dialect) {
            (Packing::Plain, Dialect::Oci) => "application/vnd.oci.image.layer.v1.tar",
            (Packing::Gzip, Dialect::Oci) => "application/vnd.oci.image.layer.v1.tar+gzip",
            (Packing::Zstd, _) => "application/vnd.oci.image.layer.v1.tar+zstd",
            (Packing::Plain, Dialect::Docker) => "application/vnd.docker.image.rootfs.diff.tar",
            (Packing::Gzip, Dialect::Docker) => "application/vnd.docker.image.rootfs.diff.tar.gzip",
        }
    }

    pub(super) fn descriptor(&self, dialect: Dialect) -> Value {
        let (kind, blob) = (self.media_type(dialect), &self.blob);
        json!({"mediaType": kind, "digest": blob.digest, "size": blob.bytes.len()})
    }
}

impl Packing {
    fn pack(self, tar: &[u8]) -> Vec<u8> {
        match self {
            Self::Plain => tar.to_vec(),
            Self::Gzip => {
                let level = flate2::Compression::default();
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
                encoder.write_all(tar).unwrap();
                encoder.finish().unwrap()
            }
            Self::Zstd => zstd::encode_all(tar, 3).unwrap(),
        }
    }
}
