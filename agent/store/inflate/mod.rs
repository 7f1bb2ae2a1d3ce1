//! Layers without their compression, told by the first bytes: plain, gzip or zstd.
//! It is separate from the reader of other archives because it is built for speed: callers take the digest of what goes
//! in and of what comes out, so that gzip's own checksum need not be taken a third time.

#[cfg(not(feature = "isal"))]
mod gzip;

use std::io::{self, Cursor, ErrorKind, Read};

use crate::error::Error;
use crate::host::failure::{Class, Failure};

/// Largest window of a zstd frame, as a power of two: 128 MiB, what `zstd --long` makes.
const ZSTD_WINDOW: u32 = 27;

/// The bytes without whatever compression their first bytes tell of.
///
/// A stream that is cut off, that is damaged or that goes on with something else gives an error that holds a `Failure` of
/// class `Image`; one of the reader comes through unchanged if it is a `Failure`. gzip's checksum is not looked at, and
/// ISA-L does not tell everything that is wrong: what came is right only if its digest is.
/// Read into 256 KiB or more at a time.
pub fn inflate<'r>(from: Box<dyn Read + 'r>) -> io::Result<Box<dyn Read + 'r>> {
    let mut from = Whole(from);
    let mut head = vec![0u8; 4];
    let count = from.read(&mut head)?;
    head.truncate(count);
    let magic = <[u8; 4]>::try_from(head.as_slice()).unwrap_or_default();
    let from = Whole(Cursor::new(head).chain(from));
    Ok(match magic {
        [0x1f, 0x8b, ..] => Box::new(Told(gunzip(from))),
        [0x28, 0xb5, 0x2f, 0xfd] => {
            let mut decoder = zstd::stream::read::Decoder::new(from)?;
            decoder.window_log_max(ZSTD_WINDOW)?;
            Box::new(Told(decoder))
        }
        _ => Box::new(from),
    })
}

#[cfg(not(feature = "isal"))]
fn gunzip<'r>(from: impl Read + 'r) -> impl Read + 'r {
    gzip::Gzip::new(from)
}

/// ISA-L's decoder holds a pointer into itself: it is boxed before it reads, and never moved after.
#[cfg(feature = "isal")]
fn gunzip<'r>(from: impl Read + 'r) -> Box<dyn Read + 'r> {
    Box::new(isal::read::GzipDecoder::new(from))
}

/// Fills what it is given, up to the end: ISA-L takes two rounds without output for damage, and small pieces make such.
struct Whole<R>(R);

impl<R: Read> Read for Whole<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while let Some(rest) = into.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.0.read(rest) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Failure::of_io(error, "read the layer").into()),
            }
        }
        Ok(filled)
    }
}

/// Says of a decoder's own errors that the layer is broken.
struct Told<R>(R);

impl<R: Read> Read for Told<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.read(into).map_err(|error| {
            let inner = error.get_ref();
            if inner
                .and_then(|inner| inner.downcast_ref::<Failure>())
                .is_some()
            {
                return error;
            }
            let error = Error::host("inflate the layer").because(error);
            Failure::new(Class::Image, error).into()
        })
    }
}

#[cfg(test)]
mod tests;
