//! A node of a sealed tree with each identifier spoiled in turn: verify must name the very check that watches it.
//! It is separate because the build machine must have had every identifier, so that each leaves a tombstone.

use std::os::unix::fs::PermissionsExt as _;

use super::drift;
use crate::support::offline::{Mini, code, json};

/// Keys in the files' own format; the bytes are filler.
const BUILD_KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIC packer\n";
const PRIVATE: &str = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZWQyNTUxOQAAACABAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ==\n-----END OPENSSH PRIVATE KEY-----\n";
/// The build machine's, of the same form.
const BAKED: &str = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZWQyNTUxOQAAACAJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQ==\n-----END OPENSSH PRIVATE KEY-----\n";
const ID: &str = "0123456789abcdef0123456789abcdef";
const INITRAMFS: &str = "boot/initramfs-6.1.0.img";

/// What the build machine had of each.
const BUILD: [(&str, &str); 8] = [
    ("etc/ssh/ssh_host_ed25519_key", BAKED),
    (
        "etc/iscsi/initiatorname.iscsi",
        "InitiatorName=iqn.1993-08.org.debian:01:build\n",
    ),
    (
        "etc/nvme/hostnqn",
        "nqn.2014-08.org.nvmexpress:uuid:11111111-2222-3333-4444-555555555555\n",
    ),
    ("etc/nvme/hostid", "11111111-2222-3333-4444-555555555555\n"),
    ("var/lib/NetworkManager/secret_key", "nm-v2:build"),
    ("etc/rancher/agent/cattle-id", "build\n"),
    ("var/lib/cloud/data/instance-id", "i-build\n"),
    ("home/builder/.ssh/authorized_keys", BUILD_KEY),
];

/// What is spoiled on the node, and the check that must tell it.
const SPOILED: [(&str, &str, &str); 31] = [
    ("etc/machine-id", ID, "identity:machine-id"),
    ("etc/machine-id", "", "identity:machine-id"),
    ("var/lib/dbus/machine-id", ID, "identity:dbus-id"),
    (
        "etc/ssh/ssh_host_ed25519_key",
        BAKED,
        "identity:ssh-host-keys",
    ),
    (
        "etc/ssh/ssh_host_ecdsa_key",
        BAKED,
        "identity:ssh-host-keys",
    ),
    (
        "etc/ssh/ssh_host_ed25519_key.pub",
        BUILD_KEY,
        "identity:ssh-host-keys",
    ),
    (
        "etc/nvme/hostid",
        "11111111-2222-3333-4444-555555555555\n",
        "identity:nvme-host",
    ),
    ("etc/iscsi/initiatorname.iscsi", "", "identity:iscsi-name"),
    ("etc/hostname", "builder-7\n", "identity:hostname"),
    ("etc/hostname", "localhost\n", "identity:hostname"),
    ("etc/hosts", "127.0.1.1 builder-7\n", "identity:hostname"),
    (
        "var/lib/cloud/data/instance-id",
        "i-build\n",
        "identity:cloud-instance",
    ),
    (
        "run/cloud-init/cloud-id",
        "none\n",
        "identity:cloud-instance",
    ),
    (
        "etc/iscsi/initiatorname.iscsi",
        "InitiatorName=iqn.1993-08.org.debian:01:build\n",
        "identity:iscsi-name",
    ),
    (
        "etc/iscsi/initiatorname.iscsi",
        "InitiatorName=iqn.x:1\nInitiatorName=iqn.x:2\n",
        "identity:iscsi-name",
    ),
    (
        "etc/iscsi/initiatorname.iscsi",
        "InitiatorName=node\n",
        "identity:iscsi-name",
    ),
    (
        "etc/nvme/hostnqn",
        "nqn.2014-08.org.nvmexpress:uuid:11111111-2222-3333-4444-555555555555\n",
        "identity:nvme-host",
    ),
    (
        "etc/nvme/hostid",
        "99999999-2222-3333-4444-555555555555\n",
        "identity:nvme-host",
    ),
    (
        "var/lib/NetworkManager/secret_key",
        "nm-v2:build",
        "identity:nm-secret-key",
    ),
    (
        "etc/rancher/agent/cattle-id",
        "build\n",
        "identity:cattle-id",
    ),
    (
        "etc/rancher/agent/cattle-id",
        "other\n",
        "identity:cattle-id",
    ),
    (
        "boot/loader/entries/0123456789abcdef0123456789abcdef-6.1.conf",
        "",
        "identity:boot-entries",
    ),
    (
        "etc/kernel/entry-token",
        "0123456789abcdef0123456789abcdef\n",
        "identity:boot-entries",
    ),
    ("etc/rancher/node/password", "x", "identity:never-joined"),
    (
        "var/lib/rancher/rke2/server/token",
        "x",
        "identity:never-joined",
    ),
    (
        "var/lib/kubelet/cpu_manager_state",
        "{}",
        "identity:never-joined",
    ),
    (
        "var/lib/longhorn/longhorn-disk.cfg",
        "{}",
        "identity:never-joined",
    ),
    (
        "home/builder/.ssh/authorized_keys",
        BUILD_KEY,
        "identity:authorized-keys",
    ),
    (
        "root/.ssh/authorized_keys2",
        BUILD_KEY,
        "identity:authorized-keys",
    ),
    (
        "etc/sudoers.d/90-cloud-init-users",
        "packer ALL=(ALL) NOPASSWD:ALL\n",
        "identity:build-account",
    ),
    ("etc/ssh/ssh_host_rsa_key", "", "identity:ssh-host-keys"),
];

