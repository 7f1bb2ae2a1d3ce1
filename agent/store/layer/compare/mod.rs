//! Whether a directory still is what a layer says: for the deep check, and read only.
//! It is separate from writing because it asks of every entry what is there, and changes nothing.

mod node;
mod walk;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;

use super::Limits;
use super::entry::{Entry, Kind, clean, split};
use super::error::{LayerError, Result, shown};
use super::resolve::{DIRECTORY, open_in};
use super::tar::{Parser, Sink};
use super::writer::{OPAQUE, WHITEOUT};
use crate::host::failure::Failure;

/// More differences are not told.
const MOST: usize = 1000;

/// Bytes that are read at a time.
const BUFFER: usize = 256 << 10;

/// Reads a decoded layer and tells, a line each, what is different in the directory that it was written to. `bottom` is
/// that of [`super::Target`]. What directories inherited from lower layers is not looked at.
pub fn compare(
    layer: &mut dyn Read,
    dir: BorrowedFd<'_>,
    bottom: bool,
) -> Result<Vec<String>, LayerError> {
    let mut parser = Parser::new(Limits::default());
    let mut seen = Comparison::new(dir, bottom);
    let mut buffer = vec![0; BUFFER];
    loop {
        let count = match layer.read(&mut buffer) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => {
                return Err(LayerError::Failed(Failure::of_io(error, "read the layer")));
            }
            Ok(count) => count,
        };
        match buffer.get(..count) {
            Some(bytes) if count > 0 => parser.push(bytes, &mut seen)?,
            _ => break,
        }
    }
    parser.finish()?;
    seen.finish()
}

/// A directory that is being compared.
struct Comparison<'d> {
    root: BorrowedFd<'d>,
    bottom: bool,
    /// The directory that the last entry lies in.
    above: Option<(Vec<u8>, OwnedFd)>,
    /// What is different, by path: attributes, and content. A later entry for the path counts alone.
    attributes: BTreeMap<Vec<u8>, String>,
    content: BTreeMap<Vec<u8>, String>,
    /// Inodes that the layer speaks of.
    inodes: BTreeSet<u64>,
    /// The file whose content comes.
    file: Option<(Vec<u8>, OwnedFd)>,
    buffer: Vec<u8>,
}

/// What is at a path.
type There = Option<(OwnedFd, Stat)>;

impl<'d> Comparison<'d> {
    fn new(root: BorrowedFd<'d>, bottom: bool) -> Self {
        Self {
            root,
            bottom,
            above: None,
            attributes: BTreeMap::new(),
            content: BTreeMap::new(),
            inodes: BTreeSet::new(),
            file: None,
            buffer: Vec::new(),
        }
    }

