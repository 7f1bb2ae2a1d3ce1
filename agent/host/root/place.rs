//! Large files: read as a stream, and placed as one while their digest is taken.
//! It is separate because what is read and written elsewhere fits in memory.

use std::io::{self, Read, Seek as _};

use nix::fcntl::{OFlag, renameat};
use nix::sys::stat::futimens;
use nix::sys::statfs::{OVERLAYFS_SUPER_MAGIC, fstatfs};
use nix::sys::statvfs::{FsFlags, fstatvfs};
use nix::sys::time::TimeSpec;
use sha2::Digest as _;

use super::write::{Attr, cleared, create, set};
use super::{Meta, Root, found, hex};
use crate::error::{Context as _, Error, Result};

/// A regular file that is read as a stream, more than once where needed: always the same file, whatever its name becomes.
#[derive(Debug)]
pub struct Source {
    file: std::fs::File,
    /// What it is.
    pub meta: Meta,
}

impl Source {
    /// Begins anew.
    pub fn rewind(&mut self) -> io::Result<()> {
        self.file.rewind()
    }

    /// SHA-256 of the whole content, in hex; then begins anew.
    pub fn digest(&mut self) -> io::Result<String> {
        self.rewind()?;
        let (_, digest) = copy(&mut self.file, &mut io::sink())?;
        self.rewind()?;
        Ok(digest)
    }
}

impl Read for Source {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.file.read(into)
    }
}

/// What was placed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// Bytes.
    pub size: u64,
    /// SHA-256 of the content, in hex.
    pub sha256: String,
}

/// A file system as far as it matters to a writer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// Bytes that can still be written.
    pub free: u64,
    /// Nothing can be written.
    pub read_only: bool,
    /// It is an overlay, which carries no other overlay's upper directory.
    pub overlay: bool,
    /// Its identifier (statfs(2)); clones of a disk have the same.
    pub fsid: u64,
}

impl Root {
    /// Opens a regular file for reading as a stream, symlinks followed inside the root; none when it does not exist.
    pub fn source(&self, path: &str) -> Result<Option<Source>> {
        let opened = self.open_file(path)?;
        Ok(opened.map(|(file, meta)| Source { file, meta }))
    }

    /// Replaces a file atomically, as `write` does, by what a stream gives. Its time of change is set to `mtime`, so
    /// that any later write shows.
    pub fn place(&self, path: &str, attr: Attr, mtime: i64, from: &mut dyn Read) -> Result<Placed> {
        let doing = || format!("write {path}");
        let (dir, name) = self.parent(path).context(doing)?;
        let beside = format!(".{name}.nodeagent");
        let mut fill = || -> io::Result<Placed> {
            let mut file = std::fs::File::from(create(&dir, &beside)?);
            let (size, sha256) = copy(from, &mut file)?;
            set(&file, attr)?;
            let time = TimeSpec::new(mtime, 0);
            futimens(&file, &time, &time)?;
            file.sync_all()?;
            renameat(&dir, beside.as_str(), &dir, name)?;
            Ok(Placed { size, sha256 })
        };
        let placed = cleared(fill(), &dir, &beside).context(doing)?;
        self.sync_dir(path)?;
        Ok(placed)
    }

    /// The file system at a path, or at the nearest directory above it that exists.
    pub fn space(&self, path: &str) -> Result<Space> {
        let doing = || format!("ask for the file system of {path}");
        let mut at = path.trim_end_matches('/');
        loop {
            let above = if at.is_empty() { "/" } else { at };
            if let Some(fd) = found(self.open_at(above, OFlag::O_RDONLY | OFlag::O_DIRECTORY, 0))
                .context(doing)?
            {
                let stat = fstatvfs(&fd).context(doing)?;
                return Ok(Space {
                    free: stat.blocks_available().saturating_mul(stat.fragment_size()),
                    read_only: stat.flags().contains(FsFlags::ST_RDONLY),
                    overlay: fstatfs(&fd).context(doing)?.filesystem_type()
                        == OVERLAYFS_SUPER_MAGIC,
                    fsid: stat.filesystem_id(),
                });
            }
            let Some((shorter, _)) = at.rsplit_once('/') else {
                return Err(Error::host(doing()));
            };
            at = shorter;
        }
    }
}

/// Copies all of a stream and gives its size and SHA-256.
fn copy(from: &mut dyn Read, to: &mut dyn io::Write) -> io::Result<(u64, String)> {
    let mut hasher = sha2::Sha256::new();
    let mut buffer = vec![0u8; 256 << 10];
    let mut size = 0;
    loop {
        let count = match from.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            other => other?,
        };
        match buffer.get(..count) {
            Some(part) if count > 0 => {
                hasher.update(part);
                to.write_all(part)?;
                size += count as u64;
            }
            _ => return Ok((size, hex(&hasher.finalize()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives some bytes, then fails.
    struct Failing(usize);

    impl Read for Failing {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            if self.0 == 0 {
                return Err(io::Error::other("gone"));
            }
            self.0 -= 1;
            Ok(into.len().min(10))
        }
    }

    #[test]
    fn a_stream_is_placed_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let root = Root::open(dir.path()).unwrap();
        let attr = Attr::mine(0o755);
        let placed = root.place("/a", attr, 1_000, &mut &b"abc"[..]).unwrap();
        assert_eq!(
            (placed.size, placed.sha256.as_str()),
            (3, super::super::sha256(b"abc").as_str())
        );
        let meta = root.meta("/a").unwrap().unwrap();
        assert_eq!((meta.mode, meta.mtime, meta.size), (0o755, 1_000, 3));
        let said = root
            .place("/a", attr, 1, &mut Failing(3))
            .unwrap_err()
            .one_line();
        assert_eq!(said, "write /a: gone");
        assert_eq!(root.read("/a").unwrap().unwrap(), b"abc");
        assert_eq!(root.list("/").unwrap(), ["a"]);
    }

    #[test]
    fn a_source_stays_the_file_that_was_opened() {
        let dir = tempfile::tempdir().unwrap();
        let root = Root::open(dir.path()).unwrap();
        root.write("/a", b"one", Attr::mine(0o600)).unwrap();
        let mut source = root.source("/a").unwrap().unwrap();
        root.write("/a", b"two", Attr::mine(0o600)).unwrap();
        assert_eq!(source.digest().unwrap(), super::super::sha256(b"one"));
        let mut text = String::new();
        source.read_to_string(&mut text).unwrap();
        assert_eq!(text, "one");
        assert!(root.source("/missing").unwrap().is_none());
        assert!(root.source("/").is_err());
    }

    #[test]
    fn space_is_asked_of_the_nearest_directory() {
        let dir = tempfile::tempdir().unwrap();
        let root = Root::open(dir.path()).unwrap();
        let space = root.space("/not/yet/there").unwrap();
        assert!(space.free > 0 && !space.read_only);
    }
}
