//! Removing below the root: one path, or a directory with all it holds.
//! It is separate because walking down while deleting must go from descriptor to descriptor, never by name.

use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{OFlag, renameat};
use nix::sys::stat::Mode;
use nix::unistd::{UnlinkatFlags, unlinkat};

use super::{Root, found, open_here, split};
use crate::error::{Context as _, Result};

/// Deeper trees are refused: each level holds a descriptor.
const DEPTH: usize = 256;

impl Root {
    /// Removes a file, a symlink (not its target) or a directory with all it holds; missing: no change.
    /// Other file systems mounted below are left alone and are an error.
    pub fn remove(&self, path: &str) -> Result<()> {
        let doing = || format!("remove {path}");
        let (dir, name) = split(path)?;
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY;
        let Some(dir) = found(self.open_at(dir, flags, 0)).context(doing)? else {
            return Ok(());
        };
        remove_at(&dir, OsStr::new(name), DEPTH).context(doing)?;
        self.sync_dir(path)
    }

    /// Removes what a directory holds and keeps the directory; missing: no change.
    pub fn empty_dir(&self, path: &str) -> Result<()> {
        let doing = || format!("empty {path}");
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY;
        let Some(dir) = found(self.open_at(path, flags, 0)).context(doing)? else {
            return Ok(());
        };
        for name in names(&dir).context(doing)? {
            remove_at(&dir, &name, DEPTH).context(|| {
                format!(
                    "remove {}/{}",
                    path.trim_end_matches('/'),
                    name.to_string_lossy()
                )
            })?;
        }
        nix::unistd::fsync(&self.open_at(path, flags, 0).context(doing)?).context(doing)
    }
}

fn remove_at(dir: &OwnedFd, name: &OsStr, depth: usize) -> nix::Result<()> {
    match unlinkat(dir, name, UnlinkatFlags::NoRemoveDir) {
        Ok(()) | Err(Errno::ENOENT) => return Ok(()),
        Err(Errno::EISDIR | Errno::EPERM) => {}
        Err(errno) => return Err(errno),
    }
    if depth == 0 {
        return Err(Errno::ELOOP);
    }
    // EXDEV here: a file system, or a bind mount of this one, lies below; what it holds is not ours.
    let inner = open_here(dir, name, OFlag::O_RDONLY | OFlag::O_DIRECTORY)?;
    for child in names(&inner)? {
        remove_at(&inner, &child, depth - 1)?;
    }
    match unlinkat(dir, name, UnlinkatFlags::RemoveDir) {
        Ok(()) | Err(Errno::ENOENT) => Ok(()),
        Err(errno) => Err(errno),
    }
}

/// Removes a name and all below it, however deep: what lies deeper than descriptors reach is moved up first.
///
/// Unlike [`Root::remove`] it is for trees that a stranger's archive made; `dir` itself is where it is moved up to.
pub(super) fn remove_deep(dir: &OwnedFd, name: &OsStr) -> nix::Result<()> {
    loop {
        match remove_at(dir, name, DEPTH) {
            Err(Errno::ELOOP) => {}
            other => return other,
        }
        let Some((above, last)) = deep(dir, name, DEPTH - 2)? else {
            return Err(Errno::ELOOP);
        };
        let mut moved = name.to_owned();
        moved.push("+");
        renameat(&above, last.as_os_str(), dir, moved.as_os_str())?;
        drop(above);
        remove_deep(dir, &moved)?;
    }
}

/// A directory that lies this much deeper, by the directory that holds it and its name there.
fn deep(dir: &OwnedFd, name: &OsStr, depth: usize) -> nix::Result<Option<(OwnedFd, OsString)>> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY;
    let inner = match open_here(dir, name, flags) {
        Err(Errno::ENOTDIR | Errno::ELOOP | Errno::ENOENT) => return Ok(None),
        other => other?,
    };
    for child in names(&inner)? {
        if depth == 0 {
            if open_here(&inner, &child, flags).is_ok() {
                return Ok(Some((inner, child)));
            }
        } else if let Some(found) = deep(&inner, &child, depth - 1)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// Names as they are: one that is not UTF-8 must go as well.
pub(super) fn names(dir: &OwnedFd) -> nix::Result<Vec<OsString>> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let mut names = Vec::new();
    for entry in Dir::openat(dir, ".", flags, Mode::empty())?.iter() {
        let name = OsStr::from_bytes(entry?.file_name().to_bytes()).to_owned();
        if name != "." && name != ".." {
            names.push(name);
        }
    }
    Ok(names)
}
