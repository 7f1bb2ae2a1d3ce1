//! Locks, networks, torn transactions and scripts that fail.
//! Separate because each of these breaks its own tree.

use super::{Bench, apt, sources, text, tree, version, wanted};
use crate::sandbox::inside;
use crate::support::namespace::in_namespaces;
use nix::mount::{MsFlags, mount, umount};
use nodeagent::error::Exit;
use nodeagent::host::packages::Apt;
use nodeagent::host::{Clock, Cmd, Exec as _, Notes, Packages as _, Root};
use std::cell::Cell;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::time::Duration;

/// Holds dpkg's lock as dpkg does, for some seconds.
const HOLDER: &str = r#"use Fcntl; $| = 1; open F, "+>>", $ARGV[0] or die; my $lock = pack "s s x4 q q i x4", F_WRLCK, 0, 0, 0, 0;
fcntl F, F_SETLK, $lock or die $!; print "held\n"; sleep $ARGV[1];"#;

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

#[test]
fn without_room_the_package_is_named_and_unpacked_once_there_is_some() {
    let tree = tree("apt-full");
    in_namespaces(|| {
        let Bench { apt, .. } = apt(&tree);
        let docs = tree.path().join("usr/share/doc");
        let room = Some("nr_inodes=1");
        let (none, tmpfs) = (MsFlags::empty(), Some("tmpfs"));
        mount(Some("full"), &docs, tmpfs, none, room).unwrap();
        let full = text(apt.install(&[wanted("tiny", None)]));
        assert!(full.starts_with("install tiny: "), "{full}");
        assert!(full.contains("No space left on device"), "{full}");
        assert!(full.contains(" / free some space"), "{full}");
        umount(&docs).unwrap();
        apt.install(&[wanted("tiny", None)]).unwrap();
        assert_eq!(apt.interrupted().unwrap(), None);
        assert!(docs.join("tiny/version").exists());
    });
}

#[test]
fn a_package_cut_off_amid_unpacking_is_unpacked_again() {
    let tree = tree("apt-torn");
    let Bench { apt, .. } = apt(&tree);
    apt.install(&[wanted("extra", None)]).unwrap();
    let status = tree.path().join("var/lib/dpkg/status");
    for state in ["reinstreq half-installed", "reinstreq unpacked"] {
        let text = std::fs::read_to_string(&status).unwrap();
        let (before, after) = text.split_once("\nPackage: extra\n").unwrap();
        let after = after.replacen("ok installed", state, 1);
        std::fs::write(&status, format!("{before}\nPackage: extra\n{after}")).unwrap();
        assert!(apt.interrupted().unwrap().unwrap().contains("extra"));
        apt.repair().unwrap();
        assert_eq!(apt.interrupted().unwrap(), None, "{state}");
    }
}

/// Starts a process that holds a lock of the tree for some seconds.
fn hold(tree: &Path, lock: &str, seconds: &str) -> Child {
    use std::io::Read as _;
    let mut holder = Command::new("perl")
        .args(["-e", HOLDER])
        .arg(tree.join(lock))
        .arg(seconds)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let said = holder.stdout.as_mut().unwrap();
    said.read_exact(&mut [0; 5]).unwrap();
    holder
}

/// A clock that is always as late as it was asked to sleep: a quarter of an hour passes at once.
#[derive(Default)]
struct Leaps(Cell<Duration>);

impl Clock for Leaps {
    fn now(&self) -> u64 {
        0
    }
    fn elapsed(&self) -> Duration {
        self.0.get()
    }
    fn sleep(&self, time: Duration) {
        self.0.set(self.0.get() + time);
    }
    fn stamp(&self) -> u64 {
        0
    }
}

#[test]
fn a_lock_that_is_never_released_ends_the_wait_and_names_its_holder() {
    let tree = tree("apt-held");
    for lock in ["var/lib/dpkg/lock-frontend", "var/lib/apt/lists/lock"] {
        let mut holder = hold(&tree.path(), lock, "600");
        let clock = Rc::new(Leaps::default());
        let apt = Apt::new(
            Root::open(&tree.path()).unwrap(),
            Rc::new(inside(&tree.path())),
            Rc::clone(&clock) as Rc<dyn Clock>,
            Notes::default(),
        );
        let error = apt.install(&[wanted("tiny", None)]).unwrap_err();
        holder.kill().unwrap();
        holder.wait().unwrap();
        let who = format!("/{lock}: still held by process {} (perl)", holder.id());
        let said = error.one_line();
        assert!(
            said.starts_with("install tiny: ") && said.contains(&who),
            "{said}"
        );
        assert_eq!(error.exit(), Exit::Failed);
        assert!(error.next_step().unwrap().contains("run this again"));
        let waited = clock.elapsed();
        assert!(
            said.contains(&format!("after {} s", waited.as_secs())),
            "{said}"
        );
        assert!(waited < Duration::from_mins(20), "{waited:?}");
        assert_eq!(version(&apt, "tiny"), None, "nothing was done");
    }
}

#[test]
fn a_lock_of_somebody_else_is_waited_for_and_told() {
    let tree = tree("apt-lock");
    let Bench { apt, notes, clock } = apt(&tree);
    let mut holder = hold(&tree.path(), "var/lib/dpkg/lock-frontend", "2");
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
