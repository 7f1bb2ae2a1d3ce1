//! The plug of a real build machine, pulled before its closing unit ran and after it.
//! Separate because these images are built on a booted machine: an unbooted tree has no moment between two states.

use super::bench::{policy, start, stock};
use crate::support::machine::{cache, nspawn::Machine, seed::Seed, tree::Tree};
use crate::units::want;
use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

const SEAL: &str = "etc/packer-build/seal.json";

/// A build machine that has generalized itself and still runs.
fn generalized(label: &str) -> (Tree, Machine) {
    let tree = stock(label);
    let seed = Seed {
        instance_id: label,
        hostname: label,
        address: "192.0.2.52/24",
        user_data: "",
    };
    seed.write(&tree.path()).unwrap();
    let logs = cache::target_dir().join("machines/log");
    let machine = Machine::boot(&tree.path(), label, &logs).unwrap();
    policy(&machine.view().join("run/policy"));
    let binary = Path::new(env!("CARGO_BIN_EXE_nodeagent"));
    machine
        .copy_in(binary, "/run/upload/nodeagent", "0755")
        .unwrap();
    let bake = "/run/upload/nodeagent bake --profile required --policy /run/policy --build-machine";
    machine.ok(&["sh", "-c", bake]).unwrap();
    machine.ok(&["/usr/bin/nodeagent", "generalize"]).unwrap();
    (tree, machine)
}

fn state(tree: &Tree) -> String {
    let text = fs::read_to_string(tree.path().join(SEAL)).unwrap();
    let seal: serde_json::Value = serde_json::from_str(&text).unwrap();
    seal["state"].as_str().unwrap().to_owned()
}

/// What whoever makes a node adds to a clone.
fn as_node(tree: &Tree, label: &str) {
    let seed = Seed {
        instance_id: label,
        hostname: label,
        address: "192.0.2.53/24",
        user_data: "",
    };
    seed.write(&tree.path()).unwrap();
    want(&tree.path(), "multi-user.target", "rke2-server.service");
}

#[test]
fn a_plug_pulled_before_the_seal_was_closed_leaves_no_node() {
    let (tree, machine) = generalized("plug-before");
    drop(machine);
    assert_eq!(state(&tree), "pending");
    as_node(&tree, "plug-before-node");
    let node = start(tree, "plug-before-node");
    node.is_refused(&["is: pending", "was not shut down in an orderly way"]);
}

#[test]
fn a_plug_pulled_after_the_seal_was_closed_leaves_one() {
    let (tree, machine) = generalized("plug-after");
    let begun = Instant::now();
    machine
        .run(&["systemctl", "poweroff", "--no-block"])
        .unwrap();
    while state(&tree) != "closed" {
        assert!(
            begun.elapsed() < Duration::from_mins(2),
            "it does not close"
        );
    }
    drop(machine);
    as_node(&tree, "plug-after-node");
    let node = start(tree, "plug-after-node");
    assert!(node.rke2_runs(), "{}", node.result());
}
