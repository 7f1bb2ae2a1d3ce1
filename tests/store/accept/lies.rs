//! A registry that lies to a whole pull into a real containerd: the right class, nothing registered, and the next pull
//! fetches what is missing and no more.
//! It is separate because each lie is a row of its own, and all of them are told in one pull.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::keep::{blobs, chain, firsts, parts, same, snapshots};
use super::{daemon, pull};
use crate::support::generations::{Daemon, Generation};
use crate::support::images::small::tiny;
use crate::support::images::{Blob, Dialect, Entry, Image, Layer, Packing};
use crate::support::lying::{Lie, Lying};
use crate::support::machine::run::Done;

/// Bytes of a layer, more than a crawling registry sends before it is given up.
const SIZE: usize = 200_000;

/// Bytes that no packing makes fewer.
fn noise(seed: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ (seed as u64);
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    (0..SIZE / 8).flat_map(|_| next()).collect()
}

/// The layer that all images have.
fn base() -> Layer {
    Layer::new(
        Packing::Gzip,
        &[Entry::dir("etc/"), Entry::file("etc/base", b"of all")],
    )
}

/// An image of the layer that all have and one of its own.
fn image(name: &str, seed: usize) -> Image {
    let own = Layer::new(Packing::Gzip, &[Entry::file("own", &noise(seed))]);
    Image::single(&format!("k8s/{name}:1"), Dialect::Oci, &[base(), own])
}

/// Lies about the layer of an image's own, with the class that each ends in and a word of what is told.
fn lies() -> Vec<(&'static str, Lie, &'static str, &'static str)> {
    let busy = vec![("Retry-After", "0".to_owned())];
    let circle = Lie::Redirect("?again".to_owned());
    vec![
        ("truncated", Lie::Truncate(1000), "network", "2 tries"),
        ("bytes", Lie::Corrupt, "digest", "wanted sha256:"),
        ("short", Lie::Resize(SIZE / 2), "digest", "bytes"),
        ("long", Lie::Resize(SIZE * 2), "digest", "bytes"),
        ("more", Lie::Excess(vec![1]), "digest", "more than"),
        ("broken", Lie::Status(500, vec![]), "registry", "HTTP 500"),
        ("busy", Lie::Status(429, busy), "registry", "HTTP 429"),
        ("circle", circle, "registry", "in a circle"),
        (
            "loris",
            Lie::Drip(Duration::from_millis(20)),
            "timeout",
            "bytes a second",
        ),
        ("silent", Lie::Silence, "timeout", "no answer"),
    ]
}

/// A registry with one good image and those that it lies about, and a store to fill from it.
struct Stage {
    generation: Generation,
    dir: TempDir,
    registry: Lying,
    good: Image,
    bad: BTreeMap<&'static str, Image>,
}

impl Stage {
    fn new(generation: Generation, names: impl IntoIterator<Item = &'static str>) -> Self {
        let registry = Lying::start();
        let good = image("good", 0);
        let bad = names.into_iter().enumerate();
        let bad: BTreeMap<_, _> = bad.map(|(at, name)| (name, image(name, at + 1))).collect();
        for image in bad.values().chain([&good]) {
            registry.hold(image);
        }
        let dir = tempfile::tempdir().unwrap();
        Self {
            generation,
            dir,
            registry,
            good,
            bad,
        }
    }

    /// The part of addresses by which an image's own layer is asked for.
    fn own(&self, name: &str) -> String {
        let layer = &self.bad[name].variants[0].layers[1];
        format!("k8s/{name}/blobs/{}", layer.blob.digest)
    }

    fn pull(&self, more: &[&Image]) -> (Done, Value) {
        let all = self.bad.values().chain([&self.good]);
        let all = all.chain(more.iter().copied());
        let host = self.registry.host();
        let list: String = all.map(|image| image.pinned(&host) + "\n").collect();
        let flags = ["--json", "--timeout", "3", "--retries", "1", "--plain-http"];
        let flags = [&flags[..], &[&host]].concat();
        let done = pull(self.generation, &self.store(), &list, &flags);
        let page = serde_json::from_str(&done.stdout)
            .unwrap_or_else(|e| panic!("{e}: {}{}", done.stdout, done.stderr));
        (done, page)
    }

