//! A stream that is hashed, counted and written to a file while somebody reads it.
//! It is separate because a layer's blob is checked and stored in the same pass in which it is unpacked.

use std::io::{self, Read, Write as _};

use sha2::{Digest as _, Sha256};

use crate::error::Error;
use crate::host::failure::{Class, Failure};
use crate::host::oci::Digest;
use crate::host::root::Writing;

/// Bytes that are read at a time where nobody else reads.
const DRAIN: usize = 256 << 10;

/// The stream. What failed is kept: it comes out whatever a reader on top makes of it.
pub(super) struct Tap<'t> {
    from: Box<dyn Read + 't>,
    file: Option<Writing>,
    hash: Sha256,
    size: u64,
    count: u64,
    failed: Option<Failure>,
    told: &'t dyn Fn(u64),
}

impl<'t> Tap<'t> {
    /// A stream of at most `size` bytes; `told` hears how many went through.
    pub(super) fn new(
        from: Box<dyn Read + 't>,
        file: Option<Writing>,
        size: u64,
        told: &'t dyn Fn(u64),
    ) -> Self {
        Self {
            from,
            file,
            hash: Sha256::new(),
            size,
            count: 0,
            failed: None,
            told,
        }
    }

    /// Whether the stream itself or the file failed.
    pub(super) fn failed(&self) -> bool {
        self.failed.is_some()
    }

    /// Reads what is left, and gives the digest of all of it and the file.
    pub(super) fn finish(mut self) -> Result<(Digest, Option<Writing>), Failure> {
        let mut buffer = vec![0u8; DRAIN];
        while self.failed.is_none() {
            if let Ok(0) = self.read(&mut buffer) {
                break;
            }
        }
        match self.failed {
            Some(failure) => Err(failure),
            None => Ok((Digest::from_hash(&self.hash.finalize().into()), self.file)),
        }
    }

    fn pass(&mut self, part: &[u8]) -> Result<(), Failure> {
        let count = part.len() as u64;
        if count > self.size - self.count {
            let error = Error::host(format!(
                "read a blob: more than the {} bytes of its descriptor came",
                self.size
            ));
            return Err(Failure::new(Class::Digest, error));
        }
        self.count += count;
        self.hash.update(part);
        if let Some(file) = &mut self.file {
            let written = file.write_all(part);
            written.map_err(|error| Failure::of_io(error, "write a blob"))?;
        }
        (self.told)(count);
        Ok(())
    }
}

impl Read for Tap<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.failed.is_some() {
            return Err(io::Error::other("the stream failed"));
        }
        let count = match self.from.read(into) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
            Err(error) => {
                self.failed = Some(Failure::of_io(error, "read a blob"));
                return Err(io::Error::other("the stream failed"));
            }
            Ok(count) => count,
        };
        let passed = self.pass(into.get(..count).unwrap_or_default());
        match passed {
            Ok(()) => Ok(count),
            Err(failure) => {
                self.failed = Some(failure);
                Err(io::Error::other("the stream failed"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Breaking(usize);

    impl Read for Breaking {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            self.0 = self.0.checked_sub(1).ok_or_else(|| {
                let error = Error::host("the line is cut");
                io::Error::from(Failure::new(Class::Network, error))
            })?;
            Ok(into.len().min(7))
        }
    }

    #[test]
    fn what_went_through_is_hashed_to_its_end() {
        let mut tap = Tap::new(Box::new(&b"layer and more"[..]), None, 14, &|_| {});
        let mut part = [0u8; 5];
        tap.read_exact(&mut part).unwrap();
        let (digest, _) = tap.finish().unwrap();
        assert_eq!(digest, Digest::of(b"layer and more"));
    }

    #[test]
    fn a_failure_comes_out_as_it_was_and_too_much_is_one() {
        let tap = Tap::new(Box::new(Breaking(3)), None, 1 << 20, &|_| {});
        assert_eq!(tap.finish().unwrap_err().class, Class::Network);
        let tap = Tap::new(Box::new(&b"abc"[..]), None, 2, &|_| {});
        assert_eq!(tap.finish().unwrap_err().class, Class::Digest);
    }
}
