//! Kind `artifact`: a release of RKE2 is checked whole, installed where RKE2 and systemd look, and proved later.
//! It is separate because its releases are made by the tests, byte by byte.

mod hostile;
mod reader;

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

/// A name, what is done to the tree, and what then tells it.
type Violation<'c> = (&'c str, &'c dyn Fn(&Bench), &'c str);

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
fn the_image_answers_for_itself_when_the_release_is_gone() {
    let mut bench = Bench::with_release(&tarball::whole());
    bench.install(&wanted()).unwrap();
    std::fs::remove_dir_all(bench.at(DIR)).unwrap();
    for place in [Place::Build, Place::Image, Place::Node] {
        assert_eq!(lines(&bench.diff(&wanted(), place)), Vec::<String>::new());
    }
    // Each violation with what tells it; the release is gone, so that no step can help.
    let gone = format!("{DIR}: no file of an RKE2 release -> the release's files, to install from");
    let kubelet = format!("{DATA}/bin/kubelet");
    let violations: &[Violation<'_>] = &[
        (
            "changed",
            &|b| b.put("/usr/local/bin/rke2", "evil"),
            "/usr/local/bin/rke2: sha256 ",
        ),
        (
            "removed",
            &|b| std::fs::remove_file(b.at(&kubelet)).unwrap(),
            "bin/kubelet: absent -> present",
        ),
        (
            "mode",
            &|b| {
                let all = std::fs::Permissions::from_mode(0o777);
                std::fs::set_permissions(b.at(&kubelet), all).unwrap();
            },
            "bin/kubelet: 0777 0:0 -> 0755 0:0",
        ),
        (
            "receipt",
            &|b| b.put(RECEIPT, "{"),
            "RKE2: its receipt is unreadable",
        ),
        (
            "another archive",
            &|b| b.put(&format!("{IMAGES}/evil.tar.gz"), "x"),
            "evil.tar.gz: present -> not there",
        ),
        (
            "another program",
            &|b| b.put(&format!("{DATA}/bin/runc"), "x"),
            "bin/runc: present -> not there",
        ),
        (
            "another runtime",
            &|b| b.put("/var/lib/rancher/rke2/data/v1/bin/runc", "x"),
            "data/v1: present -> not there",
        ),
    ];
    for (name, violate, want) in violations {
        let copy = Bench::with_release(&tarball::whole());
        copy.install(&wanted()).unwrap();
        std::fs::remove_dir_all(copy.at(DIR)).unwrap();
        violate(&copy);
        let diff = copy.diff(&wanted(), Place::Image);
        let told = lines(&diff);
        assert!(told[0].contains(want), "{name}: {told:?}");
        assert!(
            want.contains("not there") || told[1] == gone,
            "{name}: {told:?}"
        );
        assert!(diff.actions.is_empty(), "{name}");
    }
    // Same size and same time of change: only reading it tells.
    let path = bench.at("/usr/local/bin/rke2-killall.sh");
    let time = std::fs::metadata(&path).unwrap().modified().unwrap();
    std::fs::write(&path, "#!/bin/xx\n").unwrap();
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    file.set_modified(time).unwrap();
    assert!(bench.diff(&wanted(), Place::Image).conforms());
    bench.host.deep = true;
    assert!(lines(&bench.diff(&wanted(), Place::Image))[0].contains("killall.sh: sha256"));
}

#[test]
fn a_file_that_was_only_touched_is_read_and_conforms() {
    let bench = Bench::with_release(&tarball::whole());
    bench.install(&wanted()).unwrap();
    let file = std::fs::File::options()
        .write(true)
        .open(bench.at("/usr/local/bin/rke2"))
        .unwrap();
    file.set_modified(std::time::SystemTime::UNIX_EPOCH)
        .unwrap();
    assert!(bench.diff(&wanted(), Place::Build).conforms());
}

