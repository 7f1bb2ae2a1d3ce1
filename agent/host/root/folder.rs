//! Directories that are kept open while much is written: one lookup of the path, then names alone.
//! They are separate because a store's files are many and large, and are made durable together, not one by one.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, Flock, FlockArg, OFlag, RenameFlags, openat, renameat2};
use nix::sys::stat::{Mode, fchmod, fstat, fstatat, mkdirat};
use nix::sys::statvfs::fstatvfs;
use nix::unistd::{Gid, Uid, UnlinkatFlags, fchown, syncfs, unlinkat};

use super::remove::{names, remove_deep};
use super::{FileKind, Meta, Root, found, open_here};
use crate::error::{Context as _, Result};

/// A directory that is kept open. Names are single ones: nothing is followed and no mount is crossed below it.
#[derive(Debug)]
pub struct Folder(OwnedFd);

/// A lock on a directory that is held until it is dropped, or until the process ends.
#[derive(Debug)]
pub struct FolderLock {
    _held: Flock<OwnedFd>,
}

/// A file that is being written, new and under a name of its own.
#[derive(Debug)]
pub struct Writing {
    file: std::fs::File,
    written: u64,
    pushed: u64,
}

/// A regular file that is read.
#[derive(Debug)]
pub struct Reading {
    file: std::fs::File,
    /// Its size in bytes.
    pub size: u64,
}

/// After so many bytes the kernel is asked to begin writing them.
const PUSH: u64 = 8 << 20;

impl Root {
    /// Opens a directory to keep, symlinks followed inside the root; none when it does not exist.
    pub fn folder(&self, path: &str) -> Result<Option<Folder>> {
        let opened = self.open_at(path, OFlag::O_RDONLY | OFlag::O_DIRECTORY, 0);
        let fd = found(opened).context(|| format!("open the directory {path}"))?;
        Ok(fd.map(Folder))
    }
}

impl Folder {
    /// A directory in it; none when there is none.
    pub fn sub(&self, name: &str) -> io::Result<Option<Folder>> {
        let opened = open_here(&self.0, name, OFlag::O_RDONLY | OFlag::O_DIRECTORY);
        Ok(found(opened)?.map(Folder))
    }

    /// A directory in it, made with this mode where there is none.
    pub fn make(&self, name: &str, mode: u32) -> io::Result<Folder> {
        match mkdirat(&self.0, name, Mode::from_bits_truncate(mode)) {
            Ok(()) => {
                let made = open_here(&self.0, name, OFlag::O_RDONLY | OFlag::O_DIRECTORY)?;
                fchmod(&made, Mode::from_bits_truncate(mode))?;
                Ok(Folder(made))
            }
            Err(Errno::EEXIST) => {
                let opened = open_here(&self.0, name, OFlag::O_RDONLY | OFlag::O_DIRECTORY)?;
                Ok(Folder(opened))
            }
            Err(errno) => Err(errno.into()),
        }
    }

    /// The same directory once more, as a descriptor of its own.
    pub fn descriptor(&self) -> io::Result<OwnedFd> {
        self.0.try_clone()
    }

    /// What is in it, without `.` and `..`.
    pub fn names(&self) -> io::Result<Vec<OsString>> {
        Ok(names(&self.0)?)
    }

    /// A new file under a name; one that is there is removed first.
    pub fn create(&self, name: &str) -> io::Result<Writing> {
        found(unlinkat(&self.0, name, UnlinkatFlags::NoRemoveDir))?;
        let flags =
            OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let fd = openat(&self.0, name, flags, Mode::from_bits_truncate(0o600))?;
        Ok(Writing {
            file: std::fs::File::from(fd),
            written: 0,
            pushed: 0,
        })
    }

    /// A regular file; none when there is nothing of the name. Something else of the name is an error.
    pub fn reader(&self, name: &str) -> io::Result<Option<Reading>> {
        let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        let Some(fd) = found(open_here(&self.0, name, flags))? else {
            return Ok(None);
        };
        let meta = Meta::of(&fstat(&fd)?);
        if meta.kind != FileKind::File {
            return Err(io::Error::other(format!("{name} is a {}", meta.kind)));
        }
        Ok(Some(Reading {
            file: std::fs::File::from(fd),
            size: meta.size,
        }))
    }

    /// The size of a regular file; none when there is none of the name.
    pub fn size(&self, name: &str) -> io::Result<Option<u64>> {
        let stat = found(fstatat(&self.0, name, AtFlags::AT_SYMLINK_NOFOLLOW))?;
        let meta = stat.as_ref().map(Meta::of);
        Ok(meta
            .filter(|meta| meta.kind == FileKind::File)
            .map(|meta| meta.size))
    }

    /// Moves something to a name in another directory of the same file system, in place of a file or an empty
    /// directory that is there.
    pub fn rename(&self, name: &str, to: &Folder, new: &str) -> io::Result<()> {
        Ok(renameat2(&self.0, name, &to.0, new, RenameFlags::empty())?)
    }

