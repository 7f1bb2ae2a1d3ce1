//! A containerd in memory, on real directories: it keeps records, collects what nothing refers to, and fails when told.
//! Separate because no real daemon can be made to fail at a certain call, before or after it did what was asked.

use std::cell::{Cell, RefCell};
use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};

use super::records::{Held, Records};
use nodeagent::error::{Error, Result};
use nodeagent::host::containerd::{
    Containerd, Content, Facts, Image, Labels, Mount, Prepared, Snapshot, SnapshotKind, Snapshotter,
};
use nodeagent::host::oci::{Descriptor, Digest};
use nodeagent::host::root::sha256;
use nodeagent::store::inflate::inflate;

/// The daemon.
pub(crate) struct Fake {
    pub(crate) store: PathBuf,
    pub(crate) shares: bool,
    /// The call that fails, counted from 1; 0 for none.
    pub(crate) fails_at: Cell<usize>,
    /// It fails after it did what was asked.
    pub(crate) afterwards: bool,
    /// The call that is answered as if it were done, and is not.
    pub(crate) forgets: Cell<&'static str>,
    pub(crate) calls: Cell<usize>,
    /// Names of the calls that write bytes.
    pub(crate) sent: Cell<usize>,
    pub(super) records: RefCell<Records>,
    snapshotter: Snapshotter,
}

impl Fake {
    pub(crate) fn new(store: &Path) -> Self {
        for dir in [
            "io.containerd.content.v1.content",
            "io.containerd.snapshotter.v1.overlayfs/snapshots",
        ] {
            std::fs::create_dir_all(store.join(dir)).unwrap();
        }
        Self {
            store: store.to_owned(),
            shares: true,
            fails_at: Cell::new(0),
            afterwards: false,
            forgets: Cell::new(""),
            calls: Cell::new(0),
            sent: Cell::new(0),
            records: RefCell::default(),
            snapshotter: Snapshotter::default(),
        }
    }

    fn call<T>(&self, doing: &str, act: impl FnOnce(&mut Records) -> Result<T>) -> Result<T> {
        self.calls.set(self.calls.get() + 1);
        let fails = self.calls.get() == self.fails_at.get();
        let broken = || Err(Error::host(format!("{doing}: the daemon is told to fail")));
        if fails && !self.afterwards {
            return broken();
        }
        if self.forgets.get() == doing {
            return act(&mut self.records.borrow().clone());
        }
        let done = act(&mut self.records.borrow_mut())?;
        if fails { broken() } else { Ok(done) }
    }

    pub(crate) fn blob(&self, digest: &Digest) -> PathBuf {
        let blobs = "io.containerd.content.v1.content/blobs/sha256";
        self.store.join(blobs).join(digest.hex())
    }
}

impl Containerd for Fake {
    fn facts(&self) -> Result<Facts> {
        self.call("facts", |_| {
            Ok(Facts {
                version: "fake".to_owned(),
                content: self.store.join("io.containerd.content.v1.content"),
                snapshots: true,
                overlayfs: Some(self.store.join("io.containerd.snapshotter.v1.overlayfs")),
                shares_content: self.shares,
            })
        })
    }

    fn snapshotter(&self) -> &Snapshotter {
        &self.snapshotter
    }
    fn make_namespace(&self) -> Result<()> {
        self.call("make the namespace", |_| Ok(()))
    }

    fn lease(&mut self, id: &str, _: u64) -> Result<()> {
        self.call("lease", |records| {
            records.leases.entry(id.to_owned()).or_default();
            records.current = Some(id.to_owned());
            Ok(())
        })
    }

    fn end_lease(&mut self, id: &str) -> Result<()> {
        self.call("end the lease", |records| {
            records.leases.remove(id);
            records.collect(|digest| self.blob(digest));
            Ok(())
        })
    }

    fn leases(&self) -> Result<Vec<String>> {
        self.call("list leases", |records| {
            Ok(records.leases.keys().cloned().collect())
        })
    }

    fn adopt(&self, blob: &Descriptor, labels: &Labels) -> Result<()> {
        self.call("adopt", |records| {
            let meta = std::fs::metadata(self.blob(&blob.digest));
            let size = meta
                .map_err(|error| Error::host("adopt").because(error))?
                .len();
            assert_eq!(size, blob.size);
            let content = records
                .content
                .entry(blob.digest.clone())
                .or_insert(Content {
                    digest: blob.digest.clone(),
                    size,
                    labels: Labels::new(),
                });
            content.labels.extend(labels.clone());
            records.hold(blob.digest.to_string());
            Ok(())
        })
    }

