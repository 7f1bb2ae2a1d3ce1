//! One target: makes there what an entry says, in place of what an earlier entry made.
//! It is separate from the writer because a layer may have several, and each has its own directories and inodes.

use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, XattrFlags};
use rustix::io::Errno;

use super::attributes::{ids, settle, settle_at, times};
use super::entry::{Entry, Kind, Time, split};
use super::error::{LayerError, Result, shown};
use super::remove::remove;
use super::resolve::{DIRECTORY, Parents, open_in};
use super::{Implicit, Target};

/// What overlayfs reads as "nothing below shows through".
pub(super) const OPAQUE: &str = "trusted.overlay.opaque";

/// One target.
#[derive(Debug)]
pub(super) struct Tree {
    parents: Parents,
    bottom: bool,
}

impl Tree {
    /// Begins in an empty directory.
    pub(super) fn new(target: Target) -> Self {
        Self {
            parents: Parents::new(target.dir),
            bottom: target.bottom,
        }
    }

    /// Makes anything but a file with content.
    pub(super) fn make(&mut self, entry: &Entry) -> Result<()> {
        match entry.kind {
            Kind::File => self.file(entry, &[]),
            Kind::Directory => self.directory(entry),
            Kind::Symlink => self.made(entry, |dir, name| {
                rustix::fs::symlinkat(entry.link.as_slice(), dir, name)
            }),
            Kind::HardLink => self.link(entry),
            Kind::Character => self.node(entry, FileType::CharacterDevice),
            Kind::Block => self.node(entry, FileType::BlockDevice),
            Kind::Fifo => self.node(entry, FileType::Fifo),
            Kind::Global => self.clear(&entry.path),
        }
    }

    /// Makes a file with all its content.
    pub(super) fn file(&mut self, entry: &Entry, content: &[u8]) -> Result<()> {
        let file = self.create(entry)?;
        write(&file, content, entry)?;
        settle(&file, entry).map(drop)
    }

