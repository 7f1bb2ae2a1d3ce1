//! From entries and pieces of content to calls on each target: small files in one write, large ones as they come.
//! It is separate from the targets because it says when, and they say what.

use std::os::fd::OwnedFd;

use super::attributes::settle;
use super::entry::{Entry, Kind, Time, split};
use super::error::{LayerError, Result, shown};
use super::tar::Sink;
use super::target::{Tree, write};
use super::{Implicit, Target};

/// A file up to this size is collected if it does not come in one piece, so that one write makes it.
const SMALL: u64 = 256 << 10;

/// How whiteouts begin, and the one that speaks of the directory it lies in.
pub(super) const WHITEOUT: &[u8] = b".wh.";
pub(super) const OPAQUE: &[u8] = b".wh..wh..opq";

/// Writes entries to all targets.
#[derive(Debug)]
pub(super) struct Writer {
    trees: Vec<Tree>,
    /// The file whose content comes.
    file: Option<Entry>,
    /// The same file in each target, once it is being written piece by piece.
    open: Vec<OwnedFd>,
    /// What came of a small file.
    small: Vec<u8>,
    /// Directories with the times they get at the end.
    dirs: Vec<(Vec<u8>, Time, Time)>,
}

impl Writer {
    /// Begins in empty directories.
    pub(super) fn new(targets: Vec<Target>) -> Self {
        Self {
            trees: targets.into_iter().map(Tree::new).collect(),
            file: None,
            open: Vec::new(),
            small: Vec::new(),
            dirs: Vec::new(),
        }
    }

    /// All entries came.
    pub(super) fn finish(self) -> Result<Vec<Implicit>> {
        let mut found = Vec::new();
        for tree in self.trees {
            let bottom = tree.is_bottom();
            let implicit = tree.finish(&self.dirs)?;
            // A directory without a parent layer inherits nothing, and its tree may differ by whiteouts.
            if !bottom {
                found = implicit;
            }
        }
        Ok(found)
    }

    fn each(&mut self, mut work: impl FnMut(&mut Tree) -> Result<()>) -> Result<()> {
        self.trees.iter_mut().try_for_each(&mut work)
    }

    /// Writes a file whose content is complete.
    fn whole(&mut self, content: &[u8]) -> Result<()> {
        let Some(entry) = self.file.take() else {
            return Ok(());
        };
        self.each(|tree| tree.file(&entry, content))
    }

    fn directory(&mut self, entry: Entry) -> Result<()> {
        self.each(|tree| tree.make(&entry))?;
        if let Some(tree) = self.trees.first_mut() {
            tree.count(&entry.path)?;
        }
        self.dirs.push((entry.path, entry.atime, entry.mtime));
        Ok(())
    }

    /// Takes a whiteout; gives back what is none.
    fn whiteout(&mut self, entry: Entry) -> Result<Option<Entry>> {
        let name = split(&entry.path).1;
        let Some(deleted) = name.strip_prefix(WHITEOUT) else {
            return Ok(Some(entry));
        };
        if name == OPAQUE {
            return self.each(|tree| tree.opaque(&entry)).map(|()| None);
        }
        if matches!(deleted, b"" | b"." | b"..") {
            let what = format!("{} deletes no name", shown(&entry.path));
            return Err(LayerError::image(what));
        }
        self.each(|tree| tree.whiteout(&entry, deleted))
            .map(|()| None)
    }
}

impl Sink for Writer {
    fn entry(&mut self, entry: Entry) -> Result<()> {
        self.file = None;
        // The root keeps what the snapshotter gave it.
        if entry.path.is_empty() {
            return Ok(());
        }
        let Some(entry) = self.whiteout(entry)? else {
            return Ok(());
        };
        match entry.kind {
            Kind::Directory => return self.directory(entry),
            Kind::File => {}
            _ => return self.each(|tree| tree.make(&entry)),
        }
        if entry.size > SMALL {
            let open: Result<Vec<_>> = (self.trees.iter_mut())
                .map(|tree| tree.create(&entry))
                .collect();
            self.open = open?;
        }
        self.file = Some(entry);
        Ok(())
    }

    fn content(&mut self, bytes: &[u8]) -> Result<()> {
        let Some(entry) = &self.file else {
            return Ok(());
        };
        if !self.open.is_empty() {
            return (self.open.iter()).try_for_each(|file| write(file, bytes, entry));
        }
        if bytes.len() as u64 == entry.size {
            return self.whole(bytes);
        }
        self.small.extend_from_slice(bytes);
        Ok(())
    }

    fn end(&mut self) -> Result<()> {
        if !self.open.is_empty() {
            let open = std::mem::take(&mut self.open);
            let entry = self.file.take();
            let Some(entry) = entry else { return Ok(()) };
            return (open.iter()).try_for_each(|file| settle(file, &entry).map(drop));
        }
        let mut small = std::mem::take(&mut self.small);
        let done = self.whole(&small);
        small.clear();
        self.small = small;
        done
    }
}
