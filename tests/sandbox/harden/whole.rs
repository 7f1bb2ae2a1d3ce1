//! All hardening fragments together on a real Debian tree: baked, baked again, sealed, audited.
//! It is separate because entries that are right alone may disturb each other.

use std::path::Path;
use std::process::Output;

use super::Bed;
use crate::support::offline::{code, command, json};

fn run(bed: &Bed, args: &[&str]) -> Output {
    let root = bed.tree.path();
    command(&["--root", root.to_str().unwrap()])
        .args(args)
        .output()
        .unwrap()
}

#[test]
fn a_second_bake_changes_nothing_and_the_sealed_image_conforms() {
    let bed = Bed::new("harden-whole");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/harden");
    let bake = [
        "bake",
        "--profile",
        "harden",
        "--policy",
        folder.to_str().unwrap(),
        "--json",
    ];
    let first = run(&bed, &bake);
    assert_eq!(code(&first), 0);
    let steps = json(&first)["steps"].to_string();
    for step in [
        "account:etcd",
        "60-rke2-cis.conf",
        "00-nodeagent.conf",
        "80-rke2.rules",
    ] {
        assert!(steps.contains(step), "{step}: {steps}");
    }
    let second = json(&run(&bed, &bake));
    assert_eq!(second["changes"], 0);
    println!("second bake: {} s", second["seconds"]);
    assert_eq!(code(&run(&bed, &["generalize"])), 0);
    assert_eq!(code(&run(&bed, &["verify"])), 0);
    let (_, status) = bed.run(&["passwd", "--status", "etcd"]);
    assert!(status.starts_with("etcd L "), "{status}");
    bed.run(&["userdel", "etcd"]);
    let audit = run(&bed, &["verify", "--json"]);
    assert_eq!(code(&audit), 3);
    assert!(
        json(&audit)["findings"]
            .to_string()
            .contains("account:etcd")
    );
}
