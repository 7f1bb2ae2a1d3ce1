//! Where the blobs of an archive are read from: the archive's own file, or the nameless copy of a packed one.
//! It is separate because several threads read from it at once, each at its own place.

use std::io::{self, Read};

use crate::host::root::{Paged, Spool};

/// What holds the bytes.
#[derive(Debug)]
pub(super) enum Store {
    /// The archive, which is not packed.
    Archive(Paged),
    /// The copy of what a packed one held.
    Copy(Spool),
}

/// A file of the archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Held {
    /// Where its bytes begin.
    pub(super) at: u64,
    /// How many there are.
    pub(super) size: u64,
}

impl Store {
    /// A file's bytes: exactly as many as it has, or an error.
    pub(super) fn reader(&self, held: Held) -> Part<'_> {
        Part {
            store: self,
            at: held.at,
            left: held.size,
        }
    }

    fn read_some_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Store::Archive(file) => file.read_some_at(at, into),
            Store::Copy(file) => file.read_some_at(at, into),
        }
    }
}

/// A part of the store that is being read.
#[derive(Debug)]
pub(super) struct Part<'s> {
    store: &'s Store,
    at: u64,
    left: u64,
}

impl Read for Part<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left)
            .unwrap_or(usize::MAX)
            .min(into.len());
        let Some(into) = into.get_mut(..most).filter(|part| !part.is_empty()) else {
            return Ok(0);
        };
        let count = self.store.read_some_at(self.at, into)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.at += count as u64;
        self.left -= count as u64;
        Ok(count)
    }
}