#[test]
fn damage_is_mended_from_the_release() {
    let bench = Bench::with_release(&tarball::whole());
    bench.install(&wanted()).unwrap();
    bench.put("/usr/local/bin/rke2", "evil");
    std::fs::remove_dir_all(bench.at(DATA)).unwrap();
    assert_eq!(steps(&bench.diff(&wanted(), Place::Build)).len(), 1);
    bench.settle(&wanted(), Place::Build).unwrap();
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
fn everything_wrong_is_told_at_once_and_nothing_is_changed() {
    let bench = Bench::with_release(&tarball::whole());
    let append = |name: &str, bytes: &[u8]| {
        let path = bench.at(&format!("{DIR}/{name}"));
        let all = [&std::fs::read(&path).unwrap(), bytes].concat();
        std::fs::write(path, all).unwrap();
    };
    append("rke2-images-cilium.linux-amd64.tar.gz", b"x");
    append("rke2-images.linux-amd64.txt", b"x");
    append("sha256sum-amd64.txt", b"oops\n");
    bench.put(&format!("{DIR}/rke2-images-canal.linux-amd64.tar.zst"), "x");
    bench.link(&format!("{DIR}/rke2.linux-amd64"), "/etc/passwd");
    let pinned = Artifact {
        sums_sha256: "0".repeat(64),
        ..wanted()
    };
    let said = refused(&bench, &pinned);
    for part in [
        "check all of it before anything is changed: ",
        "rke2-images-cilium.linux-amd64.tar.gz has the sha256 ",
        "rke2-images.linux-amd64.txt has the sha256 ",
        "sha256sum-amd64.txt: line 5 is not `SHA256  NAME`",
        "sha256sum-amd64.txt has the sha256 ",
        "rke2-images-canal.linux-amd64.tar.zst has no line in sha256sum-amd64.txt",
        "rke2.linux-amd64 is not a regular file",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let cheap = lines(&bench.diff(&pinned, Place::Build));
    assert_eq!(
        cheap.len(),
        5,
        "a plan tells what needs no reading: {cheap:?}"
    );
}

#[test]
fn what_the_parts_need_must_be_there() {
    type Change = fn(&mut Files);
    let table: &[(Change, &str)] = &[
        (|f| drop(f.remove(0)), "rke2.linux-amd64.tar.gz is missing"),
        (
            |f| f.retain(|(name, _)| !name.contains("images-c")),
            "rke2-images.linux-amd64.tar.zst (or",
        ),
        (
            |f| drop(f.remove(1)),
            "none of rke2-images-cilium.linux-amd64.tar.gz holds the image rancher/rke2-runtime:v1.28.15-rke2r1",
        ),
        (
            |f| f[1].1 = tarball::zstd(&tarball::core("v1.34.2-rke2r1", tarball::layer().end())),
            "holds RKE2 v1.34.2-rke2r1, the policy wants v1.28.15+rke2r1",
        ),
        (
            |f| f[0].1 = tarball::gzip(&tarball::bundle("v1.34.2+rke2r1").end()),
            "its bin/rke2 does not name the version v1.28.15+rke2r1",
        ),
        (
            |f| {
                f[0].1 = tarball::gzip(
                    &tarball::Tarball::default()
                        .file("bin/rke2", 0o755, VERSION.as_bytes())
                        .end(),
                );
            },
            "it holds no lib/systemd/system/rke2-agent.service",
        ),
    ];
    for (change, want) in table {
        let mut files = tarball::whole();
        change(&mut files);
        let said = refused(&Bench::with_release(&files), &wanted());
        assert!(said.contains(want), "{want}: {said}");
    }
}

#[test]
fn a_program_of_another_version_is_not_taken() {
    let bench = Bench::with_release(&tarball::whole());
    bench.fakes.exec.expect(
        "/usr/local/bin/rke2 --version",
        0,
        "rke2 version v1.28.1+rke2r1 (x)\n",
    );
    let said = bench.install(&wanted()).unwrap_err().one_line();
    assert!(
        said.contains("version v1.28.1+rke2r1; the policy wants v1.28.15+rke2r1"),
        "{said}"
    );
    assert!(!bench.at(RECEIPT).exists());
    bench.fakes.exec.expect(
        "/usr/local/bin/rke2 --version",
        0,
        "rke2 version v1.28.15+rke2r1 (x)\n",
    );
    bench.install(&wanted()).unwrap();
    assert!(bench.diff(&wanted(), Place::Build).conforms());
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

#[test]
fn new_files_of_the_release_are_taken_while_the_image_is_built() {
    let files = tarball::whole();
    let bench = Bench::with_release(&files);
    std::fs::remove_dir_all(bench.at(DIR)).unwrap();
    let without: Files = files
        .iter()
        .filter(|(name, _)| !name.contains("cilium"))
        .cloned()
        .collect();
    tarball::release(&bench.at(DIR), &without);
    bench.install(&wanted()).unwrap();
    tarball::release(&bench.at(DIR), &files);
    assert!(bench.diff(&wanted(), Place::Image).conforms());
    assert_eq!(
        lines(&bench.diff(&wanted(), Place::Build)),
        [format!(
            "{DIR}: other files than those installed -> the same"
        )]
    );
    bench.settle(&wanted(), Place::Build).unwrap();
    assert_eq!(bench.host.root.list(IMAGES).unwrap().len(), 2);
}
