//! Databases of bbolt, read and never written: containerd keeps its records in them.
//! They are read by own code because a store must be judged where no containerd may be started (an unbooted tree, a
//! read-only one), and because the ports of bbolt map the file and trust what stands in it: these files are untrusted.
//!
//! Source: etcd-io/bbolt, internal/common (page.go, meta.go, inode.go, bucket.go) and db.go; the format is of version 2
//! since 2014. Numbers are little-endian, as on every machine that Kubernetes runs on.

mod bucket;
#[cfg(test)]
pub(crate) mod made;
mod meta;
mod page;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::collections::BTreeSet;

pub use bucket::{Bucket, Entry, Visit};
use meta::Meta;

use crate::error::{Context as _, Error, Result};
use crate::host::root::Paged;

/// Largest file that is read. containerd's databases of a node with a hundred images have a few MB.
const LARGEST_FILE: u64 = 256 << 20;

/// Largest page with all that overflows from it: values in containerd's databases are small.
const LARGEST_PAGE: u64 = 8 << 20;

/// Where a database's bytes come from.
pub trait Bytes {
    /// How many there are.
    fn size(&self) -> u64;
    /// Fills a buffer from an offset; a file that ends before is an error.
    fn read_at(&self, at: u64, into: &mut [u8]) -> std::io::Result<()>;
}

impl Bytes for Paged {
    fn size(&self) -> u64 {
        Paged::size(self)
    }

    fn read_at(&self, at: u64, into: &mut [u8]) -> std::io::Result<()> {
        Paged::read_at(self, at, into)
    }
}

/// An opened database, as its last whole transaction left it.
///
/// Each page is gone through by [`Bucket::each`] once at most: pages that lead back or are shared are an error, so that
/// the work and the memory are bounded by the file's size.
#[derive(Debug)]
pub struct Db<B> {
    bytes: B,
    meta: Meta,
    /// Pages that were gone through.
    seen: RefCell<BTreeSet<u64>>,
}

impl<B: Bytes> Db<B> {
    /// Opens a database.
    pub fn open(bytes: B) -> Result<Self> {
        if bytes.size() > LARGEST_FILE {
            return Err(damaged(format!(
                "it has {} bytes, more than {LARGEST_FILE}",
                bytes.size()
            )));
        }
        let meta = meta::find(&bytes)?;
        Ok(Self {
            bytes,
            meta,
            seen: RefCell::new(BTreeSet::new()),
        })
    }

    /// The bucket that holds all others.
    pub fn root(&self) -> Bucket<'_, B> {
        Bucket::at(self, self.meta.root)
    }

    /// A page with what overflows from it, its header checked.
    fn page(&self, id: u64) -> Result<Vec<u8>> {
        let doing = || format!("read its page {id}");
        let size = self.meta.page_size;
        if id < 2 || id >= self.meta.pages {
            return Err(damaged(format!("its page {id} is none of its data")));
        }
        let at = id.saturating_mul(size);
        let mut head = [0u8; page::HEADER];
        self.bytes.read_at(at, &mut head).context(doing)?;
        let header = page::Header::parse(&head);
        if header.id != id {
            return Err(damaged(format!(
                "its page {id} says of itself that it is {}",
                header.id
            )));
        }
        let count = u64::from(header.overflow).saturating_add(1);
        let length = count.saturating_mul(size);
        if length > LARGEST_PAGE || id.saturating_add(count) > self.meta.pages {
            return Err(damaged(format!(
                "its page {id} says that it has {length} bytes"
            )));
        }
        let mut bytes = vec![0u8; usize::try_from(length).context(doing)?];
        self.bytes.read_at(at, &mut bytes).context(doing)?;
        Ok(bytes)
    }

    /// The same, where the page may be gone through once only.
    fn page_once(&self, id: u64) -> Result<Vec<u8>> {
        let bytes = self.page(id)?;
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let end = id.saturating_add(length / self.meta.page_size.max(1));
        let mut seen = self.seen.borrow_mut();
        for page in id..end {
            if !seen.insert(page) {
                return Err(damaged(format!("its page {page} is used twice")));
            }
        }
        Ok(bytes)
    }
}

/// The error of a database that is not as bbolt writes it.
pub(crate) fn damaged(what: impl Into<String>) -> Error {
    Error::host(what).hint(
        "the database is damaged: remove the whole store and fill it again, or restore it from a copy",
    )
}