    fn store(&self) -> std::path::PathBuf {
        self.dir.path().join("store")
    }

    /// Nothing is recorded, and nothing lies there, but what belongs to these images.
    fn holds(&self, images: &[&Image]) {
        let store = self.store();
        let daemon = daemon(self.generation, &store, false);
        let all = |part: fn(&Image) -> BTreeSet<String>| {
            images.iter().flat_map(|i| part(i)).collect::<BTreeSet<_>>()
        };
        let chains = |image: &Image| chain(image).into_iter().collect();
        same(&blobs(&daemon), &all(parts));
        same(&snapshots(&daemon), &all(chains));
        let host = self.registry.host();
        let names = images.iter().flat_map(|image| super::names(image, &host));
        same(&firsts(&daemon, &["images", "ls"]), &names.collect());
        for what in [["leases", "ls"], ["content", "active"]] {
            assert_eq!(firsts(&daemon, &what), BTreeSet::new(), "{what:?}");
        }
        complete(&daemon);
        daemon.stop().unwrap();
        files(&store, &all(parts), all(chains).len());
    }
}

/// containerd itself says that all are complete and unpacked.
fn complete(daemon: &Daemon) {
    let said = daemon.ctr_ok(&["images", "check"]).unwrap();
    for line in said.lines().skip(1) {
        let well = line.contains(" complete (") && line.trim_end().ends_with("true");
        assert!(well, "{line}");
    }
}

/// The files of a store that nobody runs on: these blobs, so many snapshots, nothing half done.
fn files(store: &Path, blobs: &BTreeSet<String>, snapshots: usize) {
    let names = |path: &str| -> BTreeSet<String> {
        let Ok(dir) = std::fs::read_dir(store.join(path)) else {
            return BTreeSet::new();
        };
        dir.map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    };
    let have = names("io.containerd.content.v1.content/blobs/sha256");
    let have = have.iter().map(|hex| format!("sha256:{hex}")).collect();
    same(&have, blobs);
    let ingests = names("io.containerd.content.v1.content/ingest");
    assert_eq!(ingests, BTreeSet::new());
    let trees = names("io.containerd.snapshotter.v1.overlayfs/snapshots");
    assert_eq!(trees.len(), snapshots, "{trees:?}");
    assert!(!names("").iter().any(|name| name.contains("nodeagent")));
}

/// What a page says of an image: outcome and error.
fn row(page: &Value, repository: &str) -> (String, String) {
    let rows = page["images"].as_array().unwrap();
    let named = |row: &&Value| {
        row["image"]
            .as_str()
            .unwrap()
            .contains(&format!("/{repository}:"))
    };
    let row = rows.iter().find(named).unwrap();
    let text = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
    (text("outcome"), text("error"))
}

/// Pulls from the honest registry: all is there, and each image's own layer was all that was asked for of it.
fn mended(stage: &Stage) {
    for name in stage.bad.keys() {
        stage.registry.lie(&stage.own(name), []);
    }
    let before = stage.registry.asked("/blobs/").len();
    let (done, page) = stage.pull(&[]);
    assert_eq!((done.code, &page["failed"]), (0, &0.into()), "{page:#}");
    let base = &stage.good.variants[0].layers[0].blob.digest;
    let asked = stage.registry.asked("/blobs/").split_off(before);
    for asked in &asked {
        let target = &asked.target;
        assert!(!target.contains("k8s/good/"), "{target}");
        assert!(!target.contains(base.as_str()), "{target}");
    }
    // A configuration and a layer of each.
    assert_eq!(asked.len(), 2 * stage.bad.len(), "{asked:#?}");
    let all: Vec<&Image> = stage.bad.values().chain([&stage.good]).collect();
    stage.holds(&all);
}

