//! The documents of container images: digests, descriptors, manifests, indexes, configurations, names.
//! They are separate because registries, tarballs and containerd all speak of images in these terms, and all are
//! untrusted: nothing is taken from a document before its shape was checked here.
//!
//! Sources: OCI image specification 1.1 (descriptor.md, manifest.md, image-index.md, config.md), Docker's image
//! manifest V2 schema 2.

mod config;
mod digest;
mod document;
mod name;
mod platform;
mod source;

pub use config::{ImageConfig, chain_ids};
pub use digest::Digest;
pub use document::{Child, Descriptor, Document, LARGEST, Manifest};
pub use name::Name;
pub use platform::Platform;
pub use source::{Fetched, Session, Source};

use crate::error::Error;

/// The error of a document that is not as it must be.
fn bad(what: impl Into<String>) -> Error {
    Error::host(what)
        .hint("the image is broken or of a kind that containerd cannot run: build or copy it again")
}