fn sealed() -> Mini {
    let mini = Mini::new();
    for (path, text) in BUILD {
        mini.put(path, text);
    }
    let set = [
        "--set",
        "refuse_build_keys=true",
        "--set",
        "build_account=packer",
    ];
    assert_eq!(code(&mini.bake(&set)), 0);
    assert_eq!(code(&mini.run(&["generalize"])), 0);
    mini
}

/// A clone of it that made its own identity, and no stamp yet.
fn node() -> Mini {
    let mini = sealed();
    std::fs::remove_file(mini.path().join("etc/machine-id")).unwrap();
    mini.put("etc/machine-id", "fedcba9876543210fedcba9876543210\n");
    mini.put("etc/hostname", "node-1\n");
    mini.put("etc/ssh/ssh_host_ed25519_key", PRIVATE);
    let key = mini.path().join("etc/ssh/ssh_host_ed25519_key");
    std::fs::set_permissions(key, std::fs::Permissions::from_mode(0o600)).unwrap();
    mini.put("var/lib/cloud/data/instance-id", "i-1\n");
    mini.put(
        "etc/nvme/hostnqn",
        "nqn.2014-08.org.nvmexpress:uuid:aaaaaaaa-2222-3333-4444-555555555555\n",
    );
    mini.put("etc/nvme/hostid", "aaaaaaaa-2222-3333-4444-555555555555\n");
    mini
}

fn verdict(mini: &Mini, place: &str) -> Vec<String> {
    let told = json(&mini.run(&["verify", "--place", place, "--json"]));
    let mut told = drift(&told);
    told.retain(|id| id.starts_with("identity:"));
    told
}

#[test]
fn each_spoiled_identifier_is_told_by_its_own_check() {
    let mini = node();
    assert_eq!(verdict(&mini, "node"), Vec::<String>::new(), "it is itself");
    for (path, text, id) in SPOILED {
        // Put aside and not written over: what is a symlink would be followed.
        let (at, kept) = (mini.path().join(path), mini.path().join("kept"));
        let had = std::fs::rename(&at, &kept).is_ok();
        mini.put(path, text);
        assert_eq!(verdict(&mini, "node"), [id], "{path} {text:?}");
        std::fs::remove_file(&at).unwrap();
        if had {
            std::fs::rename(&kept, &at).unwrap();
        }
    }
    assert_eq!(
        verdict(&mini, "node"),
        Vec::<String>::new(),
        "all is as it was"
    );
}

#[test]
fn what_a_cluster_left_is_told_before_the_stamp_only() {
    let mini = node();
    mini.put("etc/rancher/node/password", "x");
    assert_eq!(verdict(&mini, "node"), ["identity:never-joined"]);
    let stamp = "{\"schema\":1,\"machine\":\"x\",\"instance\":\"i-1\",\"host_keys\":[],\"at\":1}";
    mini.put("var/lib/nodeagent/firstboot.json", stamp);
    assert_eq!(verdict(&mini, "node"), Vec::<String>::new());
}

/// A cpio archive with one file, as dracut's host-only mode would leave it.
fn initramfs(content: &str) -> String {
    let entry = |name: &str, mode: u32, text: &str| {
        let head = [0, mode, 0, 0, 1, 0, u32::try_from(text.len()).unwrap()];
        let tail = [0, 0, 0, 0, u32::try_from(name.len() + 1).unwrap(), 0];
        let numbers = head.iter().chain(&tail).map(|n| format!("{n:08X}"));
        let numbers = numbers.collect::<Vec<_>>().concat();
        let pad =
            |text: String| text.clone() + &"\0".repeat(text.len().next_multiple_of(4) - text.len());
        pad(format!("070701{numbers}{name}\0")) + &pad(text.to_owned())
    };
    entry("etc/machine-id", 0o100_644, content) + &entry("TRAILER!!!", 0, "")
}

#[test]
fn an_initramfs_with_the_builder_s_identity_is_not_sealed() {
    let mini = Mini::new();
    mini.put(INITRAMFS, &initramfs(&format!("{ID}\n")));
    assert_eq!(code(&mini.bake(&[])), 0);
    let refused = mini.run(&["generalize"]);
    assert_ne!(code(&refused), 0);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    let said = said + &String::from_utf8_lossy(&refused.stdout);
    assert!(
        said.contains("identity:initramfs") && !said.contains(ID),
        "{said}"
    );
    mini.put(INITRAMFS, &initramfs(""));
    assert_eq!(code(&mini.run(&["generalize"])), 0);
    assert_eq!(verdict(&mini, "image"), Vec::<String>::new());
    mini.put(INITRAMFS, &initramfs(&format!("{ID}\n")));
    assert_eq!(verdict(&mini, "image"), ["identity:initramfs"], "put back");
}
