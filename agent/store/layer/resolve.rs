//! Finding the directory that an entry lies in, by the kernel and inside the target only; making it where none did.
//! It is separate because no other part turns a name of the layer into a place: they all work from the descriptor that
//! comes from here, with one plain name.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, Timespec, Timestamps, UTIME_NOW};
use rustix::io::Errno;

use super::Implicit;
use super::entry::split;
use super::error::{LayerError, Result, shown};

/// Directories that are kept open.
const OPEN: usize = 32;

/// Most bytes of paths that are kept for the end: a layer with more is not meant well.
const NAMES: usize = 64 << 20;

/// A time that no layer asks for: a directory that still has it at the end had nothing put in it.
const UNTOUCHED: Timespec = Timespec {
    tv_sec: 1,
    tv_nsec: 987_654_321,
};

/// Opening a directory for reading, which setting its times and attributes needs.
pub(super) const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC);

/// A directory that no entry made, by its inode.
#[derive(Debug)]
struct Made {
    inode: u64,
    implicit: Implicit,
}

/// The directories of one target.
#[derive(Debug)]
pub(super) struct Parents {
    root: Arc<OwnedFd>,
    /// By path, the last used at the end.
    open: Vec<(Vec<u8>, Arc<OwnedFd>)>,
    made: Vec<Made>,
    names: usize,
}

/// Opens a path as if the directory were the root of everything.
pub(super) fn open_in(
    root: impl AsFd,
    path: &[u8],
    flags: OFlags,
    more: ResolveFlags,
) -> Result<OwnedFd, Errno> {
    let path = if path.is_empty() { b"." } else { path };
    loop {
        let resolve = ResolveFlags::IN_ROOT | more;
        // EAGAIN: a rename somewhere raced with the lookup (openat2(2)); the kernel asks for another try.
        match rustix::fs::openat2(&root, path, flags, Mode::empty(), resolve) {
            Err(Errno::AGAIN | Errno::INTR) => {}
            other => return other,
        }
    }
}

impl Parents {
    /// Begins in an empty directory.
    pub(super) fn new(root: OwnedFd) -> Self {
        Self {
            root: Arc::new(root),
            open: Vec::new(),
            made: Vec::new(),
            names: 0,
        }
    }

    /// The target itself.
    pub(super) fn root(&self) -> &OwnedFd {
        &self.root
    }

    /// The directory at a cleaned path, made where it is missing.
    pub(super) fn get(&mut self, path: &[u8]) -> Result<Arc<OwnedFd>> {
        if path.is_empty() {
            return Ok(Arc::clone(&self.root));
        }
        if let Some(at) = self.open.iter().rposition(|(other, _)| other == path) {
            let found = Arc::clone(&self.open.get(at).ok_or_else(lost)?.1);
            if at + 1 < self.open.len() {
                let entry = self.open.remove(at);
                self.open.push(entry);
            }
            return Ok(found);
        }
        let dir = match open_in(&self.root, path, DIRECTORY, ResolveFlags::empty()) {
            Ok(dir) => dir,
            Err(Errno::NOENT) => self.make(path)?,
            Err(errno) => return Err(LayerError::os(errno, "open the directory", path)),
        };
        Ok(self.keep(path, dir))
    }

    /// Keeps a directory open, for what is to be put in it.
    pub(super) fn keep(&mut self, path: &[u8], dir: OwnedFd) -> Arc<OwnedFd> {
        let dir = Arc::new(dir);
        self.open.retain(|(other, _)| other != path);
        if self.open.len() >= OPEN {
            self.open.remove(0);
        }
        self.open.push((path.to_vec(), Arc::clone(&dir)));
        dir
    }

    /// Something was removed, a directory or a link maybe: paths may lead elsewhere now.
    pub(super) fn forget(&mut self, removed: &[u64]) {
        self.open.clear();
        self.made.retain(|made| !removed.contains(&made.inode));
    }

    /// An entry for a directory that is there already.
    pub(super) fn explicit(&mut self, inode: u64) {
        for made in self.made.iter_mut().filter(|made| made.inode == inode) {
            made.implicit.explicit = true;
        }
    }

    /// Whether directories were made below another one without an entry for them.
    pub(super) fn made_beside(&self, path: &[u8]) -> bool {
        let above = |other: &[u8]| {
            path.strip_prefix(other)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
        };
        self.made.iter().any(|made| !above(&made.implicit.path))
    }

