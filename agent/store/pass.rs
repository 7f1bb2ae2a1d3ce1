//! One layer in one pass: from its stream to its blob's file and its trees, with both digests checked.
//! It is separate because it is where the time goes; which layer is next and what becomes of it is decided elsewhere.

use std::io::{self, Read};
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest as _, Sha256};

use super::inflate::inflate;
use super::layer::{LayerError, LayerWriter, Limits, Target, Written};
use super::tap::Tap;
use crate::error::Error;
use crate::host::failure::{Class, Failure};
use crate::host::oci::Digest;
use crate::host::root::Writing;

/// Decoded bytes that are hashed and written at a time: they stay in the core's cache between the two.
const PIECE: usize = 256 << 10;

/// A layer may become this many times larger than its blob …
const RATIO: u64 = 200;

/// … or this large, whatever its blob: below, nobody is hurt.
const HARMLESS: u64 = 256 << 20;

/// What is needed for a pass.
pub(super) struct Pass<'p> {
    /// Where the blob comes from.
    pub(super) from: Box<dyn Read + 'p>,
    /// Its size in bytes.
    pub(super) size: u64,
    /// Where it is written to.
    pub(super) file: Option<Writing>,
    /// The trees that it is unpacked into.
    pub(super) targets: Vec<Target>,
    /// It must be decoded and hashed, trees or not.
    pub(super) decode: bool,
    /// The blob is the tar itself: one hash is both.
    pub(super) plain: bool,
    /// Bytes that all passes together may still write.
    pub(super) room: &'p AtomicU64,
    /// Hears how many bytes of the blob went through.
    pub(super) told: &'p dyn Fn(u64),
}

/// What came of it.
pub(super) struct Passed {
    /// The digest of the tar; none where it was not decoded, or is the blob's.
    pub(super) tar: Option<Digest>,
    /// The blob's file, whole.
    pub(super) file: Option<Writing>,
    /// What the trees hold; none where there are none, or the layer is left to the daemon.
    pub(super) written: Option<Written>,
    /// Why the layer is left to the daemon.
    pub(super) unusual: Option<String>,
    /// Decoded bytes.
    pub(super) decoded: u64,
}

/// What the decoded half gives.
#[derive(Default)]
struct Decoded {
    tar: Option<Digest>,
    written: Option<Written>,
    unusual: Option<String>,
    count: u64,
}

impl Pass<'_> {
    /// Does it. A blob that is not what its digest says is told apart first by the caller: whatever the bytes made of the
    /// tar, they are the wrong ones. So a layer that cannot be unpacked is read to its end.
    pub(super) fn run(self, want: &Digest) -> Result<Passed, Failure> {
        let mut tap = Tap::new(self.from, self.file, self.size, self.told);
        let decoded = match self.decode {
            true => {
                let work = Work {
                    copies: self.targets.len() as u64,
                    limit: HARMLESS.max(self.size.saturating_mul(RATIO)),
                    hash: (!self.plain).then(Sha256::new),
                    room: self.room,
                };
                work.decode(&mut tap, self.targets)
            }
            false => Ok(Decoded::default()),
        };
        let decoded = match decoded {
            Err(failure) if failure.class != Class::Image && !tap.failed() => return Err(failure),
            other => other,
        };
        let (blob, file) = tap.finish()?;
        if blob != *want {
            return Err(differs("blob", want, &blob));
        }
        let decoded = decoded?;
        Ok(Passed {
            tar: decoded.tar,
            file,
            written: decoded.written,
            unusual: decoded.unusual,
            decoded: decoded.count,
        })
    }
}

/// The failure of a digest that is another one.
pub(super) fn differs(what: &str, want: &Digest, got: &Digest) -> Failure {
    let error = Error::host(format!("check the {what}: wanted {want}, got {got}"));
    let hint = "what is sent is not what was pinned: something changes it, or it was pushed broken";
    Failure::new(Class::Digest, error.hint(hint))
}

struct Work<'w> {
    copies: u64,
    limit: u64,
    hash: Option<Sha256>,
    room: &'w AtomicU64,
}

impl Work<'_> {
    fn decode(mut self, tap: &mut Tap<'_>, targets: Vec<Target>) -> Result<Decoded, Failure> {
        let undone = |error: io::Error| broken("decompress a layer", error);
        let mut reader = inflate(Box::new(tap)).map_err(undone)?;
        let limits = Limits {
            bytes: self.limit,
            ..Limits::default()
        };
        let mut writer = (!targets.is_empty()).then(|| LayerWriter::new(targets, limits));
        let mut done = Decoded::default();
        let mut piece = vec![0u8; PIECE];
        loop {
            let count = fill(&mut *reader, &mut piece).map_err(undone)?;
            let Some(part) = piece.get(..count).filter(|part| !part.is_empty()) else {
                break;
            };
            self.count(&mut done, part)?;
            if let Some(own) = &mut writer
                && let Err(error) = own.push(part)
            {
                done.unusual = Some(unusual(error)?);
                writer = None;
            }
        }
        done.tar = self
            .hash
            .map(|hash| Digest::from_hash(&hash.finalize().into()));
        if let Some(writer) = writer {
            match writer.finish() {
                Ok(written) => done.written = Some(written),
                Err(error) => done.unusual = Some(unusual(error)?),
            }
        }
        Ok(done)
    }

    /// Counts and hashes decoded bytes; too many are refused.
    fn count(&mut self, done: &mut Decoded, part: &[u8]) -> Result<(), Failure> {
        let count = part.len() as u64;
        done.count += count;
        if done.count > self.limit {
            let error = Error::host(format!(
                "decompress a layer: it becomes larger than {} bytes, too many for its blob",
                self.limit
            ));
            return Err(Failure::new(Class::Image, error));
        }
        let bytes = count.saturating_mul(self.copies);
        let taken = self
            .room
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |room| {
                room.checked_sub(bytes)
            });
        if taken.is_err() {
            let error = Error::host("unpack a layer: there is no room for the files of all layers");
            let hint = "make room, or give the disk more";
            return Err(Failure::new(Class::DiskFull, error.hint(hint)));
        }
        if let Some(hash) = &mut self.hash {
            hash.update(part);
        }
        Ok(())
    }
}

/// Reads until the piece is full or the stream ends: what lies in one piece is written by one call.
fn fill(reader: &mut dyn Read, piece: &mut [u8]) -> io::Result<usize> {
    let mut at = 0;
    while let Some(rest) = piece.get_mut(at..).filter(|rest| !rest.is_empty()) {
        match reader.read(rest) {
            Ok(0) => break,
            Ok(count) => at += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(at)
}

/// What is unusual about a layer, or the failure that it is.
fn unusual(error: LayerError) -> Result<String, Failure> {
    match error {
        LayerError::Unusual(what) => Ok(what),
        LayerError::Failed(failure) => Err(failure),
    }
}

/// A stream that cannot be decoded is the image's fault.
fn broken(doing: &str, error: io::Error) -> Failure {
    match error.downcast::<Failure>() {
        Ok(failure) => failure,
        Err(error) => Failure::new(Class::Image, Error::host(doing).because(error)),
    }
}
