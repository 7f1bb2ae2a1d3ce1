//! A file without a name that is written once from start to end and read in places: what a packed archive held.
//! It is separate because nothing of it is left after a kill, and because only its writer and readers ever see it.

use std::io;
use std::os::unix::fs::FileExt as _;

use nix::fcntl::OFlag;

use super::Root;
use crate::error::{Context as _, Result};

/// A nameless file.
#[derive(Debug)]
pub struct Spool {
    file: std::fs::File,
    size: u64,
}

impl Root {
    /// Makes a nameless file on the file system of a directory.
    pub fn spool(&self, dir: &str) -> Result<Spool> {
        let doing = || format!("make a nameless file in {dir}");
        let fd = self
            .open_at(dir, OFlag::O_TMPFILE | OFlag::O_RDWR, 0o600)
            .context(doing)?;
        Ok(Spool {
            file: std::fs::File::from(fd),
            size: 0,
        })
    }
}

impl Spool {
    /// Bytes that were written.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Writes at the end.
    pub fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, self.size)?;
        self.size += bytes.len() as u64;
        Ok(())
    }

    /// Reads what there is from an offset, none at the end. Several threads may read at once.
    pub fn read_some_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        self.file.read_at(into, at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spool_has_no_name() {
        let dir = tempfile::tempdir().unwrap();
        let root = Root::open(dir.path()).unwrap();
        let mut spool = root.spool("/").unwrap();
        spool.append(b"abc").unwrap();
        spool.append(b"def").unwrap();
        assert!(root.list("/").unwrap().is_empty());
        let mut part = [0u8; 8];
        assert_eq!(spool.read_some_at(2, &mut part).unwrap(), 4);
        assert_eq!((&part[..4], spool.size()), (&b"cdef"[..], 6));
        assert!(root.spool("/none").is_err());
    }
}