    /// Counts a path that is kept to the end.
    pub(super) fn count(&mut self, path: &[u8]) -> Result<()> {
        self.names += path.len() + size_of::<Vec<u8>>();
        if self.names > NAMES {
            return Err(LayerError::image(
                "it holds more names of directories than it may",
            ));
        }
        Ok(())
    }

    /// Makes a directory and those above it that are missing.
    fn make(&mut self, path: &[u8]) -> Result<OwnedFd> {
        // Through a link the path by which lower layers know the directory is another one.
        let plain = ResolveFlags::NO_SYMLINKS;
        let mut there = split(path).0;
        let mut dir = loop {
            match open_in(&self.root, there, DIRECTORY, plain) {
                Ok(dir) => break dir,
                Err(Errno::NOENT) => there = split(there).0,
                Err(Errno::LOOP) => return Err(through_link(path)),
                Err(errno) => return Err(LayerError::os(errno, "open the directory", there)),
            }
        };
        let missing = path.get(there.len()..).unwrap_or_default();
        let mut end = there.len();
        for name in missing
            .split(|byte| *byte == b'/')
            .filter(|name| !name.is_empty())
        {
            end += name.len() + usize::from(end > 0);
            let at = path.get(..end).unwrap_or_default();
            dir = self.make_one(&dir, name, at)?;
        }
        Ok(dir)
    }

    fn make_one(&mut self, dir: &OwnedFd, name: &[u8], path: &[u8]) -> Result<OwnedFd> {
        let doing = "make the directory";
        let os = |errno| LayerError::os(errno, doing, path);
        match rustix::fs::mkdirat(dir, name, Mode::from_raw_mode(0o755)) {
            Ok(()) => {}
            // It is there, and yet the kernel did not find it: a link that leads nowhere.
            Err(Errno::EXIST) => return Err(through_link(path)),
            Err(errno) => return Err(os(errno)),
        }
        self.count(path)?;
        let made = rustix::fs::openat(dir, name, DIRECTORY | OFlags::NOFOLLOW, Mode::empty());
        let made = made.map_err(os)?;
        rustix::fs::fchown(&made, ids(0).0, ids(0).1).map_err(os)?;
        rustix::fs::fchmod(&made, Mode::from_raw_mode(0o755)).map_err(os)?;
        rustix::fs::futimens(&made, &both(UNTOUCHED)).map_err(os)?;
        let inode = rustix::fs::fstat(&made).map_err(os)?.st_ino;
        let implicit = Implicit {
            path: path.to_vec(),
            explicit: false,
            untouched: false,
        };
        self.made.push(Made { inode, implicit });
        Ok(made)
    }

    /// The directories that no entry made, at the end.
    pub(super) fn finish(mut self) -> Result<Vec<Implicit>> {
        for made in &mut self.made {
            let path = &made.implicit.path;
            let os = |errno| LayerError::os(errno, "end the directory", path);
            let dir = open_in(&self.root, path, DIRECTORY, ResolveFlags::NO_SYMLINKS);
            let dir = dir.map_err(os)?;
            let stat = rustix::fs::fstat(&dir).map_err(os)?;
            let time = (
                stat.st_mtime,
                i64::try_from(stat.st_mtime_nsec).unwrap_or(-1),
            );
            if time == (UNTOUCHED.tv_sec, UNTOUCHED.tv_nsec) {
                let now = Timespec {
                    tv_sec: 0,
                    tv_nsec: UTIME_NOW,
                };
                rustix::fs::futimens(&dir, &both(now)).map_err(os)?;
                made.implicit.untouched = true;
            }
        }
        Ok(self.made.into_iter().map(|made| made.implicit).collect())
    }
}

/// Owner and group of this number.
fn ids(id: u32) -> (Option<rustix::fs::Uid>, Option<rustix::fs::Gid>) {
    super::attributes::ids(id, id)
}

fn both(time: Timespec) -> Timestamps {
    Timestamps {
        last_access: time,
        last_modification: time,
    }
}

fn through_link(path: &[u8]) -> LayerError {
    let what = "lies behind a link, and no entry made it";
    LayerError::Unusual(format!("the directory {} {what}", shown(path)))
}

fn lost() -> LayerError {
    LayerError::image("an open directory was lost")
}

/// What a path is, by the type in a mode.
pub(super) fn type_of(mode: u32) -> FileType {
    FileType::from_raw_mode(mode)
}
