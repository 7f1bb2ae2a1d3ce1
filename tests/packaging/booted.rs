//! The package in a running node: upgraded and removed under the watcher, while routes and evidence stay as they are.
//! It is separate because it takes a booted machine; the life of the package's files alone is told in a root.

use std::path::Path;

use super::life::{DPKG, Life};
use super::packages::binary;
use crate::route::booted::{UNIT, routed, second_nic};
use crate::route::watch::until;
use crate::support::machine::nspawn::Machine;
use crate::support::machine::tree::Tree;
use crate::support::machine::{cache, rootfs};
use crate::support::packages;

/// What comes after the version of the image.
const NEXT: &str = "99.0.0";
/// Where its package lies in the machine.
const PACKAGE: &str = "/srv/next.deb";

/// A sealed image that was made with the package, as its first node finds it.
fn image() -> Life {
    let tree = Tree::of_stock(&rootfs::stock().unwrap().path, "deb-booted").unwrap();
    let dir = tempfile::tempdir().unwrap();
    let life = Life {
        manager: DPKG,
        tree,
        dir,
    };
    let first = binary(life.dir.path());
    life.install(&first, env!("CARGO_PKG_VERSION"));
    let (code, baked) = life.bake("bake");
    assert_eq!(code, 0, "{baked:#}");
    let (code, sealed) = life.agent(&["generalize"]);
    assert_eq!((code, sealed["state"].as_str()), (0, Some("closed")));
    let root = life.tree.path();
    second_nic(&root);
    next(&first, &root);
    life
}

/// Another build under a higher version.
fn next(binary: &Path, root: &Path) {
    let dir = tempfile::tempdir().unwrap();
    let other = dir.path().join("nodeagent");
    let mut bytes = std::fs::read(binary).unwrap();
    bytes.extend_from_slice(b"another build");
    std::fs::write(&other, bytes).unwrap();
    let mode = std::fs::metadata(binary).unwrap().permissions();
    std::fs::set_permissions(&other, mode).unwrap();
    let package = packages::deb_version(&other, NEXT, dir.path()).unwrap();
    std::fs::copy(package, root.join(&PACKAGE[1..])).unwrap();
}

/// The running node.
struct Node(Machine);

impl Node {
    fn ok(&self, words: &[&str]) -> String {
        self.0.ok(words).unwrap()
    }

    fn watcher(&self) -> String {
        self.0.unit(UNIT, "MainPID").unwrap()
    }

    /// The program that a process runs, as the kernel names its file.
    fn program(&self) -> String {
        self.ok(&["readlink", &format!("/proc/{}/exe", self.watcher())])
    }

    /// Everything of the kernel's that is the watcher's.
    fn routing(&self) -> String {
        self.ok(&["sh", "-c", "ip rule; ip route show table 21001"])
    }

    /// An address comes and goes, and its rule with it.
    fn follows_addresses(&self) {
        let rule = || self.routing().contains("from 10.3.0.0/24 lookup 21001");
        for (verb, there) in [("add", true), ("del", false)] {
            self.ok(&["ip", "address", verb, "10.3.0.10/24", "dev", "eth1"]);
            until(&format!("address {verb}"), || rule() == there);
        }
        assert!(routed(&self.0));
    }

    /// Digests of what tells where the node comes from and what it is.
    fn evidence(&self) -> String {
        let script = "find /etc/packer-build /etc/nodeagent /usr/lib/systemd/system/rke2-*.d -type f | sort | xargs sha256sum";
        self.ok(&["sh", "-c", script])
    }

    /// Notes every change of rules and routes from now on.
    fn note_changes(&self) {
        let script = "ip -timestamp monitor route rule > /run/changes";
        self.ok(&[
            "systemd-run",
            "--quiet",
            "--collect",
            "--unit=monitor",
            "sh",
            "-c",
            script,
        ]);
        // A route of no meaning is noted when the monitor listens.
        until("the monitor listens", || {
            let marks = "ip route add 192.0.2.1/32 dev lo; ip route del 192.0.2.1/32 dev lo; cat /run/changes";
            self.ok(&["sh", "-c", marks]).contains("192.0.2.1")
        });
    }

    /// What of the watcher's was taken away since then.
    fn lost(&self) -> Vec<String> {
        let changes = self.ok(&["cat", "/run/changes"]);
        let deleted = changes.lines().filter(|line| line.contains("Deleted"));
        let ours = deleted.filter(|line| line.contains("21001"));
        ours.map(str::to_owned).collect()
    }
}

#[test]
fn a_running_node_keeps_its_routes_and_its_manifest_whatever_becomes_of_the_package() {
    let life = image();
    let logs = cache::target_dir().join("machines/log");
    let node = Node(Machine::boot(&life.tree.path(), "deb-booted", &logs).unwrap());
    until("routed", || routed(&node.0));
    let (routing, evidence, first) = (node.routing(), node.evidence(), node.watcher());
    assert!(evidence.contains("image-manifest.json") && evidence.contains("50-nodeagent.conf"));
    node.note_changes();

    // The upgrade leaves the watcher alone, which goes on.
    node.ok(&["dpkg", "--install", PACKAGE]);
    assert_eq!((node.watcher(), node.evidence()), (first, evidence.clone()));
    assert!(node.program().contains("(deleted)"), "{}", node.program());
    assert_eq!((node.routing(), node.lost()), (routing.clone(), vec![]));
    node.follows_addresses();

    // A restart takes the new program, and drops no route meanwhile.
    node.ok(&["systemctl", "stop", "monitor"]);
    node.note_changes();
    node.ok(&["systemctl", "daemon-reload"]);
    node.ok(&["systemctl", "restart", UNIT]);
    assert_eq!(node.program(), "/usr/bin/nodeagent\n");
    assert_eq!((node.routing(), node.lost()), (routing.clone(), vec![]));
    node.follows_addresses();

    // Removed, and purged: the watcher runs on, and when it is stopped the routes stay.
    for verb in ["--remove", "--purge"] {
        node.ok(&["dpkg", verb, "nodeagent"]);
        assert_eq!(
            (node.routing(), node.evidence()),
            (routing.clone(), evidence.clone())
        );
        node.follows_addresses();
    }
    node.ok(&["systemctl", "daemon-reload"]);
    node.ok(&["systemctl", "stop", UNIT]);
    assert_eq!((node.routing(), node.evidence()), (routing, evidence));
}
