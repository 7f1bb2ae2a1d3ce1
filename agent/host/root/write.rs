//! Writing below the root: atomic files, directories, symlinks, attributes, append-only records.
//! It is separate because all of it must be durable and must not follow a symlink in the last part.

use std::io::Write as _;
use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat, renameat};
use nix::sys::stat::{Mode, fchmod, fstat, fstatat, mkdirat};
use nix::unistd::{Gid, Uid, UnlinkatFlags, fchown, fsync, symlinkat, syncfs, unlinkat};

use super::{FileKind, Meta, Root, found, open_here, split};
use crate::error::{Context as _, Error, Result};

/// Mode and owner of what is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attr {
    /// Permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

impl Attr {
    /// root:root with a mode.
    pub const fn root(mode: u32) -> Self {
        Self {
            mode,
            uid: 0,
            gid: 0,
        }
    }

    /// The caller's own with a mode: for files that a person asks for.
    pub fn mine(mode: u32) -> Self {
        Self {
            mode,
            uid: nix::unistd::geteuid().as_raw(),
            gid: nix::unistd::getegid().as_raw(),
        }
    }
}

/// A file that is only ever appended to, one durable line at a time.
#[derive(Debug)]
pub struct Append {
    file: std::fs::File,
    path: String,
}

impl Append {
    /// Appends a line and waits until it is on disk.
    pub fn line(&mut self, text: &str) -> Result<()> {
        let doing = || format!("append to {}", self.path);
        self.file
            .write_all(format!("{text}\n").as_bytes())
            .context(doing)?;
        self.file.sync_data().context(doing)
    }
}

impl Root {
    /// Replaces a file atomically: written beside it, synced, renamed, directory synced.
    /// The name beside it is fixed, so that a killed writer leaves nothing that the next one does not replace.
    pub fn write(&self, path: &str, bytes: &[u8], attr: Attr) -> Result<()> {
        let doing = || format!("write {path}");
        let (dir, name) = self.parent(path).context(doing)?;
        let beside = format!(".{name}.nodeagent");
        let fill = || -> std::io::Result<()> {
            let mut file = std::fs::File::from(create(&dir, &beside)?);
            file.write_all(bytes)?;
            set(&file, attr)?;
            file.sync_all()?;
            Ok(renameat(&dir, beside.as_str(), &dir, name)?)
        };
        cleared(fill(), &dir, &beside).context(doing)?;
        self.sync_dir(path)
    }

    /// Replaces whatever is at the path, but for a directory, by a symlink, atomically.
    pub fn symlink(&self, target: &str, path: &str) -> Result<()> {
        let doing = || format!("link {path} to {target}");
        let (dir, name) = self.parent(path).context(doing)?;
        let beside = format!(".{name}.nodeagent");
        found(unlinkat(&dir, beside.as_str(), UnlinkatFlags::NoRemoveDir)).context(doing)?;
        let link = symlinkat(target, &dir, beside.as_str())
            .and_then(|()| renameat(&dir, beside.as_str(), &dir, name));
        cleared(link.map_err(Into::into), &dir, &beside).context(doing)?;
        self.sync_dir(path)
    }

    /// Makes a directory and its missing parents (root:root 0755); an existing directory keeps its attributes.
    pub fn make_dir(&self, path: &str, attr: Attr) -> Result<()> {
        let doing = || format!("make the directory {path}");
        if path.trim_matches('/').is_empty() {
            return Ok(());
        }
        let (parent, _) = split(path)?;
        if self.meta_followed(parent)?.is_none() {
            self.make_dir(parent, Attr::root(0o755))?;
        }
        let (dir, name) = self.parent(path).context(doing)?;
        let there = fstatat(&dir, name, AtFlags::AT_SYMLINK_NOFOLLOW);
        if found(there).context(doing)?.is_some() {
            return Ok(());
        }
        place_dir(&dir, name, attr).context(doing)?;
        self.sync_dir(path)
    }

    /// Makes the missing directories that lead to a path, root:root 0755.
    pub fn make_parent(&self, path: &str) -> Result<()> {
        let (dir, _) = split(path)?;
        if self.meta_followed(dir)?.is_some() {
            return Ok(());
        }
        self.make_dir(dir, Attr::root(0o755))
    }

    /// Sets mode and owner of a file or directory; a symlink in the last part is an error, never followed.
    pub fn set_attr(&self, path: &str, attr: Attr) -> Result<()> {
        let doing = || {
            format!(
                "set mode {:04o} and owner {}:{} of {path}",
                attr.mode, attr.uid, attr.gid
            )
        };
        let file = self.open_nofollow(path, OFlag::O_RDONLY).context(doing)?;
        set(&file, attr).context(doing)?;
        fsync(&file).context(doing)
    }

    /// Cuts a regular file to zero bytes; owner and mode stay.
    pub fn truncate(&self, path: &str) -> Result<()> {
        let doing = || format!("truncate {path}");
        let fd = self.open_nofollow(path, OFlag::O_WRONLY).context(doing)?;
        let file = std::fs::File::from(fd);
        if !file.metadata().context(doing)?.is_file() {
            return Err(Error::host(format!(
                "truncate {path}: it is not a regular file"
            )));
        }
        file.set_len(0).context(doing)?;
        file.sync_all().context(doing)
    }

