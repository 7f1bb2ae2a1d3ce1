//! What the containerd in memory has recorded, and how it collects what nothing refers to.
//! Separate because the rules of the collection are containerd's own (docs/garbage-collection.md), not a test's.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::fake::Fake;
use nodeagent::host::containerd::{Content, Image, Mount, Snapshot, SnapshotKind};
use nodeagent::host::oci::Digest;

#[derive(Debug, Clone)]
pub(super) struct Held {
    pub(super) snapshot: Snapshot,
    pub(super) directory: PathBuf,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Records {
    pub(super) images: BTreeMap<String, Image>,
    pub(super) content: BTreeMap<Digest, Content>,
    pub(super) snapshots: BTreeMap<String, Held>,
    pub(super) leases: BTreeMap<String, BTreeSet<String>>,
    pub(super) ingests: BTreeSet<String>,
    pub(super) current: Option<String>,
    pub(super) next: u32,
}

impl Records {
    pub(super) fn hold(&mut self, what: String) {
        if let Some(lease) = self.current.clone()
            && let Some(held) = self.leases.get_mut(&lease)
        {
            held.insert(what);
        }
    }

    /// Deletes what neither an image nor a lease refers to, as containerd's collection does.
    pub(super) fn collect(&mut self, blob: impl Fn(&Digest) -> PathBuf) {
        let mut roots: Vec<String> = self.leases.values().flatten().cloned().collect();
        roots.extend(
            self.images
                .values()
                .map(|image| image.target.digest.to_string()),
        );
        let mut live = BTreeSet::new();
        while let Some(next) = roots.pop() {
            if !live.insert(next.clone()) {
                continue;
            }
            if let Some(content) = Digest::parse(&next).ok().and_then(|d| self.content.get(&d)) {
                for (key, value) in &content.labels {
                    if key.starts_with("containerd.io/gc.ref.content.") {
                        roots.push(value.clone());
                    }
                    if key == "containerd.io/gc.ref.snapshot.overlayfs" {
                        roots.push(format!("snapshot {value}"));
                    }
                }
            }
            if let Some(name) = next.strip_prefix("snapshot ")
                && let Some(held) = self.snapshots.get(name)
            {
                roots.extend(held.snapshot.parent.iter().map(|p| format!("snapshot {p}")));
            }
        }
        self.content.retain(|digest, _| {
            let keep = live.contains(digest.as_str());
            if !keep {
                std::fs::remove_file(blob(digest)).ok();
            }
            keep
        });
        self.snapshots.retain(|name, held| {
            let keep = live.contains(&format!("snapshot {name}"));
            if !keep {
                std::fs::remove_dir_all(held.directory.parent().unwrap()).ok();
            }
            keep
        });
    }

    pub(super) fn mounts(&self, held: &Held) -> Vec<Mount> {
        let mut lowers = Vec::new();
        let mut below = held.snapshot.parent.clone();
        while let Some(name) = below.take() {
            let parent = &self.snapshots[&name];
            lowers.push(parent.directory.display().to_string());
            below.clone_from(&parent.snapshot.parent);
        }
        let upper = held.directory.display().to_string();
        let (kind, options) = if lowers.is_empty() {
            ("bind", vec!["rw".to_owned(), "rbind".to_owned()])
        } else {
            let lower = format!("lowerdir={}", lowers.join(":"));
            ("overlay", vec![format!("upperdir={upper}"), lower])
        };
        vec![Mount {
            kind: kind.to_owned(),
            source: upper,
            options,
        }]
    }
}

impl Fake {
    /// Directories of all committed snapshots.
    pub(crate) fn directories(&self) -> BTreeMap<String, PathBuf> {
        let records = self.records.borrow();
        let all = records.snapshots.iter();
        all.filter(|(_, held)| held.snapshot.kind == SnapshotKind::Committed)
            .map(|(name, held)| (name.clone(), held.directory.clone()))
            .collect()
    }

    /// Changes what is recorded of a blob.
    pub(crate) fn change(&self, digest: &Digest, change: impl FnOnce(&mut Content)) {
        change(self.records.borrow_mut().content.get_mut(digest).unwrap());
    }

    /// Changes a record.
    pub(crate) fn change_image(&self, name: &str, change: impl FnOnce(&mut Image)) {
        change(self.records.borrow_mut().images.get_mut(name).unwrap());
    }

    /// Changes what is recorded of a snapshot.
    pub(crate) fn change_snapshot(&self, name: &str, change: impl FnOnce(&mut Snapshot)) {
        let mut records = self.records.borrow_mut();
        change(&mut records.snapshots.get_mut(name).unwrap().snapshot);
    }

    /// Begins a write that nobody ends.
    pub(crate) fn begin(&self, name: &str) {
        self.records.borrow_mut().ingests.insert(name.to_owned());
    }

    /// Forgets a snapshot at once, as a bad daemon would.
    pub(crate) fn lose_snapshot(&self, name: &str) {
        self.records.borrow_mut().snapshots.remove(name).unwrap();
    }
}
