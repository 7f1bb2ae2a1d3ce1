//! A file that is read in places, by offset, while nobody writes to it: a database of another program.
//! It is separate because such a file is locked as its own program locks it, and never opened for writing.

use std::io;
use std::os::unix::fs::FileExt as _;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use super::{Meta, Root};
use crate::error::{Context as _, Result};

/// A regular file that is read by offset.
#[derive(Debug)]
pub struct Paged {
    file: Opened,
    /// What it was when it was opened.
    pub meta: Meta,
}

#[derive(Debug)]
enum Opened {
    Free(std::fs::File),
    Locked(Flock<std::fs::File>),
}

impl Root {
    /// Opens a file to read by offset, symlinks followed inside the root; none when it does not exist.
    pub fn paged(&self, path: &str) -> Result<Option<Paged>> {
        let opened = self.open_file(path)?;
        Ok(opened.map(|(file, meta)| Paged {
            file: Opened::Free(file),
            meta,
        }))
    }

    /// The same under a shared lock (flock(2)), which is not waited for; the inner none says that a writer has the file.
    pub fn paged_shared(&self, path: &str) -> Result<Option<Option<Paged>>> {
        let Some((file, _)) = self.open_file(path)? else {
            return Ok(None);
        };
        match Flock::lock(file, FlockArg::LockSharedNonblock) {
            Ok(held) => {
                // Only now nobody changes it any more.
                let stat = nix::sys::stat::fstat(&*held).context(|| format!("look at {path}"))?;
                Ok(Some(Some(Paged {
                    file: Opened::Locked(held),
                    meta: Meta::of(&stat),
                })))
            }
            Err((_, Errno::EWOULDBLOCK)) => Ok(Some(None)),
            Err((_, errno)) => Err(errno).context(|| format!("lock {path} for reading")),
        }
    }
}

impl Paged {
    /// Bytes.
    pub fn size(&self) -> u64 {
        self.meta.size
    }

    /// Fills a buffer from an offset; a file that ends before is an error. Several threads may read at once.
    pub fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<()> {
        match &self.file {
            Opened::Free(file) => file.read_exact_at(into, at),
            Opened::Locked(file) => file.read_exact_at(into, at),
        }
    }

    /// Reads what there is from an offset, none at the end.
    pub fn read_some_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        match &self.file {
            Opened::Free(file) => file.read_at(into, at),
            Opened::Locked(file) => file.read_at(into, at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::root::Attr;

    #[test]
    fn a_file_that_is_written_to_is_not_read() {
        let dir = tempfile::tempdir().unwrap();
        let root = Root::open(dir.path()).unwrap();
        root.write("/db", b"0123456789", Attr::mine(0o600)).unwrap();
        let writer = std::fs::File::open(dir.path().join("db")).unwrap();
        let held = Flock::lock(writer, FlockArg::LockExclusiveNonblock).unwrap();
        assert!(matches!(root.paged_shared("/db"), Ok(Some(None))));
        drop(held);
        let paged = root.paged_shared("/db").unwrap().unwrap().unwrap();
        let again = root.paged_shared("/db").unwrap().unwrap();
        assert!(again.is_some(), "readers do not exclude each other");
        let mut part = [0u8; 4];
        paged.read_at(5, &mut part).unwrap();
        assert_eq!(&part, b"5678");
        assert!(paged.read_at(8, &mut part).is_err());
        assert!(root.paged("/none").unwrap().is_none());
        assert!(root.paged_shared("/none").unwrap().is_none());
    }
}
