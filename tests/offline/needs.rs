//! A hardened image that could not join fails at its build: the bake names what is in the way, and the seal is not closed.
//! It is separate because here the whole way counts, not the judgement of one entry.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Output;

use crate::support::offline::{Mini, code, json};

fn mini() -> Mini {
    let mini = Mini::new();
    for name in ["iptables", "iptables-restore", "ip6tables"] {
        let path = format!("usr/sbin/{name}");
        mini.put(&path, "");
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(mini.path().join(path), mode).unwrap();
    }
    mini.put(
        "etc/ssh/sshd_config",
        "Include /etc/ssh/sshd_config.d/*.conf\n",
    );
    mini
}

fn run(mini: &Mini, verb: &[&str]) -> Output {
    mini.run(verb)
}

fn bake(mini: &Mini) -> Output {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/needs");
    let policy = folder.to_str().unwrap();
    run(
        mini,
        &["bake", "--profile", "needs", "--policy", policy, "--json"],
    )
}

/// What is put in the tree, and the entry that must stop the build, with a word of what it says.
const VIOLATIONS: &[(&str, &str, &str, &str)] = &[
    (
        "etc/sysctl.d/99-cis.conf",
        "net.ipv4.ip_forward = 0\n",
        "sysctl:/etc/sysctl.d/90-rke2.conf",
        "0 from /etc/sysctl.d/99-cis.conf:1",
    ),
    (
        "etc/sysctl.conf",
        "kernel.panic = 0\n",
        "sysctl:/etc/sysctl.d/90-rke2.conf",
        "0 from /etc/sysctl.conf:1",
    ),
    (
        "etc/sysctl.d/99-cis.conf",
        "vm.overcommit_memory = 0\n",
        "sysctl:/etc/sysctl.d/90-rke2.conf",
        "99-cis.conf",
    ),
    (
        "etc/sysctl.d/99-stig.conf",
        "net.ipv4.conf.all.rp_filter = 1\n",
        "need:rp-filter",
        "99-stig.conf",
    ),
    (
        "etc/sysctl.d/99-stig.conf",
        "user.max_user_namespaces = 0\n",
        "need:namespaces",
        "99-stig.conf",
    ),
    (
        "etc/modprobe.d/cis.conf",
        "install br_netfilter /bin/true\n",
        "need:modules",
        "cis.conf:1",
    ),
    (
        "etc/fstab",
        "UUID=v /var ext4 noexec 0 2\n",
        "need:exec",
        "/var is noexec",
    ),
    (
        "etc/iptables/rules.v4",
        "*filter\n:FORWARD DROP [0:0]\n",
        "need:forward",
        "FORWARD DROP",
    ),
    (
        "etc/ssh/sshd_config.d/00-a.conf",
        "PermitRootLogin yes\n",
        "sshd:/etc/ssh/sshd_config.d/00-nodeagent.conf",
        "00-a.conf:1",
    ),
];

#[test]
fn a_conflict_stops_the_bake_and_the_seal() {
    let sound = mini();
    assert_eq!(code(&bake(&sound)), 0);
    for (path, text, entry, word) in VIOLATIONS {
        let mini = mini();
        mini.put(path, text);
        let baked = bake(&mini);
        assert_eq!(code(&baked), 1, "{path}");
        let failed = json(&baked)["failed"].clone();
        let failed = failed.as_array().unwrap();
        assert!(
            failed
                .iter()
                .any(|f| f["id"] == *entry && f["error"].as_str().unwrap().contains(word)),
            "{path}: {failed:?}"
        );
    }
}

#[test]
fn what_is_hardened_after_the_bake_stops_the_seal() {
    for (path, text, entry, _) in VIOLATIONS {
        let mini = mini();
        assert_eq!(code(&bake(&mini)), 0);
        mini.put(path, text);
        let sealed = run(&mini, &["generalize", "--json"]);
        assert_eq!(code(&sealed), 1, "{path}");
        let said = String::from_utf8_lossy(&sealed.stdout).into_owned();
        assert!(said.contains(entry), "{path}: {said}");
        let seal = mini.text("etc/packer-build/seal.json");
        assert!(!seal.contains("\"closed\""), "{path}: {seal}");
    }
    let mini = mini();
    assert_eq!(code(&bake(&mini)), 0);
    assert_eq!(code(&run(&mini, &["generalize"])), 0);
}

#[test]
fn a_program_that_is_gone_and_a_service_that_is_on_are_told_on_the_image() {
    let mini = mini();
    assert_eq!(code(&bake(&mini)), 0);
    std::fs::remove_file(mini.path().join("usr/sbin/iptables")).unwrap();
    mini.put(
        "usr/lib/systemd/system/firewalld.service",
        "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n",
    );
    let wants = mini
        .path()
        .join("etc/systemd/system/multi-user.target.wants");
    std::fs::create_dir_all(&wants).unwrap();
    symlink(
        "/usr/lib/systemd/system/firewalld.service",
        wants.join("firewalld.service"),
    )
    .unwrap();
    let verdict = json(&run(&mini, &["verify", "--json"]));
    let drift = super::drift(&verdict);
    for id in ["need:iptables", "unit:firewalld.service"] {
        assert!(drift.iter().any(|found| found == id), "{drift:?}");
    }
}
