//! The Ubuntu profile as it is shipped, baked by the real binary into a Debian tree that says it is Ubuntu 22.04.
//! Separate because no Ubuntu package can be had here: this proves what of the profile does not depend on one.

use crate::support::machine::{pool, rootfs, tree::Tree};
use crate::support::offline::{code, command, json};
use crate::support::tarball;
use serde_json::Value;
use std::process::{Command, Output};
use std::time::Instant;

const PROFILE: &str = "rke2-ubuntu2204";
const UBUNTU: &str = "NAME=\"Ubuntu\"\nPRETTY_NAME=\"Ubuntu 22.04.4 LTS\"\nID=ubuntu\nID_LIKE=debian\nVERSION_ID=\"22.04\"\n";
/// What neither source gives, and where this build has RKE2's files.
const SETTINGS: [&str; 8] = [
    "--set=registry=registry.example/k8s",
    "--set=csi_attacher_version=v4",
    "--set=csi_resizer_version=v1",
    "--set=csi_snapshotter_version=v7",
    "--set=csi_node_driver_registrar_version=v2",
    "--set=kube_vip_image=kube-vip:v0",
    "--set=cert_manager_image=cert-manager-controller:v1",
    "--set=rke2_artifacts=/var/tmp/rke2-artifacts",
];

fn with(args: &[&str]) -> Command {
    let mut command = command(args);
    command.args(SETTINGS);
    command
}

fn stock() -> Tree {
    let tree = Tree::of_stock(&rootfs::stock().unwrap().path, "ubuntu").unwrap();
    let shown = with(&["policy", "show", "--profile", PROFILE, "--json"]);
    let policy: Value = json(&run(shown));
    let pool = pool::for_packages(&pool::wanted(&policy)).unwrap();
    pool::install(&pool.path, &tree.path()).unwrap();
    std::fs::write(tree.path().join("usr/lib/os-release"), UBUNTU).unwrap();
    let release = tree.path().join("var/tmp/rke2-artifacts");
    tarball::running_release(&release, tarball::VERSION);
    tree
}

fn run(mut command: Command) -> Output {
    command.output().unwrap()
}

/// No store is filled yet, so images are left out, and each verdict says so.
fn verb(tree: &Tree, args: &[&str]) -> Output {
    let root = tree.path();
    let bake = args == ["bake"];
    let all = [
        &["--root", root.to_str().unwrap()],
        args,
        &["--json", "--skip", "image"],
    ]
    .concat();
    run(if bake {
        let mut bake = with(&all);
        bake.args(["--profile", PROFILE]);
        bake
    } else {
        command(&all)
    })
}

#[test]
fn the_ubuntu_profile_is_baked_sealed_and_verified_but_for_its_images() {
    let tree = stock();
    let first = verb(&tree, &["bake"]);
    let failed = json(&first)["failed"].to_string();
    assert_eq!(code(&first), 0, "{failed}");
    assert!(json(&first)["changes"].as_u64().unwrap() > 20);
    let begun = Instant::now();
    let second = verb(&tree, &["bake"]);
    println!("second bake of {PROFILE}: {:.2?}", begun.elapsed());
    assert_eq!((code(&second), &json(&second)["changes"]), (0, &0.into()));
    assert_eq!(code(&verb(&tree, &["generalize"])), 0);
    let audit = verb(&tree, &["verify"]);
    assert_eq!(code(&audit), 0, "{}", json(&audit));
    assert_eq!(json(&audit)["left_out"], serde_json::json!(["image"]));
    let manifest = tree.path().join("etc/packer-build/image-manifest.json");
    let manifest: Value = serde_json::from_slice(&std::fs::read(manifest).unwrap()).unwrap();
    assert_eq!(manifest["os"]["pretty_name"], "Ubuntu 22.04.4 LTS");
    assert_eq!(manifest["kubernetes"]["version"], tarball::VERSION);
    // The same audit must be able to fail.
    let drop_in = tree.path().join("etc/sysctl.d/90-rke2.conf");
    std::fs::write(drop_in, "net.ipv4.ip_forward = 0\n").unwrap();
    assert_eq!(code(&verb(&tree, &["verify"])), 3);
}