    fn send(&self, blob: &Descriptor, labels: &Labels, from: &mut dyn Read) -> Result<()> {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).unwrap();
        assert_eq!(Digest::of(&bytes), blob.digest);
        self.sent.set(self.sent.get() + 1);
        self.call("send", |records| {
            let path = self.blob(&blob.digest);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            let mut file = std::fs::File::create(path).unwrap();
            file.write_all(&bytes).unwrap();
            let content = Content {
                digest: blob.digest.clone(),
                size: blob.size,
                labels: labels.clone(),
            };
            records.content.insert(blob.digest.clone(), content);
            records.hold(blob.digest.to_string());
            Ok(())
        })
    }

    fn content(&self) -> Result<Vec<Content>> {
        self.call("list content", |records| {
            Ok(records.content.values().cloned().collect())
        })
    }

    fn label_content(&self, digest: &Digest, labels: &Labels) -> Result<()> {
        self.call("label", |records| {
            let content = records.content.get_mut(digest);
            content.expect("recorded").labels.extend(labels.clone());
            Ok(())
        })
    }

    fn forget_content(&self, digest: &Digest) -> Result<()> {
        self.call("forget", |records| {
            records.content.remove(digest);
            Ok(())
        })
    }

    fn read(&self, digest: &Digest, _: u64) -> Result<Vec<u8>> {
        self.call("read", |_| Ok(std::fs::read(self.blob(digest)).unwrap()))
    }

    fn ingests(&self) -> Result<Vec<String>> {
        self.call("list ingests", |records| {
            Ok(records.ingests.iter().cloned().collect())
        })
    }

    fn abort(&self, name: &str) -> Result<()> {
        self.call("abort", |records| {
            records.ingests.remove(name);
            Ok(())
        })
    }

    fn prepare(&self, key: &str, parent: Option<&str>, labels: &Labels) -> Result<Prepared> {
        self.call("prepare", |records| {
            let becomes = labels.get("containerd.io/snapshot.ref");
            let there = |name: &str| records.snapshots.contains_key(name);
            if there(key) || becomes.is_some_and(|name| there(name)) {
                return Ok(Prepared::Exists);
            }
            assert!(parent.is_none_or(there), "no parent {parent:?}");
            records.next += 1;
            let snapshots = "io.containerd.snapshotter.v1.overlayfs/snapshots";
            let directory = self
                .store
                .join(snapshots)
                .join(records.next.to_string())
                .join("fs");
            std::fs::create_dir_all(&directory).unwrap();
            let held = Held {
                snapshot: Snapshot {
                    name: key.to_owned(),
                    parent: parent.map(str::to_owned),
                    kind: SnapshotKind::Active,
                    labels: labels.clone(),
                },
                directory,
            };
            let mounts = records.mounts(&held);
            records.snapshots.insert(key.to_owned(), held);
            records.hold(format!("snapshot {key}"));
            Ok(Prepared::New(mounts))
        })
    }

    fn commit(&self, name: &str, key: &str, _: &Labels) -> Result<()> {
        self.call("commit", |records| {
            let mut held = records.snapshots.remove(key).expect("prepared");
            name.clone_into(&mut held.snapshot.name);
            held.snapshot.kind = SnapshotKind::Committed;
            records.snapshots.insert(name.to_owned(), held);
            records.hold(format!("snapshot {name}"));
            Ok(())
        })
    }

    fn remove_snapshot(&self, name: &str) -> Result<()> {
        self.call("remove a snapshot", |records| {
            records.snapshots.remove(name);
            Ok(())
        })
    }

    fn snapshots(&self) -> Result<Vec<Snapshot>> {
        self.call("list snapshots", |records| {
            Ok(records
                .snapshots
                .values()
                .map(|held| held.snapshot.clone())
                .collect())
        })
    }

    fn unpack(&self, layer: &Descriptor, mounts: &[Mount]) -> Result<Digest> {
        self.call("unpack", |_| {
            let option = |o: &String| o.strip_prefix("upperdir=").map(str::to_owned);
            let upper = mounts[0].options.iter().find_map(option);
            let file = std::fs::File::open(self.blob(&layer.digest)).unwrap();
            let mut bytes = Vec::new();
            inflate(Box::new(file))
                .unwrap()
                .read_to_end(&mut bytes)
                .unwrap();
            let mark = PathBuf::from(upper.unwrap_or(mounts[0].source.clone())).join("unpacked");
            std::fs::write(&mark, layer.digest.as_str()).unwrap();
            // Trees are compared with their times.
            let time = std::time::UNIX_EPOCH;
            std::fs::File::open(mark)
                .unwrap()
                .set_modified(time)
                .unwrap();
            Digest::parse(&format!("sha256:{}", sha256(&bytes)))
        })
    }

    fn images(&self) -> Result<Vec<Image>> {
        self.call("list images", |records| {
            Ok(records.images.values().cloned().collect())
        })
    }

    fn put_image(&self, image: &Image) -> Result<()> {
        self.call("put an image", |records| {
            records.images.insert(image.name.clone(), image.clone());
            Ok(())
        })
    }

    fn remove_image(&self, name: &str) -> Result<()> {
        self.call("remove an image", |records| {
            records.images.remove(name);
            records.collect(|digest| self.blob(digest));
            Ok(())
        })
    }
}