    /// Makes a file that is written piece by piece and then settled.
    pub(super) fn create(&mut self, entry: &Entry) -> Result<OwnedFd> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(entry.mode);
        self.replace(&entry.path, "make", |dir, name| {
            rustix::fs::openat(dir, name, flags, mode)
        })
        .map(|(_, file)| file)
    }

    /// Makes a directory, or takes the one that is there.
    fn directory(&mut self, entry: &Entry) -> Result<()> {
        let (above, name) = split(&entry.path);
        let dir = self.parents.get(above)?;
        let mode = Mode::from_raw_mode(entry.mode);
        let open = || rustix::fs::openat(&dir, name, DIRECTORY | OFlags::NOFOLLOW, Mode::empty());
        let mut opened = match rustix::fs::mkdirat(&dir, name, mode) {
            Ok(()) | Err(Errno::EXIST) => open(),
            Err(errno) => Err(errno),
        };
        if let Err(Errno::NOTDIR | Errno::LOOP) = opened {
            let made = self.replace(&entry.path, "make", |dir, name| {
                rustix::fs::mkdirat(dir, name, mode)
            });
            made?;
            opened = open();
        }
        let opened =
            opened.map_err(|errno| LayerError::os(errno, "make the directory", &entry.path))?;
        let stat = settle(&opened, entry)?;
        self.parents.explicit(stat.st_ino);
        self.parents.keep(&entry.path, opened);
        Ok(())
    }

    fn node(&mut self, entry: &Entry, kind: FileType) -> Result<()> {
        let device = rustix::fs::makedev(entry.device.0, entry.device.1);
        let mode = Mode::from_raw_mode(entry.mode);
        self.made(entry, |dir, name| {
            rustix::fs::mknodat(dir, name, kind, mode, device)
        })
    }

    /// Gives what an earlier entry made another name. A link is not followed in the last part.
    fn link(&mut self, entry: &Entry) -> Result<()> {
        let os = |errno| LayerError::os(errno, "link to", &entry.link);
        let (above, name) = split(&entry.link);
        if matches!(name, b"" | b"." | b"..") {
            return Err(os(Errno::NOENT));
        }
        let to = open_in(self.parents.root(), above, DIRECTORY, ResolveFlags::empty());
        let to = to.map_err(os)?;
        let doing = format!("link to {} as", shown(&entry.link));
        let make = |dir: &OwnedFd, new: &[u8]| match rustix::fs::linkat(
            &to,
            name,
            dir,
            new,
            AtFlags::empty(),
        ) {
            Err(Errno::PERM) => Err(Errno::ISDIR),
            other => other,
        };
        let (dir, ()) = self.replace(&entry.path, &doing, make)?;
        settle_at(&dir, split(&entry.path).1, entry)
    }

    /// Makes something that is not opened, and settles it.
    fn made(
        &mut self,
        entry: &Entry,
        make: impl Fn(&OwnedFd, &[u8]) -> Result<(), Errno>,
    ) -> Result<()> {
        let (dir, ()) = self.replace(&entry.path, "make", make)?;
        settle_at(&dir, split(&entry.path).1, entry)
    }

    /// Makes something in place of whatever is there.
    fn replace<T>(
        &mut self,
        path: &[u8],
        doing: &str,
        make: impl Fn(&OwnedFd, &[u8]) -> Result<T, Errno>,
    ) -> Result<(std::sync::Arc<OwnedFd>, T)> {
        let (above, name) = split(path);
        let dir = self.parents.get(above)?;
        let made = match make(&dir, name) {
            Err(Errno::EXIST) => {
                self.clear(path)?;
                make(&dir, name)
            }
            other => other,
        };
        let made = made.map_err(|errno| LayerError::os(errno, doing, path))?;
        Ok((dir, made))
    }

    /// Removes what is there, if anything is.
    fn clear(&mut self, path: &[u8]) -> Result<()> {
        let (above, name) = split(path);
        let dir = self.parents.get(above)?;
        let removed = remove(&dir, name);
        let removed = removed.map_err(|errno| LayerError::os(errno, "replace", path))?;
        self.parents.forget(&removed);
        Ok(())
    }

    /// Marks a name as deleted from the layers below. Such a mark on what the same layer made is an error to containerd.
    pub(super) fn whiteout(&mut self, entry: &Entry, name: &[u8]) -> Result<()> {
        let (above, _) = split(&entry.path);
        let os = |errno| LayerError::os(errno, "mark as deleted by", &entry.path);
        let dir = self.parents.get(above)?;
        if self.bottom {
            let removed = remove(&dir, name).map_err(os)?;
            self.parents.forget(&removed);
            return Ok(());
        }
        let kind = FileType::CharacterDevice;
        match rustix::fs::mknodat(&dir, name, kind, Mode::empty(), 0) {
            Err(Errno::EXIST) => {
                let what = format!("{} deletes what the layer itself made", shown(&entry.path));
                return Err(LayerError::image(what));
            }
            other => other.map_err(os)?,
        }
        let (uid, gid) = ids(entry.uid, entry.gid);
        rustix::fs::chownat(&dir, name, uid, gid, AtFlags::SYMLINK_NOFOLLOW).map_err(os)
    }

    /// Marks the directory that an entry lies in as opaque.
    pub(super) fn opaque(&mut self, entry: &Entry) -> Result<()> {
        let (above, _) = split(&entry.path);
        let dir = self.parents.get(above)?;
        if !self.bottom {
            let done = rustix::fs::fsetxattr(&*dir, OPAQUE, b"y", XattrFlags::empty());
            return done.map_err(|errno| LayerError::os(errno, "make opaque by", &entry.path));
        }
        if self.parents.made_beside(above) {
            let what = format!("{} stands in a layer without a parent", shown(&entry.path));
            return Err(LayerError::Unusual(what));
        }
        Ok(())
    }

    /// Counts a path that is kept to the end.
    pub(super) fn count(&mut self, path: &[u8]) -> Result<()> {
        self.parents.count(path)
    }

    /// Sets the times of directories once nothing more is put in them.
    pub(super) fn finish(self, dirs: &[(Vec<u8>, Time, Time)]) -> Result<Vec<Implicit>> {
        for (path, atime, mtime) in dirs {
            let root = self.parents.root();
            match open_in(root, path, DIRECTORY, ResolveFlags::empty()) {
                Ok(dir) => rustix::fs::futimens(dir, &times(*atime, *mtime)),
                Err(Errno::NOTDIR) => {
                    let what = format!("{} is a directory and then none", shown(path));
                    return Err(LayerError::Unusual(what));
                }
                Err(errno) => Err(errno),
            }
            .map_err(|errno| LayerError::os(errno, "set the times of", path))?;
        }
        self.parents.finish()
    }

    /// Whether it becomes a snapshot without a parent.
    pub(super) fn is_bottom(&self) -> bool {
        self.bottom
    }
}

/// Writes all of a piece.
pub(super) fn write(file: &OwnedFd, mut bytes: &[u8], entry: &Entry) -> Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(file, bytes) {
            Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(LayerError::os(errno, "write", &entry.path)),
        }
    }
    Ok(())
}