#[test]
fn every_lie_about_a_layer_has_its_class_and_registers_nothing() {
    let lies = lies();
    let stage = Stage::new(Generation::V2, lies.iter().map(|(name, ..)| *name));
    for (name, lie, ..) in &lies {
        stage.registry.always(&stage.own(name), lie.clone());
    }
    let (bomb, foreign) = (bomb(), foreign());
    stage.registry.hold(&bomb);
    stage.registry.hold(&foreign);
    let (done, page) = stage.pull(&[&bomb, &foreign]);
    assert_eq!(done.code, 1, "{page:#}");
    for (name, _, class, part) in &lies {
        let (outcome, error) = row(&page, name);
        assert_eq!(outcome, *class, "{name}: {error}");
        let digest = &stage.bad[name].variants[0].layers[1].blob.digest;
        for part in [*part, digest.as_str(), &format!("/k8s/{name}:1")] {
            assert!(error.contains(part), "{name}: no {part} in {error}");
        }
    }
    let (outcome, error) = row(&page, "bomb");
    assert!(
        outcome == "image" && error.contains("larger than"),
        "{error}"
    );
    let (outcome, error) = row(&page, "foreign");
    assert!(
        outcome == "platform" && error.contains("linux/s390x"),
        "{error}"
    );
    assert_eq!(row(&page, "good"), ("ok".to_owned(), String::new()));
    stage.holds(&[&stage.good]);
    mended(&stage);
}

#[test]
fn lies_about_documents_are_told_and_register_nothing() {
    let stage = Stage::new(Generation::V17, ["manifest", "config", "gone", "large"]);
    let path = |name: &str, what: &str| format!("/k8s/{name}/{what}/");
    let tables = [
        (path("manifest", "manifests"), Lie::Corrupt, "digest"),
        (path("config", "blobs"), Lie::Corrupt, "digest"),
        (
            path("gone", "manifests"),
            Lie::Status(404, vec![]),
            "not-found",
        ),
        (path("large", "manifests"), Lie::Resize(9 << 20), "image"),
    ];
    for (part, lie, _) in &tables {
        stage.registry.always(part, lie.clone());
    }
    let (done, page) = stage.pull(&[]);
    assert_eq!(done.code, 1, "{page:#}");
    for ((part, _, class), name) in tables.iter().zip(["manifest", "config", "gone", "large"]) {
        let (outcome, error) = row(&page, name);
        assert_eq!(outcome, *class, "{part}: {error}");
    }
    stage.holds(&[&stage.good]);
    for (part, ..) in &tables {
        stage.registry.lie(part, []);
    }
    mended(&stage);
}

#[test]
fn every_containerd_keeps_the_good_and_nothing_of_the_bad() {
    for generation in Generation::ALL {
        let stage = Stage::new(generation, ["truncated", "bytes"]);
        for (name, lie, ..) in lies().into_iter().take(2) {
            stage.registry.always(&stage.own(name), lie);
        }
        let (done, page) = stage.pull(&[]);
        assert_eq!((done.code, &page["failed"]), (1, &2.into()), "{page:#}");
        stage.holds(&[&stage.good]);
        mended(&stage);
    }
}

/// Layers that become far larger than their blob allows.
fn bomb() -> Image {
    let zeros = Layer::from_tar(Packing::Gzip, &vec![0; 1 << 20]).blob.bytes;
    let mut layer = base();
    layer.blob = Blob::new(zeros.repeat(300));
    Image::single("k8s/bomb:1", Dialect::Oci, &[base(), layer])
}

/// An index without our platform.
fn foreign() -> Image {
    let layers = tiny("k8s/x:1", "foreign").variants[0].layers.clone();
    let platforms = [("linux/s390x", layers.clone()), ("windows/amd64", layers)];
    Image::index("k8s/foreign:1", Dialect::Oci, &platforms)
}
