//! Packages through the real apt and dpkg of a Debian tree, from a local repository of packages made for this.
//! Separate because what goes wrong with packages (locks, torn transactions, failing scripts) cannot be faked well.

mod faults;
mod install;
mod offline;
mod proxy;
mod repositories;
mod trust;
mod upgrade;
mod versions;

use super::{debian, inside};
use crate::support::machine::tree::Tree;
use nodeagent::error::Result;
use nodeagent::host::packages::Apt;
use nodeagent::host::{Clock, Exec, Notes, PackageRequest, Packages, Root};
use std::cell::RefCell;
use std::path::Path;
use std::process::Command;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Packages of the repository: name, version, further control fields, postinst.
const PACKAGES: &[(&str, &str, &str, &str)] = &[
    ("tiny", "1.0-1", "", ""),
    ("tiny", "2.0-1", "", ""),
    ("needs", "1.0", "Depends: tiny\nRecommends: extra\n", ""),
    ("extra", "1.0", "", ""),
    ("failing", "1.0", "", "echo 'no good' >&2; exit 3"),
    (
        "daemon",
        "1.0",
        "",
        "invoke-rc.d daemon start || exit 1\nstart-stop-daemon --start --exec /etc/init.d/daemon || exit 1\n\
         deb-systemd-helper enable daemon.service\ndeb-systemd-invoke start daemon.service",
    ),
    (
        "slow",
        "1.0",
        "",
        "if test -e /slow; then touch /configuring; sleep 300; fi",
    ),
    ("after-slow", "1.0", "Depends: slow\n", ""),
    (
        "asking",
        "1.0",
        "",
        "test \"$DEBIAN_FRONTEND\" = noninteractive && ! read answer",
    ),
];

fn run(command: &mut Command) {
    let out = command.output().unwrap();
    assert!(
        out.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&out.stderr)
    );
}

fn build(repository: &Path) {
    for (name, version, fields, postinst) in PACKAGES {
        let dir = tempfile::tempdir().unwrap();
        let at = |path: &str| dir.path().join(path);
        let write = |path: &str, text: &str, mode: u32| {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::create_dir_all(at(path).parent().unwrap()).unwrap();
            std::fs::write(at(path), text).unwrap();
            std::fs::set_permissions(at(path), std::fs::Permissions::from_mode(mode)).unwrap();
        };
        std::fs::create_dir_all(at("DEBIAN")).unwrap();
        let control = format!(
            "Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: x <x@example.org>\n{fields}Description: x\n"
        );
        write("DEBIAN/control", &control, 0o644);
        write(&format!("usr/share/doc/{name}/version"), version, 0o644);
        if *name == "daemon" {
            write(
                "etc/init.d/daemon",
                "#!/bin/sh\ntouch /daemon-was-started\n",
                0o755,
            );
            write(
                "lib/systemd/system/daemon.service",
                "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n",
                0o644,
            );
        }
        if !postinst.is_empty() {
            write(
                "DEBIAN/postinst",
                &format!("#!/bin/sh\n{postinst}\n"),
                0o755,
            );
        }
        let mut deb = Command::new("dpkg-deb");
        deb.args(["--root-owner-group", "-Znone", "--build"])
            .arg(dir.path())
            .arg(repository);
        run(&mut deb);
    }
    let index = Command::new("apt-ftparchive")
        .current_dir(repository)
        .args(["packages", "."])
        .output()
        .unwrap();
    assert!(index.status.success());
    std::fs::write(repository.join("Packages"), index.stdout).unwrap();
}

pub(crate) fn tree(label: &str) -> Tree {
    let tree = debian(label);
    let repository = tree.path().join("srv/repository");
    std::fs::create_dir_all(&repository).unwrap();
    build(&repository);
    sources(&tree, "deb [trusted=yes] file:/srv/repository ./\n");
    tree
}

pub(super) fn sources(tree: &Tree, text: &str) {
    std::fs::write(tree.path().join("etc/apt/sources.list.d/local.list"), text).unwrap();
}

/// A clock that waits no longer than it must, and remembers how long it was asked to.
#[derive(Default)]
pub(crate) struct Hurry {
    pub(crate) slept: RefCell<Vec<u64>>,
    begun: RefCell<Option<Instant>>,
}

impl Clock for Hurry {
    fn now(&self) -> u64 {
        0
    }
    fn elapsed(&self) -> Duration {
        self.begun
            .borrow_mut()
            .get_or_insert_with(Instant::now)
            .elapsed()
    }
    fn sleep(&self, time: Duration) {
        self.slept.borrow_mut().push(time.as_secs());
        std::thread::sleep(time.min(Duration::from_millis(20)));
    }
    fn stamp(&self) -> u64 {
        0
    }
}

pub(super) struct Bench {
    pub(super) apt: Apt,
    pub(super) notes: Notes,
    pub(super) clock: Rc<Hurry>,
}

pub(super) fn apt(tree: &Tree) -> Bench {
    let notes = Notes::default();
    let clock = Rc::new(Hurry::default());
    let exec: Rc<dyn Exec> = Rc::new(inside(&tree.path()));
    let root = Root::open(&tree.path()).unwrap();
    let apt = Apt::new(
        root,
        exec,
        Rc::clone(&clock) as Rc<dyn Clock>,
        notes.clone(),
    );
    Bench { apt, notes, clock }
}

pub(super) fn wanted(name: &str, version: Option<&str>) -> PackageRequest {
    PackageRequest {
        name: name.to_owned(),
        version: version.map(str::to_owned),
        offline: None,
    }
}

pub(super) fn version(apt: &Apt, name: &str) -> Option<String> {
    apt.installed()
        .unwrap()
        .get(name)
        .map(|package| package.version.clone())
}

pub(crate) fn text(result: Result<()>) -> String {
    let error = result.unwrap_err();
    format!("{} / {}", error.one_line(), error.next_step().unwrap())
}
