//! The content store's files: whether a blob is there with how many bytes, and the bytes of a document.
//! They are separate because a record says what should be there, and only the file says what is.

use std::io::Read as _;

use super::CONTENT;
use crate::error::{Context as _, Result};
use crate::host::oci::{Digest, LARGEST};
use crate::host::{FileKind, Root};
use crate::store::{Judged, Place};

/// The blobs of a store.
#[derive(Debug, Clone)]
pub struct Blobs<'p> {
    root: &'p Root,
    dir: String,
}

impl<'p> Blobs<'p> {
    /// The blobs of a store.
    pub fn new(place: &'p Place) -> Self {
        let store = place.store().trim_end_matches('/');
        Self {
            root: place.tree(),
            dir: format!("{store}/{CONTENT}/blobs/sha256"),
        }
    }

    fn path(&self, digest: &Digest) -> String {
        format!("{}/{}", self.dir, digest.hex())
    }

    /// Their directory, in the tree that the store lies in.
    pub(in crate::store) fn dir(&self) -> &str {
        &self.dir
    }
}

impl Judged for Blobs<'_> {
    /// Of a file that is longer than any document, what is just too long: its digest is another then.
    fn document(&mut self, digest: &Digest) -> Result<Option<Vec<u8>>> {
        let path = self.path(digest);
        let Some(source) = self.root.source(&path)? else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        source
            .take(LARGEST + 1)
            .read_to_end(&mut bytes)
            .context(|| format!("read {path}"))?;
        Ok(Some(bytes))
    }

    fn size(&mut self, digest: &Digest) -> Result<Option<u64>> {
        let meta = self.root.meta(&self.path(digest))?;
        Ok(meta
            .filter(|meta| meta.kind == FileKind::File)
            .map(|meta| meta.size))
    }
}
