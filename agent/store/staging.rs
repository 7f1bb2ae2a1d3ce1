//! The directory in which blobs and trees become whole before they are moved into the store.
//! It is separate because what lies in it decides what is trusted after an interruption.
//!
//! It bears the kernel's boot id. After a mere kill the kernel still writes everything that was written: what is
//! recorded under the lease and what lies here whole is used again. After a crash of the machine nothing is that no
//! image refers to, for its bytes may be lost while the record is there.

use std::io::{self, Read as _, Write as _};
use std::os::fd::AsFd as _;

use super::layer::carry_label;
use super::place::Rooms;
use crate::error::{Context as _, Result};
use crate::host::Root;
use crate::host::root::Folder;

/// Its name in the store.
pub(super) const NAME: &str = "io.nodeagent.staging";

/// The file with the boot id.
const MARK: &str = "boot";

/// Mode of a blob in the store, as containerd gives it.
pub(super) const BLOB: u32 = 0o444;

/// Blobs, under names of their own until they are whole.
#[derive(Debug)]
pub(super) struct Staging {
    /// Blobs by their digits, whole and checked; `….N` while they are written.
    pub(super) blobs: Folder,
    /// Trees of layers, by number.
    pub(super) trees: Folder,
}

/// What an earlier fill left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    /// Nothing.
    Nothing,
    /// It was killed; the machine went on.
    Killed,
    /// The machine went down meanwhile, or nobody can tell.
    Crashed,
}

/// What lies there, `leased` if a lease of an earlier fill does.
pub(super) fn left(rooms: &Rooms, boot: &str, leased: bool) -> Result<Left> {
    let doing = || format!("look at what an earlier fill left in {NAME}");
    let Some(folder) = rooms.store.sub(NAME).context(doing)? else {
        return Ok(match leased {
            true => Left::Crashed,
            false => Left::Nothing,
        });
    };
    let Some(mark) = folder.reader(MARK).context(doing)? else {
        return Ok(Left::Crashed);
    };
    let mut text = String::new();
    mark.take(256).read_to_string(&mut text).context(doing)?;
    let same = !boot.is_empty() && text.trim() == boot;
    Ok(if same { Left::Killed } else { Left::Crashed })
}

/// The kernel's boot id; empty where it cannot be had, which is equal to none.
pub(super) fn boot_id() -> String {
    let read = Root::open(std::path::Path::new("/"))
        .and_then(|root| root.read_text("/proc/sys/kernel/random/boot_id"));
    match read {
        Ok(Some(text)) => text.trim().to_owned(),
        _ => String::new(),
    }
}

impl Staging {
    /// Makes it, or goes on with what a killed fill left: whole blobs are kept, trees are not.
    pub(super) fn begin(rooms: &Rooms, boot: &str, left: Left) -> Result<Self> {
        let doing = || format!("make {NAME} in the store");
        if left == Left::Crashed {
            rooms.store.remove(NAME).context(doing)?;
        }
        let folder = rooms.store.make(NAME, 0o700).context(doing)?;
        folder.remove("trees").context(doing)?;
        let staging = Self {
            blobs: folder.make("blobs", 0o700).context(doing)?,
            trees: folder.make("trees", 0o700).context(doing)?,
        };
        staging.unfinished().context(doing)?;
        if let Some(snapshotter) = &rooms.snapshots
            && let Some(from) = snapshotter.sub("snapshots").context(doing)?
        {
            carry_label(from.as_fd(), staging.trees.as_fd())?;
        }
        let mut mark = folder.create(MARK).context(doing)?;
        mark.write_all(boot.as_bytes()).context(doing)?;
        mark.finish(0o600).context(doing)?;
        Ok(staging)
    }

    /// Removes what was being written.
    fn unfinished(&self) -> io::Result<()> {
        for name in self.blobs.names()? {
            if name.to_string_lossy().contains('.') {
                self.blobs.remove(&name)?;
            }
        }
        Ok(())
    }

    /// Removes it.
    pub(super) fn end(rooms: &Rooms) -> Result<()> {
        let gone = rooms.store.remove(NAME);
        gone.context(|| format!("remove {NAME} from the store"))
    }
}
