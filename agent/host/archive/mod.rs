//! Archives as they come from elsewhere: gzip, zstd and tar, read as a stream within bounds; nothing is written here.
//! They are separate because they are untrusted input, and because no reader of tar that we know bounds what its
//! extension records may take of memory.

pub(crate) mod header;
mod names;
pub(crate) mod pax;
mod tar;

use std::io::{self, Read};

pub use names::Names;
pub use tar::{Entry, EntryKind, Limits, Tar};

/// Largest window of a zstd frame, as a power of two: 128 MiB, what `zstd --long` makes.
const ZSTD_WINDOW: u32 = 27;

/// How an archive is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// Not at all.
    Plain,
    /// gzip.
    Gzip,
    /// Zstandard.
    Zstd,
}

impl Packing {
    /// What the name of a tar archive promises; none for other names.
    pub fn of_name(name: &str) -> Option<Self> {
        let name = name.as_bytes();
        let ends = |ends: &[&str]| ends.iter().any(|end| name.ends_with(end.as_bytes()));
        if ends(&[".tar.gz", ".tgz"]) {
            Some(Self::Gzip)
        } else if ends(&[".tar.zst", ".tzst"]) {
            Some(Self::Zstd)
        } else {
            ends(&[".tar"]).then_some(Self::Plain)
        }
    }

    /// What the first four bytes tell; what is not known is taken as not packed.
    pub fn of_magic(head: &[u8]) -> Self {
        match head {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            _ => Self::Plain,
        }
    }

    /// The bytes without the compression. A stream that is cut off, or that goes on with something else, is an error.
    pub fn open<'r>(self, from: impl Read + 'r) -> io::Result<Box<dyn Read + 'r>> {
        Ok(match self {
            Self::Plain => Box::new(from),
            Self::Gzip => Box::new(flate2::read::MultiGzDecoder::new(from)),
            Self::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::new(from)?;
                decoder.window_log_max(ZSTD_WINDOW)?;
                Box::new(decoder)
            }
        })
    }
}

/// The bytes without whatever compression their first bytes tell of.
pub fn unpack<'r>(mut from: impl Read + 'r) -> io::Result<Box<dyn Read + 'r>> {
    let mut head = Vec::new();
    from.by_ref().take(4).read_to_end(&mut head)?;
    Packing::of_magic(&head).open(io::Cursor::new(head).chain(from))
}

/// The error of an archive that is not as it must be.
pub(crate) fn bad(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.into())
}
