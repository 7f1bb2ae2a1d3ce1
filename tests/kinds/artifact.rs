//! Kind `artifact`: a release of RKE2 is checked whole, installed where RKE2 and systemd look, and proved later.
//! It is separate because its releases are made by the tests, byte by byte.

mod disks;
mod hostile;
mod later;
mod reader;
mod wrong;

use std::os::unix::fs::PermissionsExt as _;

use nodeagent::resource::artifact::{Artifact, Part};
use nodeagent::resource::{Kind as _, Place};

use super::{Bench, lines, snapshot, steps};
use crate::support::tarball::{self, TAG, VERSION};

const DIR: &str = "/tmp/rke2-artifacts";
const IMAGES: &str = "/var/lib/rancher/rke2/agent/images";
const DATA: &str = "/var/lib/rancher/rke2/data/v1.28.15-rke2r1-cfa0e09fe202";
const RECEIPT: &str = "/etc/packer-build/artifact-rke2.json";

fn wanted() -> Artifact {
    Artifact {
        name: "rke2".to_owned(),
        dir: DIR.to_owned(),
        version: VERSION.to_owned(),
        arch: "amd64".to_owned(),
        sums_sha256: String::new(),
        parts: vec![Part::Binary, Part::Images, Part::Runtime],
        cache: false,
    }
}

