//! An image with the gate, sealed on an unbooted tree, and nodes that boot from its clones.
//! Separate because every test of the gate stands on it, and none of it is a test.

use crate::support::{
    machine::{cache, nspawn::Machine, rootfs, run, seed::Seed, tree::Tree},
    offline,
};
use crate::units::want;
use std::{
    fs,
    path::Path,
    process::Command,
    thread::sleep,
    time::{Duration, Instant},
};

/// What the policy says of a node whose identity is not proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Setting {
    /// RKE2 stays stopped.
    Required,
    /// RKE2 starts, and the verdict is told.
    Reported,
}

const GATE: &str = "nodeagent-firstboot.service";
const RKE2: &str = "rke2-server.service";
const LIMIT: Duration = Duration::from_mins(1);
/// There once RKE2 was started, and after it was stopped.
const STARTED: &str = "var/lib/rke2-was-started";
const PROFILE: &str = "schema = 1\ndescription = \"the gate\"\nproven = true\nfragments = [\n\
    \"05-nodeagent.toml\", \"70-scrub.toml\", \"71-scrub-debian.toml\", \"73-scrub-state.toml\", \"74-scrub-cloud.toml\",\n\
    \"75-scrub-secrets.toml\", \"76-scrub-rke2.toml\", \"79-closing.toml\", \"80-identity.toml\", \"85-forbidden.toml\",\nMORE]\n\
    [requires]\nfamily = \"debian\"\nversion = \"12\"\narch = [\"x86_64\", \"aarch64\"]\n";
/// What docs/identity.md tells a site that only wants to be told.
const REPORTED: &str = include_str!("../../../docs/identity.md");

/// What the build machine has of each; kept aside, so that a clone can be given it back.
const HAD: [(&str, &str); 4] = [
    ("etc/machine-id", "0123456789abcdef0123456789abcdef\n"),
    (
        "etc/iscsi/initiatorname.iscsi",
        "InitiatorName=iqn.1993-08.org.debian:01:build\n",
    ),
    (
        "etc/nvme/hostnqn",
        "nqn.2014-08.org.nvmexpress:uuid:11111111-2222-3333-4444-555555555555\n",
    ),
    ("etc/nvme/hostid", "11111111-2222-3333-4444-555555555555\n"),
];
const KEY: &str = "etc/ssh/ssh_host_ed25519_key";

