//! A sealed tree as a node that has joined a cluster: what RKE2, kube-proxy and the CNI own there is no drift.
//! It is separate because it is the other half of place `image`: the same paths that were removed must be there now.

use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::drift;
use crate::support::offline::{Mini, code, json};

/// Keys in the files' own format; the bytes are filler, and others than the builder's.
const PUBLIC: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB root@node\n";
const PRIVATE: &str = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZWQyNTUxOQAAACABAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ==\n-----END OPENSSH PRIVATE KEY-----\n";
const WANTS: &str = "etc/systemd/system/multi-user.target.wants";

/// What is on a node's disk after the first boot and the join.
const STATE: [(&str, &str); 24] = [
    ("etc/machine-id", "fedcba9876543210fedcba9876543210\n"),
    ("etc/hostname", "node-1\n"),
    ("etc/ssh/ssh_host_ed25519_key", PRIVATE),
    ("etc/ssh/ssh_host_ed25519_key.pub", PUBLIC),
    (
        "home/builder/.ssh/authorized_keys",
        "ssh-ed25519 AAAA operator\n",
    ),
    (
        "etc/sudoers.d/90-cloud-init-users",
        "builder ALL=(ALL) NOPASSWD:ALL\n",
    ),
    ("etc/netplan/50-cloud-init.yaml", "network: {}\n"),
    ("var/lib/cloud/data/instance-id", "i-1\n"),
    ("var/lib/systemd/random-seed", "seed"),
    (
        "var/lib/nodeagent/firstboot.json",
        "{\"schema\":1,\"machine\":\"x\",\"instance\":\"i-1\",\"host_keys\":[],\"at\":1}",
    ),
    ("var/log/syslog", "node-1 booted\n"),
    (
        "var/log/journal/fedcba9876543210fedcba9876543210/system.journal",
        "x",
    ),
    ("etc/rancher/node/password", "0123"),
    (
        "etc/rancher/rke2/config.yaml",
        "server: https://192.0.2.1:9345\ntoken: K10abc::server:def\n",
    ),
    ("etc/rancher/rke2/rke2.yaml", "client-key-data: LS0t\n"),
    // The SHA-256 of the machine-id's file, as Rancher's installer takes it.
    (
        "etc/rancher/agent/cattle-id",
        "20f22e5119f6cc178b9e72d4966fc627ec1fb90c73dccd1eba7d45cc45312892\n",
    ),
    ("var/lib/rancher/agent/rancher2_connection_info.json", "{}"),
    (
        "var/lib/rancher/rke2/agent/client-kubelet.key",
        "-----BEGIN EC PRIVATE KEY-----\n",
    ),
    ("var/lib/rancher/rke2/agent/kubelet.kubeconfig", "x"),
    (
        "var/lib/rancher/rke2/agent/etc/containerd/config.toml",
        "version = 3\n",
    ),
    ("var/lib/kubelet/cpu_manager_state", "{}"),
    ("etc/cni/net.d/05-cilium.conflist", "{}"),
    // Cilium's own overrides, as it writes them to the disk.
    (
        "etc/sysctl.d/99-zzz-override_cilium.conf",
        "-net.ipv4.conf.lxc*.rp_filter = 0\n-net.ipv4.conf.cilium_*.rp_filter = 0\nnet.ipv4.conf.all.rp_filter = 0\n",
    ),
    ("var/lib/calico/nodename", "node-1"),
];

fn joined() -> Mini {
    let mini = Mini::new();
    for role in ["server", "agent"] {
        mini.put(
            &format!("usr/lib/systemd/system/rke2-{role}.service"),
            "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n",
        );
    }
    assert_eq!(code(&mini.bake(&[])), 0);
    assert_eq!(code(&mini.run(&["generalize"])), 0);
    std::fs::remove_file(mini.path().join("etc/machine-id")).unwrap();
    for (path, text) in STATE {
        mini.put(path, text);
    }
    let key = mini.path().join("etc/ssh/ssh_host_ed25519_key");
    std::fs::set_permissions(key, std::fs::Permissions::from_mode(0o600)).unwrap();
    enable(&mini, "agent");
    mini
}

fn enable(mini: &Mini, role: &str) {
    let unit = format!("rke2-{role}.service");
    let wants = mini.path().join(WANTS);
    symlink(format!("/usr/lib/systemd/system/{unit}"), wants.join(unit)).unwrap();
}

/// Exit code and the entries that drift, at the place that the stamp tells.
fn verdict(mini: &Mini) -> (i32, Vec<String>) {
    let output = mini.run(&["verify", "--json"]);
    let told = json(&output);
    assert_eq!(told["place"], "node");
    (code(&output), drift(&told))
}

#[test]
fn a_node_that_has_joined_conforms() {
    let mini = joined();
    assert_eq!(verdict(&mini), (0, Vec::new()));
    let image = mini.run(&["verify", "--place", "image", "--json"]);
    assert_eq!(code(&image), 3, "the same tree is no image");
    let told = drift(&json(&image));
    for id in ["scrub:kubelet-state", "scrub:cni-state", "scrub:machine-id"] {
        assert!(told.contains(&id.to_owned()), "{id}: {told:?}");
    }
}

#[test]
fn both_roles_or_a_real_drift_are_found_on_it() {
    let mini = joined();
    enable(&mini, "server");
    let both = (3, vec!["inventory:exclusive-units".to_owned()]);
    assert_eq!(verdict(&mini), both);
    std::fs::remove_file(mini.path().join(WANTS).join("rke2-server.service")).unwrap();
    for (path, text, id) in [
        ("etc/motd", "changed\n", "file:/etc/motd"),
        (
            "etc/sysctl.d/99-zzz-other.conf",
            "net.ipv4.ip_forward = 0\n",
            "sysctl:/etc/sysctl.d/90-rke2.conf",
        ),
        (
            "etc/machine-id",
            "0123456789abcdef0123456789abcdef\n",
            "identity:machine-id",
        ),
    ] {
        let old = std::fs::read(mini.path().join(path)).ok();
        mini.put(path, text);
        let (exit, told) = verdict(&mini);
        assert!(
            exit != 0 && told.contains(&id.to_owned()),
            "{path}: {exit} {told:?}"
        );
        match old {
            Some(bytes) => std::fs::write(mini.path().join(path), bytes).unwrap(),
            None => std::fs::remove_file(mini.path().join(path)).unwrap(),
        }
    }
    assert_eq!(verdict(&mini), (0, Vec::new()), "all is as it was");
}