    /// Exchanges two things in one step.
    pub fn exchange(&self, name: &str, to: &Folder, new: &str) -> io::Result<()> {
        let how = RenameFlags::RENAME_EXCHANGE;
        Ok(renameat2(&self.0, name, &to.0, new, how)?)
    }

    /// Removes a name and all below it, however deep; missing: no change.
    pub fn remove(&self, name: impl AsRef<OsStr>) -> io::Result<()> {
        Ok(remove_deep(&self.0, name.as_ref())?)
    }

    /// Bytes that can still be written to its file system.
    pub fn free(&self) -> io::Result<u64> {
        let stat = fstatvfs(&self.0)?;
        Ok(stat.blocks_available().saturating_mul(stat.fragment_size()))
    }

    /// Waits until everything on its file system is on the disk.
    pub fn sync_all(&self) -> io::Result<()> {
        Ok(syncfs(&self.0)?)
    }

    /// Device and number: two descriptors of one directory have the same.
    pub fn identity(&self) -> io::Result<(u64, u64)> {
        let stat = fstat(&self.0)?;
        Ok((stat.st_dev, stat.st_ino))
    }

    /// Takes over mode and owner of another directory.
    pub fn be_like(&self, other: &Folder) -> io::Result<()> {
        let (own, want) = (Meta::of(&fstat(&self.0)?), Meta::of(&fstat(&other.0)?));
        if (own.uid, own.gid) != (want.uid, want.gid) {
            let owner = (Uid::from_raw(want.uid), Gid::from_raw(want.gid));
            fchown(&self.0, Some(owner.0), Some(owner.1))?;
        }
        Ok(fchmod(&self.0, Mode::from_bits_truncate(want.mode))?)
    }

    /// Locks it against others that do; none when another has it.
    pub fn try_lock(&self) -> io::Result<Option<FolderLock>> {
        match Flock::lock(
            self.descriptor_of_its_own()?,
            FlockArg::LockExclusiveNonblock,
        ) {
            Ok(held) => Ok(Some(FolderLock { _held: held })),
            Err((_, Errno::EWOULDBLOCK)) => Ok(None),
            Err((_, errno)) => Err(errno.into()),
        }
    }

    /// Opened anew: a duplicate would share its lock with the first.
    fn descriptor_of_its_own(&self) -> nix::Result<OwnedFd> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        openat(&self.0, ".", flags, Mode::empty())
    }
}

impl AsFd for Folder {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Writing {
    /// Ends it: no more is written, and it has this mode.
    pub fn finish(self, mode: u32) -> io::Result<()> {
        Ok(fchmod(&self.file, Mode::from_bits_truncate(mode))?)
    }

    /// Lets the kernel begin to write what lies in its cache, so that the sync at the end finds less.
    fn push(&mut self) {
        let Some(length) = std::num::NonZeroU64::new(self.written - self.pushed) else {
            return;
        };
        // Linux begins to write dirty pages that are said not to be needed (posix_fadvise(2)). Only a hint.
        let advice = rustix::fs::Advice::DontNeed;
        rustix::fs::fadvise(&self.file, self.pushed, Some(length), advice).ok();
        self.pushed = self.written;
    }
}

impl Write for Writing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.written += count as u64;
        if self.written - self.pushed >= PUSH {
            self.push();
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Reading {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.file.read(into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, Folder) {
        let dir = tempfile::tempdir().unwrap();
        let root = Root::open(dir.path()).unwrap();
        let folder = root.folder("/").unwrap().unwrap();
        (dir, folder)
    }

    #[test]
    fn a_tree_of_any_depth_is_removed() {
        let (dir, folder) = folder();
        let mut at = folder.make("tree", 0o755).unwrap();
        for _ in 0..1500 {
            at = at.make("d", 0o755).unwrap();
            at.create("f").unwrap().finish(0o644).unwrap();
        }
        drop(at);
        folder.remove("tree").unwrap();
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        folder.remove("tree").unwrap();
    }

    #[test]
    fn nothing_is_followed() {
        let (dir, folder) = folder();
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("secret"), "x").unwrap();
        std::os::unix::fs::symlink(outside.path(), dir.path().join("link")).unwrap();
        std::os::unix::fs::symlink(outside.path().join("secret"), dir.path().join("file")).unwrap();
        assert!(folder.sub("link").is_err());
        assert!(folder.make("link", 0o755).is_err());
        assert!(folder.reader("file").is_err());
        assert_eq!(folder.size("file").unwrap(), None);
        folder.create("file").unwrap().write_all(b"mine").unwrap();
        folder.remove("link").unwrap();
        let kept = std::fs::read_to_string(outside.path().join("secret")).unwrap();
        assert_eq!(kept, "x");
    }

    #[test]
    fn one_lock_at_a_time() {
        let (_dir, folder) = folder();
        let held = folder.try_lock().unwrap();
        assert!(held.is_some());
        assert!(folder.try_lock().unwrap().is_none());
        drop(held);
        assert!(folder.try_lock().unwrap().is_some());
    }
}
