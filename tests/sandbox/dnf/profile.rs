//! The Rocky profile as it is shipped, baked into the double by the real binary: what can be proved of it here.
//! Separate because it tries no part of it but all of them together, from an empty tree to a verified image.

use super::{copy, repo, repository};
use crate::support::machine::{el9, tree::Tree};
use crate::support::offline::{code, command, json};
use serde_json::Value;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

/// A tree as Rocky's cloud image has it, with a repository for the distribution's packages.
fn rocky(label: &str) -> Tree {
    let tree = super::tree(label);
    let root = tree.path();
    copy(
        &repository().join("key.asc"),
        &root.join("etc/pki/rpm-gpg/RPM-GPG-KEY-rig"),
    );
    repo(
        &tree,
        "baseurl=file:///srv/repository\ngpgcheck=1\ngpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-rig",
    );
    let wants = root.join("etc/systemd/system/multi-user.target.wants");
    std::fs::create_dir_all(&wants).unwrap();
    let unit = "/usr/lib/systemd/system/firewalld.service";
    std::os::unix::fs::symlink(unit, wants.join("firewalld.service")).unwrap();
    for (file, line) in [
        ("passwd", "rocky:x:1000:1000::/home/rocky:/bin/bash\n"),
        ("group", "rocky:x:1000:\n"),
        ("shadow", "rocky:!:19000:0:99999:7:::\n"),
    ] {
        let path = root.join("etc").join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text + line).unwrap();
    }
    std::fs::create_dir_all(root.join("home/rocky/.ssh")).unwrap();
    std::fs::write(
        root.join("home/rocky/.ssh/authorized_keys"),
        "ssh-ed25519 AAAA packer\n",
    )
    .unwrap();
    tree
}

/// The binary with a verb on the tree.
fn verb(tree: &Tree, args: &[&str]) -> Command {
    let mut command = command(&["--root", tree.path().to_str().unwrap()]);
    command.args(args);
    command
}

/// A bake, with the values that no source gives and more.
fn bake(tree: &Tree, more: &[&str]) -> Command {
    bake_with("key.asc", tree, more)
}

/// A bake that is given this file as the repository's key.
fn bake_with(key: &str, tree: &Tree, more: &[&str]) -> Command {
    let fingerprint = std::fs::read_to_string(repository().join("fingerprint")).unwrap();
    let mut bake = verb(tree, &["bake", "--json", "--profile", "rke2-rocky9"]);
    for value in [
        "rke2_rpm_baseurl=file:///srv/repository",
        &format!("rke2_rpm_key=/srv/repository/{key}"),
        &format!("rke2_rpm_fingerprint={fingerprint}"),
        "rke2_selinux_version=0.18-1.el9",
    ] {
        bake.args(["--set", value]);
    }
    bake.args(more);
    bake
}

fn run(mut command: Command) -> Output {
    command.output().unwrap()
}

#[test]
fn the_rocky_profile_is_baked_sealed_and_verified() {
    let tree = rocky("rocky-profile");
    let root = tree.path();
    let first = run(bake(&tree, &[]));
    assert_eq!(code(&first), 0);
    assert!(json(&first)["changes"].as_u64().unwrap() > 25);
    let begun = Instant::now();
    let second = run(bake(&tree, &[]));
    println!("second bake: {:?}", begun.elapsed());
    assert_eq!(
        (code(&second), json(&second)["changes"].as_u64()),
        (0, Some(0))
    );
    let wants = root.join("etc/systemd/system/multi-user.target.wants");
    for unit in ["qemu-guest-agent", "iptables", "chronyd"] {
        let link = wants.join(format!("{unit}.service"));
        assert!(link.symlink_metadata().is_ok(), "{unit} is enabled");
    }
    assert!(wants.join("firewalld.service").symlink_metadata().is_err());
    let repo =
        std::fs::read_to_string(root.join("etc/yum.repos.d/rancher-rke2-common.repo")).unwrap();
    assert!(
        repo.contains("gpgcheck=1") && repo.contains("enabled=1"),
        "{repo}"
    );
    assert_eq!(code(&run(verb(&tree, &["generalize"]))), 0);
    let verdict = run(verb(&tree, &["verify", "--json"]));
    assert_eq!(
        (code(&verdict), json(&verdict)["place"].as_str()),
        (0, Some("image"))
    );
    let manifest = std::fs::read(root.join("etc/packer-build/image-manifest.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    let packages = &manifest["inventory"]["packages"];
    assert_eq!(packages["rke2-selinux"], "0.18-1.el9");
    assert_eq!(manifest["os"]["pretty_name"], "Rocky Linux 9.5 (Blue Onyx)");
    for gone in [
        "home/rocky/.ssh/authorized_keys",
        "var/lib/dnf/history.sqlite",
        "var/lib/nodeagent/dnf-transaction",
    ] {
        assert!(!root.join(gone).exists(), "{gone} is still there");
    }
    assert_eq!(
        std::fs::read_dir(root.join("var/cache/dnf"))
            .unwrap()
            .count(),
        0
    );
}

#[test]
fn a_key_with_another_fingerprint_is_refused() {
    let tree = rocky("rocky-key");
    let output = run(bake_with("other.asc", &tree, &[]));
    assert_eq!(code(&output), 1);
    let root = tree.path();
    assert!(
        !root
            .join("etc/yum.repos.d/rancher-rke2-common.repo")
            .exists()
    );
    assert!(!root.join("usr/share/rig/rke2-selinux").exists());
}

#[test]
fn a_bake_killed_amid_its_packages_is_finished_by_the_next() {
    let tree = rocky("rocky-killed");
    let root = tree.path();
    let policy = tempfile::tempdir().unwrap();
    let slow = "schema = 1\n[[package]]\nname = \"slow\"\nreason = \"stands still amid its installation\"\n";
    std::fs::write(policy.path().join("13-slow.toml"), slow).unwrap();
    let more = ["--policy", policy.path().to_str().unwrap()];
    std::fs::write(root.join("slow"), "").unwrap();
    let mut child = bake(&tree, &more).spawn().unwrap();
    let begun = Instant::now();
    while !root.join("configuring").exists() && begun.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(50));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(root.join("configuring").exists() && !root.join("configured").exists());
    std::fs::remove_file(root.join("slow")).unwrap();
    assert_eq!(code(&run(bake(&tree, &more))), 0);
    assert!(root.join("configured").exists(), "its scriptlet ran again");
    let last = run(bake(&tree, &more));
    assert_eq!((code(&last), json(&last)["changes"].as_u64()), (0, Some(0)));
}

#[test]
fn what_the_sources_do_not_say_must_be_given() {
    let tree = Tree::of_stock(&el9::stock().unwrap().path, "rocky-unset").unwrap();
    let mut bake = command(&["--root", tree.path().to_str().unwrap(), "bake"]);
    let output = bake.args(["--profile", "rke2-rocky9"]).output().unwrap();
    assert_eq!(code(&output), 2);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    for name in [
        "rke2_rpm_key",
        "rke2_rpm_fingerprint",
        "rke2_selinux_version",
    ] {
        assert!(said.contains(name), "{said}");
    }
}

#[test]
fn another_familys_profile_is_refused_before_anything_is_looked_at() {
    let tree = Tree::of_stock(&el9::stock().unwrap().path, "rocky-other").unwrap();
    for profile in ["rke2-debian12", "debian12-base"] {
        let mut plan = command(&["--root", tree.path().to_str().unwrap(), "plan", "--json"]);
        let output = plan.args(["--profile", profile]).output().unwrap();
        assert_eq!(code(&output), 4, "{profile}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("family is rocky"));
    }
}