    /// Opens a file to append to, made with this mode when missing.
    /// A line that a crash tore off is ended first, so that the next one stands alone.
    pub fn append(&self, path: &str, mode: u32) -> Result<Append> {
        let doing = || format!("open {path} to append");
        // Read and write, not blocking: opening a pipe must fail below instead of waiting for a reader.
        let flags = OFlag::O_RDWR | OFlag::O_APPEND | OFlag::O_CREAT | OFlag::O_NOFOLLOW;
        let flags = flags | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        let fd = self.open_at(path, flags, mode).context(doing)?;
        own(&fd, mode, path)?;
        let torn = self
            .read(path)?
            .is_some_and(|b| b.last().is_some_and(|last| *last != b'\n'));
        let mut append = Append {
            file: std::fs::File::from(fd),
            path: path.to_owned(),
        };
        if torn {
            append.line("")?;
        } else {
            self.sync_dir(path)?;
        }
        Ok(append)
    }

    /// Waits until everything written to the root's file system is on disk.
    pub fn sync(&self) -> Result<()> {
        let fd = self.open_at("/", OFlag::O_RDONLY | OFlag::O_DIRECTORY, 0);
        fd.and_then(|fd| syncfs(&fd))
            .context(|| "sync the file system")
    }

    /// Makes a change of names in a path's directory durable.
    pub(super) fn sync_dir(&self, path: &str) -> Result<()> {
        let (dir, _) = split(path)?;
        let fd = self.open_at(dir, OFlag::O_RDONLY | OFlag::O_DIRECTORY, 0);
        fd.and_then(|fd| fsync(&fd))
            .context(|| format!("sync the directory {dir}"))
    }

    fn open_nofollow(&self, path: &str, flags: OFlag) -> nix::Result<OwnedFd> {
        self.open_at(
            path,
            flags | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_NOCTTY,
            0,
        )
    }
}

/// A write that failed leaves nothing beside: half of a file would keep a full disk full, and be sealed into an image.
pub(super) fn cleared<T>(
    result: std::io::Result<T>,
    dir: &OwnedFd,
    beside: &str,
) -> std::io::Result<T> {
    if result.is_err() {
        // The first failure is the one to tell; the next write removes what may be left.
        unlinkat(dir, beside, UnlinkatFlags::NoRemoveDir).ok();
    }
    result
}

pub(super) fn create(dir: &OwnedFd, name: &str) -> nix::Result<OwnedFd> {
    found(unlinkat(dir, name, UnlinkatFlags::NoRemoveDir))?;
    let flags =
        OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    openat(dir, name, flags, Mode::from_bits_truncate(0o600))
}

/// Makes a directory under a name that is free. Like a file it is made beside it first: nobody would
/// mend the mode of a parent that a kill left between making it and setting its attributes.
fn place_dir(dir: &OwnedFd, name: &str, attr: Attr) -> nix::Result<()> {
    let beside = format!(".{name}.nodeagent");
    let beside = beside.as_str();
    match found(unlinkat(dir, beside, UnlinkatFlags::NoRemoveDir)) {
        Err(Errno::EISDIR) => unlinkat(dir, beside, UnlinkatFlags::RemoveDir)?,
        other => drop(other?),
    }
    mkdirat(dir, beside, Mode::from_bits_truncate(0o700))?;
    let made = open_here(dir, beside, OFlag::O_RDONLY | OFlag::O_DIRECTORY)?;
    set(&made, attr)?;
    fsync(&made)?;
    match renameat(dir, beside, dir, name) {
        // Somebody else was faster.
        Err(Errno::EEXIST | Errno::ENOTEMPTY | Errno::ENOTDIR) => {
            unlinkat(dir, beside, UnlinkatFlags::RemoveDir)
        }
        other => other,
    }
}

/// Insists on a regular file and makes it as if it had been created now: what is written to it may be secret.
pub(super) fn own(file: &impl AsFd, mode: u32, path: &str) -> Result<()> {
    let doing = || format!("make {path} our own");
    let meta = Meta::of(&fstat(file).context(doing)?);
    if meta.kind != FileKind::File {
        return Err(Error::host(format!(
            "write {path}: it is a {}, not a regular file",
            meta.kind
        ))
        .hint(format!("remove {path} and run it again")));
    }
    let attr = Attr {
        mode,
        uid: nix::unistd::geteuid().as_raw(),
        gid: nix::unistd::getegid().as_raw(),
    };
    if (meta.mode, meta.uid, meta.gid) == (attr.mode, attr.uid, attr.gid) {
        return Ok(());
    }
    set(file, attr).context(doing)
}

/// Owner first: changing it clears setuid and setgid (chown(2)).
pub(super) fn set(file: &impl AsFd, attr: Attr) -> nix::Result<()> {
    let now = Meta::of(&fstat(file)?);
    if (now.uid, now.gid) != (attr.uid, attr.gid) {
        fchown(
            file,
            Some(Uid::from_raw(attr.uid)),
            Some(Gid::from_raw(attr.gid)),
        )?;
    }
    fchmod(file, Mode::from_bits_truncate(attr.mode))
}
