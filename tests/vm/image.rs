//! The build machine: baked in a VM with its own kernel, generalized, powered off, and closed.
//! Separate from the nodes because a fault of the image shows here first.

use crate::support::{
    machine::cache,
    vm::golden::{self, Golden},
};
use std::{path::PathBuf, sync::OnceLock};

/// The shipped binary, as it comes to a build machine.
pub(super) fn binary() -> PathBuf {
    let path = cache::target_dir().join("x86_64-unknown-linux-gnu/release/nodeagent");
    assert!(
        path.exists(),
        "{} is missing: `make static` builds it",
        path.display()
    );
    path
}

/// The image that all tests of this tier share.
pub(super) fn golden() -> &'static Golden {
    static GOLDEN: OnceLock<Golden> = OnceLock::new();
    GOLDEN.get_or_init(|| golden::image(&binary()).unwrap_or_else(|error| panic!("{error}")))
}

fn json(fact: &str) -> serde_json::Value {
    let text = golden().fact(fact);
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{fact}: {error}\n{text}"))
}

#[test]
fn a_vm_is_baked_once_and_has_what_a_container_cannot_have() {
    let golden = golden();
    // The package brought the program, and the image keeps it as one.
    assert!(golden.fact("package").contains("/usr/bin/nodeagent\n"));
    assert!(json("bake")["changes"].as_u64().unwrap() > 0);
    assert_eq!(
        json("bake_again")["changes"],
        0,
        "{}",
        golden.fact("bake_again")
    );
    let modules = golden.fact("modules");
    for module in [
        "br_netfilter",
        "overlay",
        "nf_conntrack",
        "ip_vs",
        "ip_vs_sh",
    ] {
        let loaded = |line: &str| line.split(' ').next() == Some(module);
        assert!(
            modules.lines().any(loaded),
            "{module} is not loaded:\n{modules}"
        );
    }
    let sysctls = golden.fact("sysctls");
    for line in [
        "net.bridge.bridge-nf-call-iptables = 1",
        "net.bridge.bridge-nf-call-ip6tables = 1",
        "net.ipv4.ip_forward = 1",
        "net.netfilter.nf_conntrack_max = 1048576",
        "vm.overcommit_memory = 1",
        "kernel.panic = 10",
    ] {
        assert!(
            sysctls.lines().any(|found| found == line),
            "not in force: {line}"
        );
    }
}

#[test]
fn the_unit_that_stops_last_closes_the_seal_and_nothing_else_does() {
    let golden = golden();
    assert_eq!(json("generalize")["state"], "pending");
    assert_eq!(golden.fact("closing"), "");
    // The plug pulled before and after it.
    assert_eq!(json("pending.seal")["state"], "pending");
    assert_eq!(json("closed.seal")["state"], "closed");
    assert_eq!(json("golden.seal")["state"], "closed");
    for (disk, exit) in [("pending", "3"), ("closed", "0"), ("golden", "0")] {
        let said = golden.fact(&format!("{disk}.verify"));
        let found = golden.fact(&format!("{disk}.verify.exit"));
        assert_eq!(found, exit, "{disk}: {said}");
    }
    assert_eq!(
        golden.fact("traces"),
        "",
        "files of the image that know the build machine"
    );
    assert!(
        golden.fact("manifest").contains("2023-11-14T22:13:20Z"),
        "the time that was stated"
    );
}

#[test]
fn what_was_deleted_leaves_the_image_file() {
    let bytes = |fact: &str| golden().fact(fact).parse::<u64>().unwrap();
    let (before, after) = (bytes("bytes_before"), bytes("bytes_after"));
    assert!(
        after < before,
        "fstrim: {before} bytes before, {after} after"
    );
}
