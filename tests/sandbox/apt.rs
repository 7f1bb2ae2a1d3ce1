//! Packages through the real apt and dpkg of a Debian tree, from a local repository of packages made for this.
//! Separate because what goes wrong with packages (locks, torn transactions, failing scripts) cannot be faked well.

use super::{PROGRAM, debian, inside};
use crate::support::machine::tree::Tree;
use nodeagent::error::Result;
use nodeagent::host::packages::Apt;
use nodeagent::host::{
    Clock, Cmd, Context, Exec, Host, Notes, PackageRequest, Packages, Root, Where,
};
use nodeagent::resource::package::Package;
use nodeagent::resource::{Kind, Place};
use std::cell::RefCell;
use std::cmp::Ordering;
use std::path::Path;
use std::process::{Command, Stdio};
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
                "[Service]\nExecStart=/bin/sleep 1\n[Install]\nWantedBy=multi-user.target\n",
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

fn tree(label: &str) -> Tree {
    let tree = debian(label);
    let repository = tree.path().join("srv/repository");
    std::fs::create_dir_all(&repository).unwrap();
    build(&repository);
    sources(&tree, "deb [trusted=yes] file:/srv/repository ./\n");
    tree
}

fn sources(tree: &Tree, text: &str) {
    std::fs::write(tree.path().join("etc/apt/sources.list.d/local.list"), text).unwrap();
}

