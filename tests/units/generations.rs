//! The units beside the cloud-init of a suite, with the systemd and sshd of that suite.
//! It is separate because cloud-init's stages change names and order between its generations.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::{OURS, SYSTEM, tree_of, want};
use crate::support::machine::{cache, nspawn::Machine, rootfs, run, seed::Seed, tree::Tree};
use crate::support::vm::tools::Tools;

/// What boots, with both network managers; the stock root has the same of the older suite.
const PACKAGES: [&str; 10] = [
    "cloud-init",
    "dbus",
    "ifupdown",
    "iproute2",
    "network-manager",
    "openssh-server",
    "procps",
    "systemd",
    "systemd-sysv",
    "udev",
];

/// A suite: how its cloud-init's version begins, and which unit makes host keys.
struct Generation {
    suite: &'static str,
    version: &'static str,
    stage: &'static str,
}

const ALL: [Generation; 2] = [
    Generation {
        suite: "bookworm",
        version: "22.4",
        stage: "cloud-init.service",
    },
    Generation {
        suite: "trixie",
        version: "25.",
        stage: "cloud-init-network.service",
    },
];

impl Generation {
    /// Its root, and the suite's own `systemd-analyze`.
    fn root(&self) -> (PathBuf, Command) {
        if self.suite == "bookworm" {
            let stock = rootfs::stock().unwrap().path;
            return (stock, Command::new("systemd-analyze"));
        }
        let name = format!("boot-{}", self.suite);
        let tools = Tools::of(&name, self.suite, &PACKAGES).unwrap();
        (tools.path(""), tools.command("systemd-analyze"))
    }

    /// A tree with our units, as cloud-init's generator leaves it where there is a data source.
    fn tree(&self, label: &str) -> Tree {
        let tree = tree_of(&self.root().0, label, "#!/bin/sh\n");
        let root = tree.path();
        let status = fs::read_to_string(root.join("var/lib/dpkg/status")).unwrap();
        let package = status
            .split("\n\n")
            .find(|p| p.starts_with("Package: cloud-init\n"));
        let version = format!("\nVersion: {}", self.version);
        assert!(package.unwrap().contains(&version), "{package:?}");
        assert!(
            root.join(SYSTEM).join(self.stage).exists(),
            "{}",
            self.stage
        );
        want(&root, "multi-user.target", "cloud-init.target");
        tree
    }

    /// What systemd says of a whole boot with our units; empty when it has nothing to say of them.
    fn verify(&self, root: &Path) -> String {
        let (_, mut command) = self.root();
        command
            .args(["verify", "--man=no", "--generators=no"])
            .arg(format!("--root={}", root.display()));
        command.arg("multi-user.target").args(OURS);
        let done = run::run(&mut command, Duration::from_mins(1)).unwrap();
        let silent = done.code != 0 && done.stderr.is_empty();
        assert!(!silent, "exit {} without a word", done.code);
        done.stderr
    }
}

/// The order of multipath-tools' daemon, which a container skips: it comes before file systems are mounted.
const MULTIPATHD: &str = "[Unit]\nDefaultDependencies=no\nAfter=systemd-remount-fs.service\nBefore=local-fs-pre.target shutdown.target\n\
    Conflicts=shutdown.target\n[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=sysinit.target\n";

/// What makes a cycle, or another fault.
const SEEDED: [(&str, &str, &str); 6] = [
    (
        "nodeagent-firstboot.service",
        "After=cloud-config.target",
        "After=cloud-final.service",
    ),
    (
        "nodeagent-firstboot.service",
        "After=cloud-config.target",
        "After=cloud-init.target",
    ),
    ("nodeagent-hostkeys.service", "DefaultDependencies=no\n", ""),
    (
        "nodeagent-close.service",
        "After=local-fs.target",
        "After=multi-user.target",
    ),
    (
        "nodeagent-close.service",
        "Before=auditd.service",
        "Before=multipathd.service",
    ),
    (
        "nodeagent-route.service",
        "After=dbus.socket",
        "After=network-online.target",
    ),
];

