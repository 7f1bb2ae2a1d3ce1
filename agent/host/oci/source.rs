//! Where documents and blobs come from: a registry, a tarball, or a test's own.
//! It is separate so that the store is filled the same way whatever it is filled from.

use std::io::Read;

use super::{Descriptor, Digest, Name};
use crate::host::failure::Failure;

/// A document as it came, with the digest of its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// Its bytes, at most `LARGEST`.
    pub bytes: Vec<u8>,
    /// Its media type, as the source says.
    pub media_type: String,
    /// The digest of its bytes; equal to the one that was asked for, where one was.
    pub digest: Digest,
}

/// A source that several threads fetch from.
pub trait Source: Sync {
    /// One thread's way to it; connections are its own.
    fn session(&self) -> Result<Box<dyn Session + '_>, Failure>;
}

/// One thread's way to a source.
pub trait Session {
    /// A manifest or index, by tag or digest.
    fn document(&mut self, name: &Name, version: &str) -> Result<Fetched, Failure>;

    /// A blob of the image, as a stream that ends after exactly `blob.size` bytes or with an error.
    ///
    /// Interrupted connections are taken up again inside. The digest is the reader's to check: a caller that finds
    /// another may ask once more. Errors are `io::Error`s with a [`Failure`] inside.
    fn blob(&mut self, name: &Name, blob: &Descriptor) -> Result<Box<dyn Read + '_>, Failure>;
}
