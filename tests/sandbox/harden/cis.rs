//! CIS-level settings on a node, from end to end with the real binary: sealed image, stamped node, bake, audit.
//! It is separate because place `node` alone takes them, and the image's own profile must not ask for them.

use std::path::Path;
use std::process::Output;

use serde_json::Value;

use super::Bed;
use crate::support::offline::{code, command, json};

const CIS: [&str; 2] = ["--profile", "rke2-debian12-cis"];

fn run(bed: &Bed, args: &[&str]) -> Output {
    let root = bed.tree.path();
    command(&["--root", root.to_str().unwrap()])
        .args(args)
        .output()
        .unwrap()
}

/// A tree that was baked, sealed and has passed its first boot.
fn node(label: &str) -> Bed {
    let bed = Bed::new(label);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/needs");
    let bake = [
        "bake",
        "--profile",
        "needs",
        "--policy",
        folder.to_str().unwrap(),
    ];
    assert_eq!(code(&run(&bed, &bake)), 0);
    assert_eq!(code(&run(&bed, &["generalize"])), 0);
    bed
}

fn stamp(bed: &Bed) {
    bed.put(
        "/var/lib/nodeagent/firstboot.json",
        "{\"schema\":1,\"machine\":\"x\",\"instance\":null,\"host_keys\":[],\"at\":1}",
    );
}

fn findings(verdict: &Value, status: &str) -> Vec<String> {
    let all = verdict["findings"].as_array().unwrap().iter();
    let mine = all.filter(|finding| finding["status"] == status);
    mine.map(|finding| finding["id"].as_str().unwrap().to_owned())
        .collect()
}

fn bake(bed: &Bed) -> Output {
    run(
        bed,
        &[&["bake", "--place", "node", "--json"][..], &CIS].concat(),
    )
}

/// Drift of the profile's own entries; seal and inventory are those of another test.
fn drift(bed: &Bed) -> Vec<String> {
    let verdict = json(&run(bed, &[&["verify", "--json"][..], &CIS].concat()));
    let mut drift = findings(&verdict, "drift");
    drift.retain(|id| {
        id.starts_with("file:") || id.starts_with("sshd:") || id.starts_with("script:")
    });
    drift
}

/// An entry, and what undoes it on the node.
const VIOLATIONS: &[(&str, &str, &str)] = &[
    (
        "file:/etc/issue",
        "/etc/issue",
        "Debian GNU/Linux 12 \\n \\l\n",
    ),
    ("file:/etc/issue.net", "/etc/issue.net", "Debian\n"),
    ("file:/etc/motd", "/etc/motd", "welcome\n"),
    (
        "sshd:/etc/ssh/sshd_config.d/01-cis-node.conf",
        "/etc/ssh/sshd_config.d/00-a.conf",
        "MaxAuthTries 9\n",
    ),
    (
        "file:/etc/audit/rules.d/50-cis-node.rules",
        "/etc/audit/rules.d/50-cis-node.rules",
        "-D\n",
    ),
    (
        "file:/etc/security/pwquality.conf.d/50-cis-node.conf",
        "/etc/security/pwquality.conf.d/50-cis-node.conf",
        "minlen = 1\n",
    ),
    (
        "file:/etc/security/faillock.conf",
        "/etc/security/faillock.conf",
        "deny = 0\n",
    ),
    (
        "script:login-defs",
        "/etc/login.defs",
        "PASS_MAX_DAYS 99999\n",
    ),
];

#[test]
fn a_node_takes_the_settings_after_its_first_boot_and_the_audit_tells_what_is_undone() {
    let bed = node("cis");
    assert_eq!(code(&bake(&bed)), 4, "not stamped");
    stamp(&bed);
    let image = json(&run(&bed, &["verify", "--json"]));
    assert!(
        !image.to_string().contains("50-cis-node"),
        "the image's own profile does not ask for it"
    );
    let first = bake(&bed);
    assert_eq!(code(&first), 0);
    assert_eq!(json(&first)["changes"], VIOLATIONS.len());
    assert_eq!(json(&bake(&bed))["changes"], 0);
    assert!(!bed.text("/etc/issue").contains("Debian"));
    let defs = bed.text("/etc/login.defs");
    assert!(
        defs.contains("\nPASS_MAX_DAYS\t365\n") && defs.contains("ENCRYPT_METHOD"),
        "{defs}"
    );
    assert_eq!(drift(&bed), Vec::<String>::new());
    for (id, path, text) in VIOLATIONS {
        let before = std::fs::read(bed.at(path)).ok();
        bed.put(path, text);
        assert_eq!(drift(&bed), [(*id).to_owned()], "{path}");
        match before {
            Some(bytes) => std::fs::write(bed.at(path), bytes).unwrap(),
            None => std::fs::remove_file(bed.at(path)).unwrap(),
        }
    }
}

#[test]
fn apparmor_is_an_accepted_exception_until_its_last_day() {
    let bed = node("cis-exception");
    stamp(&bed);
    assert_eq!(code(&bake(&bed)), 0);
    let verify = |more: &[&str]| {
        json(&run(
            &bed,
            &[&["verify", "--json"][..], &CIS, more].concat(),
        ))
    };
    let accepted = verify(&[]);
    assert_eq!(findings(&accepted, "excepted"), ["unit:apparmor.service"]);
    assert!(accepted.to_string().contains("platform team"));
    let late = verify(&["--set", "exceptions_expire=2020-01-01"]);
    assert!(findings(&late, "drift").contains(&"unit:apparmor.service".to_owned()));
}