#[test]
fn units_are_in_no_cycle_and_the_same_check_finds_seeded_ones() {
    for generation in ALL {
        let tree = generation.tree(&format!("cycle-{}", generation.suite));
        let root = tree.path();
        fs::write(root.join(SYSTEM).join("multipathd.service"), MULTIPATHD).unwrap();
        want(&root, "sysinit.target", "multipathd.service");
        // What the generator for /etc/fstab brings in.
        want(&root, "local-fs.target", "local-fs-pre.target");
        assert_eq!(generation.verify(&root), "", "{}", generation.suite);
        for (unit, from, to) in SEEDED {
            let path = root.join(SYSTEM).join(unit);
            let text = fs::read_to_string(&path).unwrap();
            let wrong = text.replace(from, to);
            assert_ne!(text, wrong, "{unit} has no {from}");
            fs::write(&path, wrong).unwrap();
            let (said, suite) = (generation.verify(&root), generation.suite);
            let found = said.contains("ordering cycle");
            assert!(found, "{suite}: {unit} with {to:?}: {said:?}");
            fs::write(&path, text).unwrap();
        }
        fs::remove_file(root.join("usr/bin/nodeagent")).unwrap();
        let said = generation.verify(&root);
        assert!(said.contains("nodeagent is not executable"), "{said}");
    }
}

/// As a clone finds it: no keys, no machine-id, and data of a platform.
fn generalized(root: &Path) {
    for kind in ["rsa", "ecdsa", "ed25519"] {
        let key = root.join(format!("etc/ssh/ssh_host_{kind}_key"));
        fs::remove_file(key.with_extension("pub")).unwrap_or_default();
        fs::remove_file(key).unwrap_or_default();
    }
    fs::write(root.join("etc/machine-id"), "").unwrap();
    // The socket is wanted instead.
    let service = "etc/systemd/system/multi-user.target.wants/ssh.service";
    fs::remove_file(root.join(service)).unwrap();
    let seed = Seed {
        instance_id: "i-order",
        hostname: "order",
        address: "192.0.2.61/24",
        user_data: "",
    };
    seed.write(root).unwrap();
}

#[test]
fn a_boot_beside_either_cloud_init_has_no_cycle_and_keeps_the_order() {
    for generation in ALL {
        let label = format!("order-{}", generation.suite);
        let tree = generation.tree(&label);
        generalized(&tree.path());
        let log = cache::target_dir().join("machines/log");
        let machine = Machine::boot(&tree.path(), &label, &log).unwrap();
        let journal = machine.ok(&["journalctl", "-b", "-o", "cat"]).unwrap();
        assert!(!journal.contains("ordering cycle"), "{journal}");
        let at = |unit: &str, what: &str| -> u64 {
            let property = format!("{what}TimestampMonotonic");
            let time = machine.unit(unit, &property).unwrap().parse().unwrap();
            assert!(time > 0, "{label}: {unit} has no {what}");
            time
        };
        let gate = "nodeagent-firstboot.service";
        let guard = "nodeagent-hostkeys.service";
        let order = [
            at(generation.stage, "ActiveEnter"),
            at(guard, "Condition"),
            at("ssh.socket", "InactiveExit"),
        ];
        assert!(order.is_sorted(), "{label}: stage, guard, sshd: {order:?}");
        assert_eq!(machine.unit(guard, "ConditionResult").unwrap(), "no");
        let order = [
            at("cloud-config.target", "ActiveEnter"),
            at(gate, "InactiveExit"),
            at(gate, "ActiveEnter"),
            at("rke2-server.service", "InactiveExit"),
        ];
        assert!(
            order.is_sorted(),
            "{label}: cloud-init, gate, RKE2: {order:?}"
        );
    }
}
