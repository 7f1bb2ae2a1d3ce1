//! Where a store lies: the tree that its daemon sees as `/`, and the store's directories in it.
//! It is separate because a daemon in a tree of its own names its files otherwise than we do.

use std::io;
use std::os::fd::AsFd as _;
use std::path::Path;

use crate::error::{Context as _, Error, Result};
use crate::host::Root;
use crate::host::containerd::Facts;
use crate::host::oci::Digest;
use crate::host::root::Folder;

/// A store's directory, as we see it.
#[derive(Debug)]
pub struct Place {
    tree: Root,
    store: String,
}

impl Place {
    /// The store at `store`, an absolute path in the tree that the daemon sees as `/` and that lies at `tree` for us.
    pub fn open(tree: &Path, store: &Path) -> Result<Self> {
        let Some(text) = store.to_str().filter(|text| text.starts_with('/')) else {
            return Err(Error::usage(format!(
                "use {} as a container store: it is not an absolute path",
                store.display()
            )));
        };
        Ok(Self {
            tree: Root::open(tree)?,
            store: text.to_owned(),
        })
    }

    /// The store of a running daemon.
    pub fn of(tree: &Path, facts: &Facts) -> Result<Self> {
        let above = facts.content.parent();
        Self::open(tree, above.unwrap_or(Path::new("/")))
    }

    /// The tree that the daemon sees as `/`.
    pub fn tree(&self) -> &Root {
        &self.tree
    }

    /// The store's directory in that tree.
    pub fn store(&self) -> &str {
        &self.store
    }

    /// Waits until everything of the store's file system is on the disk.
    pub(super) fn sync(&self) -> Result<()> {
        let folder = self.folder()?;
        let synced = folder.sync_all();
        synced.context(|| format!("bring the store {} to the disk", self.store))
    }

    /// The store's directory, opened.
    pub(super) fn folder(&self) -> Result<Folder> {
        self.must(&self.store)
    }

    /// A directory that the daemon names.
    pub(super) fn must(&self, path: &str) -> Result<Folder> {
        self.tree.folder(path)?.ok_or_else(|| {
            Error::host(format!("open the directory {path}: it does not exist"))
                .hint("the daemon must see the same files as this program: name its tree and store")
        })
    }
}

/// A directory in which is tried what a file system can hold.
const PROBE: &str = "io.nodeagent.probe";

/// The store's directories, kept open.
#[derive(Debug)]
pub(super) struct Rooms {
    /// The store itself.
    pub(super) store: Folder,
    /// Blobs, by their digits.
    pub(super) blobs: Folder,
    /// The snapshotter's directory; none where layers are unpacked by the daemon.
    pub(super) snapshots: Option<Folder>,
}

impl Rooms {
    /// Opens them, and insists on the daemon's store being the one that is meant.
    pub(super) fn open(place: &Place, facts: &Facts) -> Result<Self> {
        let store = place.folder()?;
        let above = facts.content.parent().unwrap_or(Path::new("/"));
        let daemons = place.must(&text(above)?)?;
        let doing = || format!("look at the store {}", place.store());
        if daemons.identity().context(doing)? != store.identity().context(doing)? {
            return Err(Error::usage(format!(
                "fill the store {}: the daemon keeps its own at {}",
                place.store(),
                above.display()
            )));
        }
        // A daemon that was never given a blob has not made its directory yet.
        let name = facts.content.file_name().unwrap_or_default();
        let blobs = daemons
            .make(&name.to_string_lossy(), 0o755)
            .and_then(|content| content.make("blobs", 0o755))
            .and_then(|blobs| blobs.make("sha256", 0o755))
            .context(doing)?;
        let snapshots = match &facts.overlayfs {
            Some(path) => Self::snapshots(place, &text(path)?, &store)?,
            None => None,
        };
        Ok(Self {
            store,
            blobs,
            snapshots,
        })
    }

    /// The snapshotter's directory, if trees can be moved there.
    fn snapshots(place: &Place, path: &str, store: &Folder) -> Result<Option<Folder>> {
        let Some(folder) = place.tree().folder(path)? else {
            return Ok(None);
        };
        let doing = || format!("look at {path}");
        let (here, there) = (store.identity(), folder.identity());
        Ok((here.context(doing)?.0 == there.context(doing)?.0).then_some(folder))
    }

    /// Refuses a file system on which layers would lose what they remove.
    pub(super) fn carries(&self) -> Result<()> {
        if self.snapshots.is_none() {
            return Ok(());
        }
        let tried = || {
            self.store.remove(PROBE)?;
            let done = super::layer::carries(self.store.make(PROBE, 0o700)?.as_fd());
            self.store.remove(PROBE)?;
            done
        };
        tried().map_err(|error| {
            let doing = "use the store's file system for layers of overlayfs";
            Error::refused(doing)
                .because(error)
                .hint("mount another one there, such as ext4, xfs or a tmpfs")
        })
    }

    /// Waits until everything that was written to the store is on the disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.store.sync_all()?;
        match self.blobs.identity()?.0 == self.store.identity()?.0 {
            true => Ok(()),
            false => self.blobs.sync_all(),
        }
    }

    /// The size of a blob's file in bytes; none where there is no file.
    pub(super) fn size(&self, digest: &Digest) -> Result<Option<u64>> {
        let size = self.blobs.size(digest.hex());
        size.context(|| format!("look at the blob {digest}"))
    }

    /// The bytes of a document; none where there is no file, or one larger than the limit.
    pub(super) fn document(&self, digest: &Digest, limit: u64) -> Result<Option<Vec<u8>>> {
        let doing = || format!("read the blob {digest}");
        let Some(file) = self.blobs.reader(digest.hex()).context(doing)? else {
            return Ok(None);
        };
        if file.size > limit {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        io::Read::read_to_end(&mut io::Read::take(file, limit), &mut bytes).context(doing)?;
        Ok(Some(bytes))
    }
}

/// A path as text: what is not UTF-8 is none of a daemon's.
fn text(path: &Path) -> Result<String> {
    path.to_str()
        .map(str::to_owned)
        .ok_or_else(|| Error::host(format!("use the daemon's path {}", path.display())))
}
