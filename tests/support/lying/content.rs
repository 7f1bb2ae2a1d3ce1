//! What the lying registry holds: blobs and manifests, true ones.
//! It is separate because content knows nothing of how it is sent.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Lying;
use crate::support::images::{Document, Image};
use nodeagent::host::oci::{Descriptor, Digest};

/// Blobs by digest, documents by `repository/version`.
#[derive(Debug, Default)]
pub(super) struct Content {
    blobs: BTreeMap<String, Arc<Vec<u8>>>,
    documents: BTreeMap<String, (String, Arc<Vec<u8>>)>,
}

impl Content {
    /// What a path (without `/v2/`) stands for: its type and its bytes.
    pub(super) fn find(&self, path: &str) -> Option<(String, Arc<Vec<u8>>)> {
        if let Some((_, digest)) = path.split_once("/blobs/") {
            let bytes = self.blobs.get(digest)?;
            return Some(("application/octet-stream".to_owned(), Arc::clone(bytes)));
        }
        let (repository, version) = path.split_once("/manifests/")?;
        self.documents
            .get(&format!("{repository}/{version}"))
            .cloned()
    }
}

impl Lying {
    /// Puts a blob in; blobs are the same in all repositories.
    pub(crate) fn blob(&self, bytes: &[u8]) -> Descriptor {
        let digest = Digest::of(bytes);
        let mut state = self.state.lock().unwrap();
        let blobs = &mut state.content.blobs;
        blobs.insert(digest.to_string(), Arc::new(bytes.to_vec()));
        Descriptor {
            media_type: "application/vnd.oci.image.layer.v1.tar+gzip".to_owned(),
            size: bytes.len() as u64,
            digest,
        }
    }

    /// Puts any document in, under a tag and under its digest.
    pub(crate) fn document(&self, repository: &str, tag: &str, kind: &str, bytes: &[u8]) -> Digest {
        let digest = Digest::of(bytes);
        let mut state = self.state.lock().unwrap();
        let documents = &mut state.content.documents;
        let value = (kind.to_owned(), Arc::new(bytes.to_vec()));
        documents.insert(format!("{repository}/{tag}"), value.clone());
        documents.insert(format!("{repository}/{digest}"), value);
        digest
    }

    /// Puts an image in, with all that belongs to it.
    pub(crate) fn hold(&self, image: &Image) {
        let document = |version: &str, document: &Document| {
            self.document(
                &image.repository,
                version,
                &document.media_type,
                &document.bytes,
            )
        };
        for variant in &image.variants {
            self.blob(&variant.config.bytes);
            for layer in &variant.layers {
                self.blob(&layer.blob.bytes);
            }
            document(&variant.manifest.digest, &variant.manifest);
        }
        document(&image.tag, &image.top);
    }
}
