//! Each fact of a sealed tree spoiled in turn: verify must name the very entry that watches it.
//! It is separate because its table is the proof that these checks can fail.

use super::{drift, sealed};
use crate::support::offline::{Mini, code, json};

#[test]
fn every_spoiled_fact_of_a_sealed_tree_is_found() {
    let cases: &[(&str, &str, &str)] = &[
        ("etc/motd", "changed\n", "file:/etc/motd"),
        (
            "etc/sysctl.d/90-rke2.conf",
            "net.ipv4.ip_forward = 0\n",
            "sysctl:/etc/sysctl.d/90-rke2.conf",
        ),
        (
            "etc/sysctl.d/99-late.conf",
            "net.ipv4.ip_forward = 0\n",
            "sysctl:/etc/sysctl.d/90-rke2.conf",
        ),
        (
            "etc/modules-load.d/rke2.conf",
            "overlay\n",
            "module:/etc/modules-load.d/rke2.conf",
        ),
        (
            "etc/machine-id",
            "0123456789abcdef0123456789abcdef\n",
            "scrub:machine-id",
        ),
        ("etc/ssh/ssh_host_rsa_key", "PRIVATE", "scrub:ssh-host-keys"),
        (
            "home/builder/.ssh/authorized_keys",
            "ssh-rsa A b\n",
            "scrub:authorized-keys",
        ),
        ("etc/leftover", "again", "absent:/etc/leftover"),
        ("etc/fstab", "/swapfile none swap sw 0 0\n", "swap:off"),
        (
            "usr/bin/nodeagent",
            "another binary",
            "file:/usr/bin/nodeagent",
        ),
        (
            "etc/passwd",
            "root:x:0:0:root:/root:/bin/bash\nbuilder:x:1000:1000::/home/builder:/bin/bash\nevil:x:0:0::/:/bin/sh\n",
            "inventory:accounts",
        ),
        (
            "var/lib/dpkg/status",
            "Package: evil\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n\n",
            "inventory:packages",
        ),
        (
            "etc/packer-build/image-manifest.json",
            "{}",
            "seal:manifest",
        ),
        (
            "etc/packer-build/bake-record.json",
            "{\"schema\":1,\"salt\":null,\"tombstones\":[],\"runs\":[]}",
            "seal:record",
        ),
    ];
    let mini = sealed();
    for (path, text, id) in cases {
        let kept = std::fs::read(mini.path().join(path)).ok();
        mini.put(path, text);
        let output = mini.run(&["verify", "--json"]);
        let found = drift(&json(&output));
        assert!(
            found.contains(&(*id).to_owned()),
            "{path}: expected {id}, found {found:?}"
        );
        // Without the manifest there is no inventory and without the record no salt: unchecked weighs more than drift.
        let want = if matches!(*id, "seal:manifest" | "seal:record") {
            1
        } else {
            3
        };
        assert_eq!(output.status.code(), Some(want), "{path}");
        match kept {
            Some(bytes) => {
                std::fs::write(mini.path().join(path), bytes).unwrap();
            }
            None => std::fs::remove_file(mini.path().join(path)).unwrap(),
        }
        let again = mini.run(&["verify", "--json"]);
        if *id != "scrub:machine-id" && *path != "usr/bin/nodeagent" {
            assert_eq!(code(&again), 0, "after {path} was put back");
        }
        if *id == "scrub:machine-id" || *path == "usr/bin/nodeagent" {
            restore_modes(&mini);
            assert_eq!(code(&mini.run(&["verify"])), 0, "after {path} was put back");
        }
    }
}

fn restore_modes(mini: &Mini) {
    use std::os::unix::fs::PermissionsExt as _;
    for (path, mode) in [("etc/machine-id", 0o444), ("usr/bin/nodeagent", 0o755)] {
        let path = mini.path().join(path);
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
}