pub(super) fn put(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// The policy folder: a profile with the gate as it is shipped, and one with the override that the documentation shows.
pub(super) fn policy(at: &Path) {
    let more = "\"91-reported.toml\"\n";
    put(at, "profiles/required.toml", &PROFILE.replace("MORE", ""));
    put(at, "profiles/reported.toml", &PROFILE.replace("MORE", more));
    let shown = REPORTED.split("```toml\n").nth(1).unwrap();
    let shown = shown.split("```").next().unwrap();
    put(at, "91-reported.toml", &format!("schema = 1\n{shown}"));
}

/// A stock tree with RKE2's units, and a build machine's identifiers.
pub(super) fn stock(label: &str) -> Tree {
    let tree = Tree::of_stock(&rootfs::stock().unwrap().path, label).unwrap();
    let root = tree.path();
    for role in ["server", "agent"] {
        let unit = format!(
            "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/touch /{STARTED}\n[Install]\nWantedBy=multi-user.target\n"
        );
        put(
            &root,
            &format!("usr/lib/systemd/system/rke2-{role}.service"),
            &unit,
        );
    }
    tree
}

/// A sealed image.
pub(super) fn image(setting: Setting, label: &str) -> Tree {
    let mut tree = stock(label);
    let root = tree.path();
    for (path, text) in HAD {
        put(&root, path, text);
    }
    let mut keygen = Command::new("chroot");
    keygen
        .arg(&root)
        .args(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f"]);
    run::ok(keygen.arg(format!("/{KEY}")), LIMIT).unwrap();
    let folder = tempfile::tempdir().unwrap();
    policy(folder.path());
    let kept = folder.path().join("had");
    for path in HAD.map(|(path, _)| path).into_iter().chain([KEY]) {
        put(&kept, path, &fs::read_to_string(root.join(path)).unwrap());
    }
    let profile = format!("{setting:?}").to_lowercase();
    let verb = |args: &[&str]| {
        let all = [&["--root", root.to_str().unwrap()], args].concat();
        assert_eq!(offline::code(&offline::command(&all).output().unwrap()), 0);
    };
    let folder_path = folder.path().to_str().unwrap();
    verb(&["bake", "--profile", &profile, "--policy", folder_path]);
    verb(&["generalize"]);
    // A node's role is chosen by whoever makes it.
    want(&root, "multi-user.target", RKE2);
    let mut copy = Command::new("cp");
    run::ok(copy.arg("-r").arg(&kept).arg(root.join("srv")), LIMIT).unwrap();
    tree.freeze().unwrap();
    tree
}

/// A booted clone.
pub(super) struct Node {
    pub(super) machine: Machine,
    tree: Tree,
}

/// Boots a clone, after something was done to its disk.
pub(super) fn node(image: &Tree, label: &str, user_data: &str, spoil: impl Fn(&Path)) -> Node {
    let tree = Tree::of_image(image, label).unwrap();
    let seed = Seed {
        instance_id: label,
        hostname: label,
        address: "192.0.2.51/24",
        user_data,
    };
    seed.write(&tree.path()).unwrap();
    spoil(&tree.path());
    start(tree, label)
}

/// Boots a tree as it is and waits until its gate has decided.
pub(super) fn start(tree: Tree, label: &str) -> Node {
    let logs = cache::target_dir().join("machines/log");
    let machine = Machine::boot(&tree.path(), label, &logs).unwrap();
    let node = Node { machine, tree };
    let begun = Instant::now();
    while !matches!(node.gate().as_str(), "active" | "failed") {
        assert!(
            begun.elapsed() < LIMIT,
            "the gate does not decide: {}",
            node.gate()
        );
        sleep(run::TICK);
    }
    node
}

impl Node {
    /// The gate's state.
    pub(super) fn gate(&self) -> String {
        self.machine.unit(GATE, "ActiveState").unwrap()
    }

    /// What the gate left of its proof.
    pub(super) fn result(&self) -> String {
        self.machine.read("/run/nodeagent/firstboot.json").unwrap()
    }

    /// What the gate said in the journal.
    pub(super) fn said(&self) -> String {
        self.machine
            .ok(&["journalctl", "-b", "-o", "cat", "-u", GATE])
            .unwrap()
    }

    /// Whether RKE2 is up, once its start at boot is over, whichever way it went.
    pub(super) fn rke2_runs(&self) -> bool {
        let begun = Instant::now();
        while !self.machine.unit(RKE2, "Job").unwrap().is_empty() {
            assert!(begun.elapsed() < LIMIT, "RKE2 waits for ever");
            sleep(run::TICK);
        }
        self.machine.unit(RKE2, "ActiveState").unwrap() == "active"
    }

    /// RKE2 was never started and cannot be, and the gate names why.
    pub(super) fn is_refused(&self, why: &[&str]) {
        assert_eq!(self.gate(), "failed", "{}", self.result());
        self.names(why);
        assert!(!self.rke2_runs());
        let by_hand = self.machine.run(&["systemctl", "start", RKE2]).unwrap();
        assert_ne!(by_hand.code, 0, "started by hand");
        assert!(!self.tree.path().join(STARTED).exists(), "it was started");
        assert!(
            self.result().contains("RKE2 stays stopped"),
            "{}",
            self.result()
        );
    }

    /// RKE2 runs, and the gate has failed and names why.
    pub(super) fn is_told(&self, why: &[&str]) {
        assert_eq!(self.gate(), "failed", "{}", self.result());
        self.names(why);
        assert!(self.rke2_runs(), "{}", self.result());
        assert!(
            !self.result().contains("RKE2 stays stopped"),
            "{}",
            self.result()
        );
    }

    fn names(&self, why: &[&str]) {
        let (said, result) = (self.said(), self.result());
        assert!(result.contains("\"ok\": false"), "{result}");
        for part in why {
            assert!(
                result.contains(part) && said.contains(part),
                "{part}\n{said}\n{result}"
            );
        }
    }
}
