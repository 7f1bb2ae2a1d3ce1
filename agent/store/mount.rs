//! Trees and the snapshots that they become: found by a daemon's mounts, moved in whole, or exchanged.
//! It is separate because it is the one place that knows how the overlayfs snapshotter lays out its files.

use std::os::fd::{AsFd as _, OwnedFd};

use super::layer::settle_parents;
use super::place::Place;
use super::registrar::failed;
use super::staging::Staging;
use super::work::Tree;
use crate::error::{Error, Result};
use crate::host::containerd::{Containerd, Labels, Mount, Prepared};
use crate::host::failure::Failure;
use crate::host::oci::Digest;
use crate::host::root::Folder;

/// Begins the key of a snapshot that is made to see where others lie.
const LOOK: &str = "nodeagent-look ";

/// Where the files of a snapshot that is being made lie, and those below it, as the daemon sees them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    /// Its own directory.
    pub(super) upper: String,
    /// Directories below, the nearest first.
    pub(super) lowers: Vec<String>,
}

/// Reads the mounts of a snapshot that is being made; none where they are of another kind than overlayfs has.
pub(super) fn layout(mounts: &[Mount]) -> Option<Layout> {
    let [mount] = mounts else {
        return None;
    };
    let option = |key: &str| {
        mount
            .options
            .iter()
            .find_map(|option| option.strip_prefix(key))
    };
    match mount.kind.as_str() {
        "bind" => Some(Layout {
            upper: mount.source.clone(),
            lowers: Vec::new(),
        }),
        // A backslash hides a colon that belongs to a name.
        "overlay" if !mount.options.iter().any(|option| option.contains('\\')) => Some(Layout {
            upper: option("upperdir=")?.to_owned(),
            lowers: option("lowerdir=")?.split(':').map(str::to_owned).collect(),
        }),
        _ => None,
    }
}

/// What trees are moved with.
pub(super) struct Workshop<'w> {
    pub(super) containerd: &'w dyn Containerd,
    pub(super) place: &'w Place,
    pub(super) staging: &'w Staging,
}

impl Workshop<'_> {
    /// Moves a tree in the place of a new snapshot's empty directory.
    pub(super) fn move_in(&self, tree: &Tree, mounts: &[Mount]) -> Result<(), Failure> {
        let layout = layout(mounts).ok_or_else(|| unknown(mounts))?;
        let (holder, name) = self.holder(&layout.upper)?;
        let own = self.settled(tree, &layout.lowers)?;
        let doing = || format!("move a layer's files to {}", layout.upper);
        let io = |error| Failure::of_io(error, doing());
        let empty = holder.sub(&name).map_err(io)?;
        let empty =
            empty.ok_or_else(|| failed(Error::host(doing()).because("it does not exist")))?;
        own.be_like(&empty).map_err(io)?;
        drop(empty);
        self.staging
            .trees
            .rename(&tree.name, &holder, &name)
            .map_err(io)
    }

    /// Puts a tree in the place of a committed snapshot's directory, whose files are wrong.
    pub(super) fn mend(&self, chain: &Digest, tree: &Tree) -> Result<(), Failure> {
        let directories = directories(self.containerd, chain)?;
        let Some((upper, lowers)) = directories.split_first() else {
            return Err(failed(Error::host(format!(
                "find the files of the snapshot {chain}"
            ))));
        };
        let (holder, name) = self.holder(upper)?;
        let own = self.settled(tree, lowers)?;
        let doing = || format!("exchange the files at {upper}");
        let io = |error| Failure::of_io(error, doing());
        match holder.sub(&name).map_err(io)? {
            None => self
                .staging
                .trees
                .rename(&tree.name, &holder, &name)
                .map_err(io),
            Some(wrong) => {
                own.be_like(&wrong).map_err(io)?;
                let trees = &self.staging.trees;
                trees.exchange(&tree.name, &holder, &name).map_err(io)?;
                trees.remove(&tree.name).map_err(io)
            }
        }
    }

    /// The directory that holds a path of the daemon's, and the last part of it.
    fn holder(&self, path: &str) -> Result<(Folder, String), Failure> {
        let Some((above, name)) = path.rsplit_once('/') else {
            return Err(failed(Error::host(format!(
                "use the snapshot's path {path}"
            ))));
        };
        let holder = self.place.must(above).map_err(failed)?;
        Ok((holder, name.to_owned()))
    }

    /// The tree, with the directories that no entry made settled from those below.
    fn settled(&self, tree: &Tree, lowers: &[String]) -> Result<Folder, Failure> {
        let doing = || "settle a layer's files".to_owned();
        let io = |error| Failure::of_io(error, doing());
        let own = self.staging.trees.sub(&tree.name).map_err(io)?;
        let own = own.ok_or_else(|| failed(Error::host(doing())))?;
        if !tree.written.implicit.is_empty() {
            let lowers: Result<Vec<OwnedFd>, Failure> = (lowers.iter())
                .map(|path| {
                    let lower = self.place.must(path).map_err(failed)?;
                    lower.descriptor().map_err(io)
                })
                .collect();
            settle_parents(own.as_fd(), &tree.written, &lowers?)?;
        }
        Ok(own)
    }
}

/// The directories of a committed snapshot and those below it, the nearest first, as the daemon sees them.
pub(super) fn directories(
    containerd: &dyn Containerd,
    chain: &Digest,
) -> Result<Vec<String>, Failure> {
    let key = format!("{LOOK}{chain}");
    let none = Labels::new();
    let prepared = containerd.prepare(&key, Some(chain.as_str()), &none);
    let layout = match prepared.map_err(failed)? {
        Prepared::New(mounts) => layout(&mounts).ok_or_else(|| unknown(&mounts)),
        Prepared::Exists => Err(failed(Error::host(format!("look at the snapshot {chain}")))),
    };
    containerd.remove_snapshot(&key).map_err(failed)?;
    Ok(layout?.lowers)
}

fn unknown(mounts: &[Mount]) -> Failure {
    let kinds: Vec<&str> = mounts.iter().map(|mount| mount.kind.as_str()).collect();
    failed(Error::host(format!(
        "use a snapshot with the mounts {kinds:?}"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(kind: &str, options: &[&str]) -> Mount {
        Mount {
            kind: kind.to_owned(),
            source: "/s/1/fs".to_owned(),
            options: options.iter().map(|option| (*option).to_owned()).collect(),
        }
    }

    #[test]
    fn both_kinds_of_mounts_are_read_and_no_other() {
        let bind = layout(&[mount("bind", &["rw", "rbind"])]).unwrap();
        assert_eq!((bind.upper.as_str(), bind.lowers.len()), ("/s/1/fs", 0));
        let options = [
            "index=off",
            "workdir=/s/3/work",
            "upperdir=/s/3/fs",
            "lowerdir=/s/2/fs:/s/1/fs",
        ];
        let overlay = layout(&[mount("overlay", &options)]).unwrap();
        assert_eq!(overlay.upper, "/s/3/fs");
        assert_eq!(overlay.lowers, ["/s/2/fs", "/s/1/fs"]);
        assert_eq!(layout(&[mount("erofs", &options)]), None);
        assert_eq!(
            layout(&[mount("overlay", &["upperdir=/a\\:b", "lowerdir=/c"])]),
            None
        );
        assert_eq!(layout(&[]), None);
    }
}