    /// The directory that a path lies in, opened, and what is known of the path.
    fn there(&mut self, path: &[u8]) -> Result<There> {
        let os = |errno| LayerError::os(errno, "look at", path);
        let (above, name) = split(path);
        if self.above.as_ref().is_none_or(|(other, _)| other != above) {
            let dir = open_in(self.root, above, DIRECTORY, ResolveFlags::empty());
            let Some(dir) = found(dir).map_err(os)? else {
                return Ok(None);
            };
            self.inodes
                .insert(rustix::fs::fstat(&dir).map_err(os)?.st_ino);
            self.above = Some((above.to_vec(), dir));
        }
        let Some((_, dir)) = &self.above else {
            return Ok(None);
        };
        let stat = rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW);
        let Some(stat) = found(stat).map_err(os)? else {
            return Ok(None);
        };
        let dir = dir
            .try_clone()
            .map_err(|error| LayerError::Failed(Failure::of_io(error, "keep a directory open")))?;
        Ok(Some((dir, stat)))
    }

    /// What earlier entries said of a path, and of what lies below it unless it stays a directory, does not count.
    fn forget(&mut self, path: &[u8], kind: Kind) {
        let below = [path, b"/"].concat();
        for list in [&mut self.attributes, &mut self.content] {
            list.remove(path);
            if kind != Kind::Directory && !list.is_empty() {
                list.retain(|other, _| !other.starts_with(&below));
            }
        }
    }

    /// A name that is marked as deleted, or in a layer without a parent is not there.
    fn whiteout(&mut self, entry: &Entry, name: &[u8]) -> Result<()> {
        let above = split(&entry.path).0;
        let path = match above {
            b"" => name.to_vec(),
            above => [above, b"/", name].concat(),
        };
        self.forget(&path, Kind::File);
        let there = self.there(&path)?;
        let wrong = match (&there, self.bottom) {
            (Some((_, stat)), false) => {
                self.inodes.insert(stat.st_ino);
                node::not_whiteout(stat, entry)
            }
            (Some(_), true) => Some("is there, and was deleted".to_owned()),
            (None, false) => Some("is not marked as deleted".to_owned()),
            (None, true) => None,
        };
        self.tell(path, wrong);
        Ok(())
    }

    fn opaque(&mut self, entry: &Entry) -> Result<()> {
        let above = split(&entry.path).0.to_vec();
        let dir = open_in(self.root, &above, DIRECTORY, ResolveFlags::empty());
        let dir = found(dir).map_err(|errno| LayerError::os(errno, "look at", &above))?;
        let marked = dir.is_some_and(|dir| node::is_opaque(&dir));
        if !self.bottom && !marked {
            self.tell(above, Some("is not marked as opaque".to_owned()));
        }
        Ok(())
    }

    fn tell(&mut self, path: Vec<u8>, what: Option<String>) {
        if let Some(what) = what.filter(|_| self.attributes.len() < MOST) {
            self.attributes.insert(path, what);
        }
    }

    /// An entry with a path and a place of its own.
    fn node(&mut self, entry: Entry) -> Result<()> {
        self.forget(&entry.path, entry.kind);
        let Some((dir, stat)) = self.there(&entry.path)? else {
            self.tell(entry.path, Some("is missing".to_owned()));
            return Ok(());
        };
        self.inodes.insert(stat.st_ino);
        if entry.kind == Kind::HardLink {
            let target = clean(&entry.link);
            let other = self.there(&target)?;
            if other.is_none_or(|(_, other)| other.st_ino != stat.st_ino) {
                let what = format!("is no second name of {}", shown(&target));
                self.tell(entry.path, Some(what));
                return Ok(());
            }
            // The link's header is the one that counts for both.
            self.attributes.remove(&target);
        }
        let wrong = node::different(&dir, split(&entry.path).1, &stat, &entry);
        let wrong = wrong.map_err(|errno| LayerError::os(errno, "look at", &entry.path))?;
        if entry.kind == Kind::File && node::is_file(&stat) {
            match node::size(&stat, &entry) {
                Some(what) => _ = self.content.insert(entry.path.clone(), what),
                None => self.file = open_file(&dir, &entry)?.map(|file| (entry.path.clone(), file)),
            }
        }
        self.tell(entry.path, wrong);
        Ok(())
    }

    /// Tells what is different, and what is there besides.
    fn finish(self) -> Result<Vec<String>> {
        let mut all = self.attributes;
        // A wrong content says more than a wrong time.
        all.extend(self.content);
        walk::strangers(self.root, &self.inodes, &mut all)
            .map_err(|errno| LayerError::os(errno, "look through", b"."))?;
        let lines = all.into_iter().take(MOST);
        Ok(lines
            .map(|(path, what)| format!("{} {what}", shown(&path)))
            .collect())
    }
}

impl Sink for Comparison<'_> {
    fn entry(&mut self, entry: Entry) -> Result<()> {
        self.file = None;
        if entry.path.is_empty() || entry.kind == Kind::Global {
            return Ok(());
        }
        let name = split(&entry.path).1.to_vec();
        match name.strip_prefix(WHITEOUT) {
            None => self.node(entry),
            Some(_) if name == OPAQUE => self.opaque(&entry),
            Some(deleted) => self.whiteout(&entry, deleted),
        }
    }

    fn content(&mut self, bytes: &[u8]) -> Result<()> {
        let Some((path, file)) = &self.file else {
            return Ok(());
        };
        self.buffer.resize(bytes.len().max(self.buffer.len()), 0);
        let into = self.buffer.get_mut(..bytes.len()).unwrap_or_default();
        let same = node::read_full(file, into)
            .map_err(|errno| LayerError::os(errno, "read", path))?
            .is_some_and(|read| read == bytes);
        if !same && self.content.len() < MOST {
            let what = "has another content".to_owned();
            self.content.insert(path.clone(), what);
            self.file = None;
        }
        Ok(())
    }

    fn end(&mut self) -> Result<()> {
        self.file = None;
        Ok(())
    }
}

/// Opens a file without a trace of having been read.
fn open_file(dir: &OwnedFd, entry: &Entry) -> Result<Option<OwnedFd>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NOATIME | OFlags::CLOEXEC;
    let file = rustix::fs::openat(dir, split(&entry.path).1, flags, Mode::empty());
    found(file).map_err(|errno| LayerError::os(errno, "open", &entry.path))
}

/// What is not there, or lies where no directory is, is nothing.
fn found<T>(result: Result<T, Errno>) -> Result<Option<T>, Errno> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
        Err(errno) => Err(errno),
    }
}
