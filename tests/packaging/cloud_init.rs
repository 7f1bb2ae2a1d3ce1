//! User data for the build machine and the nodes, under cloud-init's own schema.
//! It is separate because cloud-init runs in the stock root of the machine rig, not on this machine.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use nix::mount::{MsFlags, mount};

use super::text;
use crate::support::machine::rootfs;
use crate::support::machine::run::run;
use crate::support::namespace::{bind, empty, in_namespaces};

/// What Terraform, or a person with an editor, puts in the place of the variables.
const VALUES: &[(&str, &str)] = &[
    (
        "${jsonencode(ssh_authorized_keys)}",
        "[\"ssh-ed25519 AAAA a@b\"]",
    ),
    ("${ssh_public_key}", "ssh-ed25519 AAAA a@b"),
    ("${package_update}", "true"),
    ("${ingress_pool_start}", "203.0.113.202"),
    ("${ingress_pool_stop}", "203.0.113.220"),
    ("${ingress_interface}", "eth1"),
];

fn rendered(name: &str) -> String {
    let mut text = text(&format!("packaging/cloud-init/{name}"));
    for (variable, value) in VALUES {
        text = text.replace(variable, value);
    }
    assert!(!text.contains("${"), "{name} has a variable without value");
    text
}

/// What `cloud-init schema` says of a file, in the stock root, of which nothing is written.
fn judge(dir: &Path, name: &str, text: &str) -> (i32, String) {
    std::fs::write(dir.join(name), text).unwrap();
    let stock = rootfs::stock().unwrap().path;
    in_namespaces(|| {
        let root = stock.to_str().unwrap();
        bind(&stock, root);
        let flags = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
        mount(None::<&str>, root, None::<&str>, flags, None::<&str>).unwrap();
        bind(dir, &format!("{root}/mnt"));
        for folder in ["run", "tmp", "var/log"] {
            empty(&format!("{root}/{folder}"));
        }
        let mut command = Command::new("chroot");
        command.args([root, "cloud-init", "schema", "--config-file"]);
        command.arg(format!("/mnt/{name}"));
        let done = run(&mut command, Duration::from_mins(3)).unwrap();
        (done.code, done.stdout + &done.stderr)
    })
}

#[test]
fn user_data_passes_the_schema_of_cloud_init() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["build.yaml", "control-plane.yaml", "worker.yaml"] {
        let (code, said) = judge(dir.path(), name, &rendered(name));
        assert_eq!(code, 0, "{name}: {said}");
    }
    let faults = [
        (
            "worker.yaml",
            "package_update: true",
            "package_update: perhaps",
        ),
        (
            "control-plane.yaml",
            "permissions: \"0644\"",
            "permissions: 420",
        ),
        (
            "build.yaml",
            "#cloud-config",
            "# this is not what cloud-init looks for",
        ),
    ];
    for (name, from, to) in faults {
        let broken = rendered(name).replacen(from, to, 1);
        let (code, said) = judge(dir.path(), name, &broken);
        assert_ne!(code, 0, "{name} with {to}: {said}");
    }
}

#[test]
fn the_control_plane_brings_both_manifests_and_a_worker_none() {
    let control = rendered("control-plane.yaml");
    for line in [
        "kind: CiliumLoadBalancerIPPool",
        "kind: CiliumL2AnnouncementPolicy",
        "- start: \"203.0.113.202\"",
        "stop: \"203.0.113.220\"",
        "- \"^eth1$\"",
        "- key: node-role.kubernetes.io/control-plane",
        "externalIPs: true",
        "loadBalancerIPs: true",
        "- path: /var/lib/rancher/rke2/server/manifests/cilium-lb-ippool.yaml",
        "- path: /var/lib/rancher/rke2/server/manifests/cilium-l2-policy.yaml",
    ] {
        assert!(control.lines().any(|l| l.trim() == line), "{line}");
    }
    let worker = rendered("worker.yaml");
    assert!(!worker.contains("write_files") && !worker.contains("packages:"));
    for data in [control, worker] {
        assert!(data.contains("\nssh_authorized_keys: [\"ssh-ed25519"));
        assert!(data.contains("\npackage_update: true\n"));
    }
}
