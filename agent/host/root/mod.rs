//! Files below one root: every path is resolved by the kernel inside the root's descriptor.
//! It is separate so that neither `--root` nor a hostile symlink ever reaches a file outside (openat2(2), RESOLVE_IN_ROOT).

mod fill;
mod folder;
mod lock;
mod paged;
mod place;
mod read;
mod remove;
mod spool;
#[cfg(test)]
mod tests;
mod walk;
mod write;

use std::ffi::OsStr;
use std::fmt;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
use nix::sys::stat::{FileStat, Mode, SFlag};

pub use folder::{Folder, FolderLock, Reading, Writing};
pub use lock::Lock;
pub use paged::Paged;
pub use place::{Placed, Source, Space};
pub use spool::Spool;
pub use write::{Append, Attr};

use crate::error::{Context as _, Error, Result};

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
    ];
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|nibble| DIGITS.get(usize::from(nibble)))
        .collect()
}

/// SHA-256 of bytes, in hex.
pub fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    hex(&sha2::Sha256::digest(bytes))
}

/// What a path is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A device, socket or pipe.
    Other,
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FileKind::File => "file",
            FileKind::Directory => "directory",
            FileKind::Symlink => "symlink",
            FileKind::Other => "special file",
        })
    }
}

/// What is known of a path without opening it; symlinks are not followed in the last part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Meta {
    /// What it is.
    pub kind: FileKind,
    /// Permission bits including setuid, setgid and sticky.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Bytes.
    pub size: u64,
    /// Seconds since 1970.
    pub mtime: i64,
    /// Inode number.
    pub inode: u64,
    /// Device that the path lies on; differs from its directory's at a mount point.
    pub device: u64,
}

impl Meta {
    fn of(stat: &FileStat) -> Self {
        let kind = match SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT {
            SFlag::S_IFREG => FileKind::File,
            SFlag::S_IFDIR => FileKind::Directory,
            SFlag::S_IFLNK => FileKind::Symlink,
            _ => FileKind::Other,
        };
        Self {
            kind,
            mode: stat.st_mode & 0o7777,
            uid: stat.st_uid,
            gid: stat.st_gid,
            size: u64::try_from(stat.st_size).unwrap_or(0),
            mtime: stat.st_mtime,
            inode: stat.st_ino,
            device: stat.st_dev,
        }
    }

    /// The mode as four octal digits.
    pub fn mode_text(&self) -> String {
        format!("{:04o}", self.mode)
    }
}

/// A directory that stands for `/`.
#[derive(Debug)]
pub struct Root {
    fd: OwnedFd,
    path: PathBuf,
}

impl Root {
    /// Opens a tree; `/` is the live system.
    pub fn open(path: &Path) -> Result<Self> {
        let doing = || format!("open the root directory {}", path.display());
        let path = std::fs::canonicalize(path).context(doing)?;
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let fd = nix::fcntl::open(&path, flags, Mode::empty()).context(doing)?;
        Ok(Self { fd, path })
    }

    /// Where the tree lies on the machine that runs us.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether this is the live system.
    pub fn is_live(&self) -> bool {
        self.path == Path::new("/")
    }

    fn open_at(&self, path: &str, flags: OFlag, mode: u32) -> nix::Result<OwnedFd> {
        let inside = path.trim_start_matches('/');
        let inside = if inside.is_empty() { "." } else { inside };
        let how = OpenHow::new()
            .flags(flags | OFlag::O_CLOEXEC)
            .mode(Mode::from_bits_truncate(mode))
            .resolve(ResolveFlag::RESOLVE_IN_ROOT);
        loop {
            // EAGAIN: a rename raced with the lookup (openat2(2)); the kernel asks for another try.
            match openat2(self.fd.as_fd(), inside, how) {
                Err(Errno::EAGAIN) => {}
                other => return other,
            }
        }
    }

    /// The directory that holds a path, opened, and the path's last part.
    fn parent<'p>(&self, path: &'p str) -> Result<(OwnedFd, &'p str)> {
        let (dir, name) = split(path)?;
        let fd = self
            .open_at(dir, OFlag::O_PATH | OFlag::O_DIRECTORY, 0)
            .context(|| format!("open the directory {dir}"))?;
        Ok((fd, name))
    }
}

/// Splits an absolute path in its directory and its last part.
fn split(path: &str) -> Result<(&str, &str)> {
    let trimmed = path.trim_end_matches('/');
    match trimmed.rsplit_once('/') {
        Some((dir, name)) if !matches!(name, "" | "." | "..") => {
            Ok((if dir.is_empty() { "/" } else { dir }, name))
        }
        _ => Err(Error::host(format!(
            "use the path '{path}': it must be absolute and name something"
        ))),
    }
}

/// Opens a name in a directory without following a symlink or crossing a mount, be it a bind mount of the same device.
fn open_here(dir: &OwnedFd, name: impl AsRef<OsStr>, flags: OFlag) -> nix::Result<OwnedFd> {
    let how = OpenHow::new()
        .flags(flags | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC)
        .resolve(ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_XDEV);
    loop {
        match openat2(dir, name.as_ref(), how) {
            Err(Errno::EAGAIN) => {}
            other => return other,
        }
    }
}

/// Turns "there is no such path" into `None`.
fn found<T>(result: nix::Result<T>) -> nix::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Errno::ENOENT | Errno::ENOTDIR) => Ok(None),
        Err(errno) => Err(errno),
    }
}