type Files = Vec<(&'static str, Vec<u8>)>;

impl Bench {
    /// A tree with a release in it, and the script that must not be run.
    fn with_release(files: &Files) -> Self {
        let bench = Self::new();
        tarball::release(&bench.at(DIR), files);
        bench.put(&format!("{DIR}/rke2-install.sh"), "#!/bin/sh\nexit 1\n");
        bench
    }

    /// Installs; the program is not run.
    fn install(&self, artifact: &Artifact) -> nodeagent::error::Result<()> {
        let diff = self.diff(artifact, Place::Build);
        for action in &diff.actions {
            Artifact::apply(&[(artifact, action)], &self.host)?;
        }
        Ok(())
    }

    fn mode(&self, path: &str) -> u32 {
        std::fs::metadata(self.at(path))
            .unwrap()
            .permissions()
            .mode()
            & 0o7777
    }
}

/// The cause of a refusal, after checking that the tree is as it was.
fn refused(bench: &Bench, artifact: &Artifact) -> String {
    let before = snapshot(bench.dir.path());
    let error = bench.install(artifact).unwrap_err();
    assert_eq!(before, snapshot(bench.dir.path()), "the tree has changed");
    assert!(error.next_step().is_some(), "no next step");
    let said = error.one_line();
    let start = format!("install RKE2 {VERSION} from {DIR}: ");
    said.strip_prefix(&start)
        .unwrap_or_else(|| panic!("{said}"))
        .to_owned()
}

#[test]
fn a_release_is_installed_in_the_vendors_layout() {
    let bench = Bench::with_release(&tarball::whole());
    let before = bench.diff(&wanted(), Place::Build);
    assert_eq!(
        lines(&before),
        [format!(
            "RKE2: absent -> {VERSION} (binary, images, runtime)"
        )]
    );
    assert_eq!(
        steps(&before),
        [format!(
            "check the files in {DIR} and install RKE2 {VERSION}"
        )]
    );
    bench.settle(&wanted(), Place::Build).unwrap();
    for (path, mode) in [
        ("/usr/local/bin/rke2", 0o755),
        ("/usr/local/bin/rke2-killall.sh", 0o755),
        ("/usr/local/bin/rke2-uninstall.sh", 0o755),
        ("/usr/local/lib/systemd/system/rke2-server.service", 0o644),
        ("/usr/local/lib/systemd/system/rke2-server.env", 0o644),
        ("/usr/local/lib/systemd/system/rke2-agent.service", 0o644),
        ("/usr/local/share/rke2/rke2-cis-sysctl.conf", 0o644),
        (&format!("{DATA}/bin/containerd"), 0o755),
        (&format!("{DATA}/bin/kubelet"), 0o755),
        (&format!("{DATA}/charts/rke2-coredns.yaml"), 0o644),
        (&format!("{DATA}/.extracted"), 0o644),
        (RECEIPT, 0o644),
    ] {
        assert_eq!(bench.mode(path), mode, "{path}");
    }
    assert_eq!(
        bench.text(&format!("{DATA}/.extracted")),
        format!("index.docker.io/rancher/rke2-runtime:{TAG}")
    );
    let names = bench.host.root.list(IMAGES).unwrap();
    assert_eq!(
        names,
        [
            "rke2-images-cilium.linux-amd64.tar.gz",
            "rke2-images-core.linux-amd64.tar.zst"
        ]
    );
    for name in names {
        let read = |dir: &str| std::fs::read(bench.at(&format!("{dir}/{name}"))).unwrap();
        assert_eq!(read(DIR), read(IMAGES), "{name}");
    }
    assert!(!bench.at(&format!("{DATA}/etc")).exists());
    assert!(
        !bench.at("/etc/systemd/system").exists(),
        "nothing is enabled"
    );
    let notes = bench.host.notes.drain().join("\n");
    assert!(
        notes.contains("rke2-install.sh: an install script is never run"),
        "{notes}"
    );
    assert!(notes.contains("not authenticated"), "{notes}");
}

#[test]
fn another_release_takes_the_place_of_the_first() {
    let bench = Bench::with_release(&tarball::whole());
    bench.install(&wanted()).unwrap();
    let (version, tag) = ("v1.34.2+rke2r1", "v1.34.2-rke2r1");
    std::fs::remove_dir_all(bench.at(DIR)).unwrap();
    let files = [
        (
            "rke2.linux-amd64.tar.gz",
            tarball::gzip(&tarball::bundle(version).end()),
        ),
        (
            "rke2-images.linux-amd64.tar.gz",
            tarball::gzip(&tarball::core(tag, tarball::gzip(&tarball::layer().end()))),
        ),
    ];
    tarball::release(&bench.at(DIR), &files);
    let newer = Artifact {
        version: version.to_owned(),
        cache: true,
        ..wanted()
    };
    bench.settle(&newer, Place::Build).unwrap();
    assert_eq!(
        bench.host.root.list(IMAGES).unwrap(),
        [".cache.json", "rke2-images.linux-amd64.tar.gz"]
    );
    assert!(!bench.at(DATA).join("bin/kubelet").exists());
    assert!(
        bench
            .at("/var/lib/rancher/rke2/data/v1.34.2-rke2r1-3e2b8422d006/bin/kubelet")
            .exists()
    );
}

#[test]
fn images_alone_can_be_staged_without_a_program() {
    let mut files = tarball::whole();
    files.remove(0);
    let bench = Bench::with_release(&files);
    let only = Artifact {
        parts: vec![Part::Images],
        ..wanted()
    };
    bench.settle(&only, Place::Build).unwrap();
    assert!(!bench.at("/usr/local/bin").exists() && !bench.at(DATA).exists());
    assert_eq!(bench.host.root.list(IMAGES).unwrap().len(), 2);
    // RKE2 then stages the runtime on the node, where it is no finding.
    bench.put(&format!("{DATA}/bin/kubelet"), "x");
    assert!(bench.diff(&only, Place::Node).conforms());
    let none = Artifact {
        parts: Vec::new(),
        ..wanted()
    };
    assert_eq!(lines(&bench.diff(&none, Place::Build)).len(), 1);
}

#[test]
fn the_pinned_list_of_sums_is_authenticated() {
    let bench = Bench::with_release(&tarball::whole());
    let list = std::fs::read(bench.at(&format!("{DIR}/sha256sum-amd64.txt"))).unwrap();
    let pinned = Artifact {
        sums_sha256: nodeagent::host::root::sha256(&list),
        ..wanted()
    };
    bench.settle(&pinned, Place::Build).unwrap();
    let seen =
        |artifact: &Artifact| serde_json::to_value(artifact.observe(&bench.host).unwrap()).unwrap();
    assert_eq!(seen(&pinned)["authenticated"], true);
    assert_eq!(seen(&wanted())["authenticated"], false);
    assert_eq!(seen(&pinned)["version"], VERSION);
    assert_eq!(
        seen(&pinned)["files"]["/usr/local/bin/rke2"]["mode"],
        "0755"
    );
}
