//! The layer writer: puts a layer's tar stream into directories, exactly as containerd would unpack it there.
//! It is separate because it is where the time goes, and because it alone meets names and links that an enemy chose.
//!
//! A layer means here what it means to containerd (`pkg/archive` of 1.6, 1.7 and 2.x are alike in it). What is refused
//! there is refused here; what is allowed there but seldom and subtle is told apart as [`LayerError::Unusual`], for the
//! caller to leave to containerd itself.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "besides host this is the one part that touches files: it writes below the descriptors it is given"
)]

mod attributes;
mod compare;
mod entry;
mod error;
mod extended;
mod header;
mod label;
mod parents;
mod probe;
mod remove;
mod resolve;
mod tar;
mod target;
mod writer;

use std::os::fd::OwnedFd;

pub use compare::compare;
pub use error::LayerError;
pub use label::carry_label;
pub use parents::settle_parents;
pub use probe::carries;

use crate::host::failure::Failure;
use tar::Parser;
use writer::Writer;

/// How much a layer may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Headers, of extension records too.
    pub entries: u64,
    /// Bytes of all files.
    pub bytes: u64,
}

impl Default for Limits {
    /// More than any layer that is meant well: four million headers, 128 GiB.
    fn default() -> Self {
        Self {
            entries: 4 << 20,
            bytes: 128 << 30,
        }
    }
}

/// One staging directory, empty.
#[derive(Debug)]
pub struct Target {
    /// The directory, opened for reading.
    pub dir: OwnedFd,
    /// It becomes a snapshot without a parent. There containerd unpacks into a plain directory: a whiteout removes what
    /// the layer itself brought, and leaves no mark.
    pub bottom: bool,
}

impl From<OwnedFd> for Target {
    /// A directory that becomes a snapshot on top of another.
    fn from(dir: OwnedFd) -> Self {
        Self { dir, bottom: false }
    }
}

/// A directory that no entry of the layer made and that its entries lie in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Implicit {
    /// Its path from the layer's root, without links in it.
    pub(crate) path: Vec<u8>,
    /// An entry came after all: only extended attributes are inherited.
    pub(crate) explicit: bool,
    /// Nothing was put in it: the times are inherited as well.
    pub(crate) untouched: bool,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Written {
    /// Directories for `settle_parents`; the outer ones come first.
    pub implicit: Vec<Implicit>,
    /// Headers.
    pub entries: u64,
    /// Bytes of all files, once, however many targets there are.
    pub bytes: u64,
}

/// Writes one decoded layer into one or more directories, which all get the same tree.
///
/// Feed it pieces of 256 KiB or more: what lies in one piece is written by one call. Bytes after the end mark are
/// accepted and not looked at; the caller takes the digest of everything that it pushes.
/// After an error the directories hold a part of the layer; nothing was written outside them.
#[derive(Debug)]
pub struct LayerWriter {
    parser: Parser,
    writer: Writer,
    limits: Limits,
    failed: bool,
}

impl LayerWriter {
    /// Begins a layer.
    pub fn new(targets: Vec<impl Into<Target>>, limits: Limits) -> Self {
        Self {
            parser: Parser::new(limits),
            writer: Writer::new(targets.into_iter().map(Into::into).collect()),
            limits,
            failed: false,
        }
    }

    /// Takes the next bytes of the layer.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), LayerError> {
        if self.failed {
            return Err(LayerError::image("it already failed"));
        }
        let done = self.parser.push(bytes, &mut self.writer);
        self.failed = done.is_err();
        done
    }

    /// The stream ended: sets the times of directories. A layer that is cut off is of class `Image`.
    pub fn finish(self) -> Result<Written, LayerError> {
        if self.failed {
            return Err(LayerError::image("it already failed"));
        }
        self.parser.finish()?;
        let left = self.parser.left();
        Ok(Written {
            implicit: self.writer.finish()?,
            entries: self.limits.entries - left.entries,
            bytes: self.limits.bytes - left.bytes,
        })
    }
}

/// What a function that only fails with a `Failure` makes of a layer's error.
impl LayerError {
    /// Whether containerd's own diff service should be asked.
    pub fn is_unusual(&self) -> bool {
        matches!(self, LayerError::Unusual(_))
    }

    /// As a failure.
    pub fn into_failure(self) -> Failure {
        self.into()
    }
}

#[cfg(test)]
mod tests;
