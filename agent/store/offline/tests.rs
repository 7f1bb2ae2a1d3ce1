//! The records of a store as a database made by hand has them, and stores that cannot be read.
//! Separate because the real databases of three containerds are read in the store tier.

use std::path::Path;

use super::super::bolt::made::{Pair, database, inline, leaf};
use super::{Blobs, read};
use crate::error::Result;
use crate::host::containerd::SnapshotKind;
use crate::host::oci::Digest;
use crate::store::{Inventory, Judged as _, Place};

/// Values and buckets by their keys.
fn field<'a>(key: &'a str, value: &[u8]) -> Pair<'a> {
    (key, value.to_vec(), false)
}

fn bucket<'a>(key: &'a str, pairs: &[Pair<'_>]) -> Pair<'a> {
    (key, inline(pairs), true)
}

fn records(digest: &str) -> Vec<u8> {
    let target = [
        field("digest", digest.as_bytes()),
        field("mediatype", b"m"),
        field("size", &[4]),
    ];
    let labels = bucket("labels", &[field("k", b"v")]);
    let image = [labels.clone(), bucket("target", &target)];
    let gone = [field("name", b"k8s.io/9/gone")];
    let top = [
        labels.clone(),
        field("name", b"k8s.io/2/top"),
        field("parent", b"base"),
    ];
    let own = [
        bucket(
            "content",
            &[
                bucket("blob", &[bucket(digest, &[labels, field("size", &[6])])]),
                bucket(
                    "ingests",
                    &[
                        bucket("begun", &[field("ref", b"k8s.io/1/begun")]),
                        bucket("gone", &[field("ref", b"k8s.io/2/gone")]),
                    ],
                ),
            ],
        ),
        bucket("images", &[bucket("r.example/a:1", &image)]),
        bucket("leases", &[bucket("mine", &[])]),
        bucket(
            "snapshots",
            &[bucket(
                "overlayfs",
                &[bucket("gone", &gone), bucket("top", &top)],
            )],
        ),
    ];
    database(&[leaf(3, &[bucket("v1", &[bucket("k8s.io", &own)])])])
}

fn backend() -> Vec<u8> {
    let top = [
        field("id", &[0xac, 0x02]),
        field("kind", &[3]),
        bucket("labels", &[field("a", b"b"), field("k", b"older")]),
    ];
    let all = [bucket("k8s.io/2/top", &top)];
    database(&[leaf(3, &[bucket("v1", &[bucket("snapshots", &all)])])])
}

struct Store(tempfile::TempDir);

impl Store {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn put(&self, path: &str, bytes: &[u8]) {
        let path = self.0.path().join("s").join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    fn place(&self) -> Place {
        Place::open(self.0.path(), Path::new("/s")).unwrap()
    }

    fn read(&self, namespace: &str) -> Result<Inventory> {
        read(&self.place(), namespace)
    }
}

#[test]
fn a_store_is_read_as_containerd_would_list_it() {
    let store = Store::new();
    assert_eq!(store.read("k8s.io").unwrap(), Inventory::default());
    let digest = Digest::of(b"x");
    store.put(super::RECORDS, &records(digest.as_str()));
    let found = store.read("k8s.io").unwrap();
    assert!(found.snapshots.is_empty(), "there is no snapshotter's file");
    store.put(&format!("{}/metadata.db", super::OVERLAYFS), &backend());
    let begun = super::values::hashed("k8s.io/1/begun");
    store.put(&format!("{}/ingest/{begun}/data", super::CONTENT), b"");

    let found = store.read("k8s.io").unwrap();
    let image = &found.images[0];
    assert_eq!(
        (image.name.as_str(), image.target.size),
        ("r.example/a:1", 2)
    );
    assert_eq!(
        (&image.target.digest, image.labels["k"].as_str()),
        (&digest, "v")
    );
    assert_eq!(
        (&found.content[0].digest, found.content[0].size),
        (&digest, 3)
    );
    assert_eq!(found.leases, ["mine"]);
    assert_eq!(found.ingests, ["begun"], "the other has no files");
    let [top] = found.snapshots.as_slice() else {
        panic!("one is recorded only: {:?}", found.snapshots);
    };
    assert_eq!(
        (top.name.as_str(), top.parent.as_deref()),
        ("top", Some("base"))
    );
    assert_eq!(top.kind, SnapshotKind::Committed);
    assert_eq!(
        (top.labels["a"].as_str(), top.labels["k"].as_str()),
        ("b", "v")
    );
    let dir = Path::new("io.containerd.snapshotter.v1.overlayfs/snapshots/300/fs");
    assert_eq!(found.directories["top"], dir);
    assert_eq!(store.read("default").unwrap(), Inventory::default());
}

#[test]
fn what_cannot_be_read_is_named() {
    let store = Store::new();
    let digest = Digest::of(b"x");
    let table: [(Vec<u8>, &str); 3] = [
        (Vec::new(), "neither of its two meta pages"),
        (records("sha256:../../etc"), "no SHA-256 digest"),
        (database(&[leaf(3, &[field("v1", b"")])]), "is a value"),
    ];
    for (bytes, want) in table {
        store.put(super::RECORDS, &bytes);
        let error = store.read("k8s.io").unwrap_err();
        let said = error.one_line();
        assert!(said.contains(want) && said.contains("meta.db"), "{said}");
        assert!(error.next_step().is_some());
    }
    store.put(super::RECORDS, &records(digest.as_str()));
    let path = store.0.path().join("s").join(super::RECORDS);
    let file = std::fs::File::open(path).unwrap();
    let held = nix::fcntl::Flock::lock(file, nix::fcntl::FlockArg::LockExclusiveNonblock).unwrap();
    let error = store.read("k8s.io").unwrap_err();
    assert!(
        error.one_line().contains("a containerd is running"),
        "{error}"
    );
    assert!(error.next_step().unwrap().contains("--address"));
    drop(held);
    store.read("k8s.io").unwrap();
}

#[test]
fn a_blob_is_what_its_file_is() {
    let store = Store::new();
    let [whole, torn, other] = [b"whole", b"torn!", b"other"].map(|bytes| Digest::of(bytes));
    let path = |digest: &Digest| format!("{}/blobs/sha256/{}", super::CONTENT, digest.hex());
    store.put(&path(&whole), b"whole");
    store.put(&path(&torn), b"");
    let place = store.place();
    let mut blobs = Blobs::new(&place);
    assert_eq!(blobs.document(&whole).unwrap().unwrap(), b"whole");
    assert_eq!(blobs.document(&torn).unwrap().unwrap(), b"");
    assert!(blobs.document(&other).unwrap().is_none());
    assert_eq!(blobs.size(&whole).unwrap(), Some(5));
    assert_eq!(blobs.size(&torn).unwrap(), Some(0));
    assert_eq!(blobs.size(&other).unwrap(), None);
}