/// A clock that waits no longer than it must, and remembers how long it was asked to.
#[derive(Default)]
struct Hurry {
    slept: RefCell<Vec<u64>>,
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

struct Bench {
    apt: Apt,
    notes: Notes,
    clock: Rc<Hurry>,
}

fn apt(tree: &Tree) -> Bench {
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

fn wanted(name: &str, version: Option<&str>) -> PackageRequest {
    PackageRequest {
        name: name.to_owned(),
        version: version.map(str::to_owned),
    }
}

fn version(apt: &Apt, name: &str) -> Option<String> {
    apt.installed()
        .unwrap()
        .get(name)
        .map(|package| package.version.clone())
}

fn text(result: Result<()>) -> String {
    let error = result.unwrap_err();
    format!("{} / {}", error.one_line(), error.next_step().unwrap())
}

#[test]
fn packages_are_installed_in_the_version_that_is_asked_for() {
    let tree = tree("apt-install");
    let Bench { apt, notes, .. } = apt(&tree);
    assert!(apt.installed().unwrap().len() > 100);
    assert_eq!(version(&apt, "tiny"), None);
    apt.install(&[wanted("tiny", Some("1.0-1")), wanted("asking", None)])
        .unwrap();
    assert_eq!(version(&apt, "tiny").as_deref(), Some("1.0-1"));
    apt.install(&[wanted("needs", None)]).unwrap();
    assert_eq!(version(&apt, "tiny").as_deref(), Some("1.0-1"));
    assert_eq!(
        version(&apt, "extra"),
        None,
        "recommended packages stay out"
    );
    apt.install(&[wanted("tiny", None)]).unwrap();
    assert_eq!(version(&apt, "tiny").as_deref(), Some("2.0-1"));
    apt.set_hold(&["tiny".to_owned()], true).unwrap();
    apt.set_hold(&["tiny".to_owned()], true).unwrap();
    assert!(apt.installed().unwrap()["tiny"].held);
    apt.install(&[wanted("tiny", Some("1.0-1"))]).unwrap();
    assert_eq!(version(&apt, "tiny").as_deref(), Some("1.0-1"));
    apt.set_hold(&["tiny".to_owned()], false).unwrap();
    assert!(!apt.installed().unwrap()["tiny"].held);
    assert_eq!(apt.interrupted().unwrap(), None);
    assert_eq!(notes.drain(), Vec::<String>::new());
}

#[test]
fn no_service_starts_in_a_tree_and_the_unit_is_enabled() {
    let tree = tree("apt-daemon");
    let Bench { apt, .. } = apt(&tree);
    apt.install(&[wanted("daemon", None)]).unwrap();
    let root = tree.path();
    assert!(!root.join("daemon-was-started").exists());
    assert!(
        root.join("etc/systemd/system/multi-user.target.wants/daemon.service")
            .symlink_metadata()
            .is_ok()
    );
    assert!(!root.join("usr/sbin/policy-rc.d").exists());
}

#[test]
fn failures_name_the_package_and_the_reason() {
    let tree = tree("apt-failures");
    let Bench { apt, notes, .. } = apt(&tree);
    let failing = text(apt.install(&[wanted("failing", None)]));
    assert!(
        failing.contains("install failing") && failing.contains("exit status 3"),
        "{failing}"
    );
    // What is left is seen, and stays a failure that names the package.
    assert!(apt.interrupted().unwrap().unwrap().contains("failing"));
    let repair = text(apt.repair());
    assert!(repair.contains("failing"), "{repair}");
    std::fs::write(
        tree.path().join("var/lib/dpkg/info/failing.postinst"),
        "#!/bin/sh\n",
    )
    .unwrap();
    apt.repair().unwrap();
    assert_eq!(apt.interrupted().unwrap(), None);
    notes.drain();
    let unknown = text(apt.install(&[wanted("no-such-package", None)]));
    assert!(
        unknown.contains("Unable to locate package no-such-package"),
        "{unknown}"
    );
    assert!(notes.drain().iter().any(|note| note.contains("indexes")));
    let old = text(apt.install(&[wanted("tiny", Some("0.1"))]));
    assert!(old.contains("0.1") && old.contains("tiny"), "{old}");
}

#[test]
fn new_indexes_are_fetched_only_when_a_candidate_lacks() {
    let tree = tree("apt-lists");
    // copy: keeps indexes of its own, as a mirror on the network does; file: would read the repository's.
    sources(&tree, "deb [trusted=yes] copy:/srv/repository ./\n");
    let Bench { apt, notes, .. } = apt(&tree);
    apt.install(&[wanted("extra", None)]).unwrap();
    let index = tree.path().join("srv/repository/Packages");
    let full = std::fs::read_to_string(&index).unwrap();
    let without: Vec<&str> = full
        .split("\n\n")
        .filter(|p| !p.contains("Package: needs"))
        .collect();
    std::fs::write(&index, without.join("\n\n")).unwrap();
    inside(&tree.path())
        .run(&Cmd::new(["apt-get", "update"]))
        .unwrap();
    assert!(apt.install(&[wanted("needs", None)]).is_err());
    std::fs::write(&index, full).unwrap();
    notes.drain();
    apt.install(&[wanted("needs", None)]).unwrap();
    assert_eq!(notes.drain().len(), 1);
    apt.install(&[wanted("slow", None)]).unwrap();
    assert_eq!(notes.drain().len(), 0);
}

#[test]
fn network_faults_are_tried_again_with_growing_pauses() {
    let tree = tree("apt-network");
    // Nothing listens on the discard port of the loopback.
    sources(&tree, "deb [trusted=yes] http://127.0.0.1:9/debian ./\n");
    let Bench { apt, notes, clock } = apt(&tree);
    let error = text(apt.install(&[wanted("tiny", None)]));
    assert!(
        error.contains("install tiny") && error.contains("127.0.0.1"),
        "{error}"
    );
    assert_eq!(clock.slept.borrow().as_slice(), [2, 4]);
    assert_eq!(notes.drain().len(), 2);
}

#[test]
fn a_killed_transaction_is_finished_by_the_next() {
    let tree = tree("apt-killed");
    let Bench { apt, notes, .. } = apt(&tree);
    std::fs::write(tree.path().join("slow"), "").unwrap();
    apt.install(&[wanted("tiny", Some("1.0-1"))]).unwrap();
    let install = Cmd::new(["apt-get", "-y", "install", "after-slow"]);
    let install = install
        .env("DEBIAN_FRONTEND", "noninteractive")
        .timeout(Duration::from_secs(8));
    assert!(inside(&tree.path()).run(&install).is_err());
    assert!(
        tree.path().join("configuring").exists(),
        "it was killed while configuring"
    );
    std::fs::remove_file(tree.path().join("slow")).unwrap();
    assert!(apt.interrupted().unwrap().is_some());
    // Even without asking for a repair.
    apt.install(&[wanted("extra", None)]).unwrap();
    apt.repair().unwrap();
    assert_eq!(apt.interrupted().unwrap(), None);
    assert!(apt.installed().unwrap()["after-slow"].complete);
    assert!(!notes.drain().is_empty());
    apt.repair().unwrap();
    assert!(notes.drain().is_empty(), "nothing to do, nothing said");
}

/// Holds dpkg's lock as dpkg does, for some seconds.
const HOLDER: &str = r#"use Fcntl; $| = 1; open F, "+>>", $ARGV[0] or die; my $lock = pack "s s x4 q q i x4", F_WRLCK, 0, 0, 0, 0;
fcntl F, F_SETLK, $lock or die $!; print "held\n"; sleep 2;"#;

#[test]
fn a_lock_of_somebody_else_is_waited_for_and_told() {
    use std::io::Read as _;
    let tree = tree("apt-lock");
    let Bench { apt, notes, clock } = apt(&tree);
    let lock = tree.path().join("var/lib/dpkg/lock-frontend");
    let mut holder = Command::new("perl")
        .args(["-e", HOLDER])
        .arg(lock)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    holder
        .stdout
        .as_mut()
        .unwrap()
        .read_exact(&mut [0; 5])
        .unwrap();
    apt.install(&[wanted("tiny", None)]).unwrap();
    let notes = notes.drain();
    assert_eq!(notes.len(), 1, "{notes:?}");
    let who = format!("held by process {} (perl)", holder.id());
    assert!(
        notes[0].contains("lock-frontend") && notes[0].contains(&who),
        "{notes:?}"
    );
    assert!(clock.slept.borrow().len() > 10);
    holder.wait().unwrap();
    assert_eq!(version(&apt, "tiny").as_deref(), Some("2.0-1"));
}

fn package(name: &str, edit: impl FnOnce(&mut Package)) -> Package {
    let mut package = Package {
        name: name.to_owned(),
        version: None,
        min: None,
        max: None,
        hold: false,
    };
    edit(&mut package);
    package
}

#[test]
fn the_kind_brings_a_tree_to_what_is_wanted_in_one_transaction() {
    let tree = tree("apt-kind");
    let context = Context {
        place: Where::Root,
        evidence: "test".to_owned(),
    };
    let host = Host::open(&tree.path(), context, Path::new(PROGRAM)).unwrap();
    let wanted = [
        package("tiny", |p| {
            p.version = Some("1.0-1".to_owned());
            p.hold = true;
        }),
        package("extra", |p| p.min = Some("0.9".to_owned())),
    ];
    let look = |package: &Package| package.diff(&package.observe(&host).unwrap(), Place::Build);
    let plans: Vec<_> = wanted
        .iter()
        .map(|package| (package, look(package).actions))
        .collect();
    let steps: Vec<_> = plans
        .iter()
        .flat_map(|(package, actions)| actions.iter().map(move |a| (*package, a)))
        .collect();
    assert_eq!(steps.len(), 3);
    Package::apply(&steps, &host).unwrap();
    for package in &wanted {
        assert!(look(package).conforms(), "{:?}", look(package));
    }
    let newer = package("tiny", |p| {
        p.min = Some("1.5".to_owned());
        p.hold = true;
    });
    let actions = look(&newer).actions;
    Package::apply(
        &actions.iter().map(|a| (&newer, a)).collect::<Vec<_>>(),
        &host,
    )
    .unwrap();
    assert!(look(&newer).conforms(), "{:?}", look(&newer));
    let older = package("tiny", |p| p.max = Some("1.5".to_owned()));
    assert!(!look(&older).conforms());
}

/// Numbers that look random and are the same in every run.
struct Digits(u64);

impl Digits {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }

    fn version(&mut self) -> String {
        const PARTS: &[&str] = &[
            "0", "1", "2", "9", "10", "00", "007", ".", ".", "~", "+", "a", "b", "rc", "Z", "-1",
            "~~",
        ];
        let epoch = ["", "", "", "0:", "1:", "12:"][self.below(6)];
        let body: String = (0..=self.below(6))
            .map(|_| PARTS[self.below(PARTS.len())])
            .collect();
        format!(
            "{epoch}{}{body}{}",
            self.below(10),
            ["", "-1", "-0", "-1~deb12u1", "-0ubuntu1"][self.below(5)]
        )
    }
}

#[test]
fn versions_are_ordered_as_dpkg_orders_them() {
    let mut digits = Digits(42);
    let tree = debian("apt-versions");
    let Bench { apt, .. } = apt(&tree);
    let pairs: Vec<(String, String)> = (0..600)
        .map(|i| {
            let a = digits.version();
            // Every third pair differs in one place only: such pairs find more than strangers do.
            let b = if i % 3 == 0 {
                format!("{a}{}", ["~", "0", "a", "+1", ".0"][digits.below(5)])
            } else {
                digits.version()
            };
            (a, b)
        })
        .collect();
    let script: String = pairs
        .iter()
        .map(|(a, b)| format!("if dpkg --compare-versions '{a}' lt '{b}'; then echo lt; elif dpkg --compare-versions '{a}' eq '{b}'; then echo eq; else echo gt; fi\n"))
        .collect();
    let out = Command::new("sh").args(["-c", &script]).output().unwrap();
    let answers = String::from_utf8(out.stdout).unwrap();
    let warnings = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(answers.lines().count(), pairs.len(), "{warnings}");
    let mut counts = [0; 3];
    for ((a, b), answer) in pairs.iter().zip(answers.lines()) {
        let want = match answer {
            "lt" => Ordering::Less,
            "eq" => Ordering::Equal,
            _ => Ordering::Greater,
        };
        counts[usize::try_from(want as i8 + 1).unwrap()] += 1;
        assert_eq!(apt.compare(a, b), want, "{a} {b}");
    }
    assert!(
        counts[0] > 100 && counts[2] > 100 && counts[1] > 3,
        "{counts:?}"
    );
}
