//! A registry with the small set, and daemons to fill: what every test of filling begins with.
//! Separate because tests of kills and of faults want the same.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use nodeagent::host::containerd::{Client, Containerd, Labels, Prepared, SnapshotKind};
use nodeagent::host::oci::{Name, Platform, Source};
use nodeagent::host::registry::{Access, Puller};
use nodeagent::store::{self, Inventory, Options, Place, Quiet, Report, Wanted};

use super::tree::tree;
use crate::support::generations::{Daemon, Generation};
use crate::support::images::{Image, small::small};
use crate::support::machine::run;
use crate::support::registry::{Registry, Storage};

/// kubelet's namespace.
pub(crate) const NAMESPACE: &str = "k8s.io";

/// A registry with images.
pub(crate) struct Stand {
    _dir: tempfile::TempDir,
    pub(crate) registry: Registry,
    pub(crate) images: Vec<Image>,
}

/// The small set, with a program that runs.
pub(crate) fn small_set() -> Vec<Image> {
    small(&program())
}

/// A static program that says hello.
fn program() -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let (source, binary) = (dir.path().join("hello.c"), dir.path().join("hello"));
    let text = "#include <unistd.h>\nint main(void) { return write(1, \"hello\\n\", 6) != 6; }\n";
    std::fs::write(&source, text).unwrap();
    let mut command = Command::new("gcc");
    command
        .args(["-static", "-Os", "-s", "-o"])
        .arg(&binary)
        .arg(&source);
    run::ok(&mut command, std::time::Duration::from_secs(60)).unwrap();
    std::fs::read(&binary).unwrap()
}

impl Stand {
    /// With the small set.
    pub(crate) fn small() -> Self {
        Self::with(small_set())
    }

    /// With these images.
    pub(crate) fn with(images: Vec<Image>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let storage = Storage::new(dir.path());
        let registry = Registry::plain(&storage);
        for image in &images {
            registry.push(image);
        }
        Self {
            _dir: dir,
            registry,
            images,
        }
    }

    /// Every image, pinned.
    pub(crate) fn wanted(&self) -> Vec<Wanted> {
        let name = |image: &Image| Name::parse(&image.pinned(self.registry.host())).unwrap();
        self.images
            .iter()
            .map(|image| Wanted::new(name(image)))
            .collect()
    }

    /// The registry as a source.
    pub(crate) fn source(&self) -> Puller {
        Puller::new(&Access {
            plain_http: vec![self.registry.host().to_owned()],
            ..Access::default()
        })
        .unwrap()
    }

    /// Has containerd's own client pull every image.
    pub(crate) fn reference(&self, daemon: &Daemon) {
        for image in &self.images {
            let name = image.tagged(self.registry.host());
            let args = [
                "images",
                "pull",
                "--plain-http",
                "--platform",
                "linux/amd64",
                &name,
            ];
            daemon.ctr_ok(&args).unwrap();
        }
    }
}

/// The usual.
pub(crate) fn options() -> Options {
    Options::new(Platform::parse("linux/amd64").unwrap())
}

/// A daemon's client.
pub(crate) fn client(daemon: &Daemon) -> Client {
    Client::connect(&daemon.socket(), NAMESPACE).unwrap()
}

/// A daemon's place.
pub(crate) fn place(daemon: &Daemon) -> Place {
    Place::open(Path::new("/"), daemon.root()).unwrap()
}

/// Fills a daemon's store.
pub(crate) fn fill(
    daemon: &Daemon,
    source: &dyn Source,
    wanted: &[Wanted],
    options: &Options,
) -> Report {
    let mut client = client(daemon);
    store::fill(&place(daemon), &mut client, source, wanted, options, &Quiet).unwrap()
}

/// Every image of a report is whole.
pub(crate) fn all_well(report: &Report) {
    for image in &report.images {
        if let Err(failure) = &image.outcome {
            panic!(
                "{}: {}: {}",
                image.name,
                failure.class,
                failure.error.one_line()
            );
        }
    }
}

/// Everything that a daemon has recorded.
pub(crate) fn inventory(daemon: &Daemon) -> Inventory {
    Inventory::ask(&client(daemon)).unwrap()
}

/// The directory of each committed snapshot's files.
pub(crate) fn directories(daemon: &Daemon) -> BTreeMap<String, PathBuf> {
    let mut client = client(daemon);
    client.lease("test-look", 1).unwrap();
    let mut all = BTreeMap::new();
    for snapshot in client.snapshots().unwrap() {
        if snapshot.kind != SnapshotKind::Committed {
            continue;
        }
        let key = format!("test-look {}", snapshot.name);
        let prepared = client
            .prepare(&key, Some(&snapshot.name), &Labels::new())
            .unwrap();
        let Prepared::New(mounts) = prepared else {
            panic!("{key} exists");
        };
        let lower = mounts[0]
            .options
            .iter()
            .find_map(|o| o.strip_prefix("lowerdir="))
            .unwrap();
        let nearest = lower.split(':').next().unwrap();
        all.insert(snapshot.name.clone(), PathBuf::from(nearest));
        client.remove_snapshot(&key).unwrap();
    }
    client.end_lease("test-look").unwrap();
    all
}

/// The files of every snapshot.
pub(crate) fn trees(daemon: &Daemon) -> BTreeMap<String, BTreeMap<String, String>> {
    let all = directories(daemon);
    all.into_iter()
        .map(|(name, path)| (name, tree(&path)))
        .collect()
}

/// What differs between two stores' snapshots, in words; nothing when they are equal.
pub(crate) fn difference(ours: &Daemon, theirs: &Daemon) -> Vec<String> {
    let (ours, theirs) = (trees(ours), trees(theirs));
    let mut all = Vec::new();
    for name in ours.keys().chain(theirs.keys()) {
        let (Some(own), Some(other)) = (ours.get(name), theirs.get(name)) else {
            all.push(format!("{name} is in one store alone"));
            continue;
        };
        for path in own.keys().chain(other.keys()) {
            let (have, want) = (own.get(path), other.get(path));
            if have != want {
                all.push(format!("{name} {path}: {have:?}, containerd has {want:?}"));
            }
        }
    }
    all.dedup();
    all
}

/// Restarts a daemon on its root, and has containerd's own check say that every image is complete and unpacked.
pub(crate) fn restarted(daemon: Daemon) -> Daemon {
    let (generation, root) = (daemon.generation(), daemon.root().to_owned());
    daemon.stop().unwrap();
    let daemon = on(generation, &root);
    let said = daemon.ctr_ok(&["images", "check"]).unwrap();
    let lines: Vec<&str> = said.lines().skip(1).collect();
    assert!(!lines.is_empty(), "{said}");
    for line in lines {
        assert!(
            line.contains("complete (") && line.trim_end().ends_with("true"),
            "{line}"
        );
    }
    daemon
}

/// A daemon on a root that outlives it.
pub(crate) fn on(generation: Generation, root: &Path) -> Daemon {
    let options = crate::support::generations::Options {
        root: Some(root.to_owned()),
        ..Default::default()
    };
    Daemon::start_with(generation, &options).unwrap()
}
