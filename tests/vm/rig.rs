//! Proves the VM rig itself.
//! Separate so that a broken rig is told apart from a broken agent.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests look at the host's own files, and run programs on them"
)]

use crate::support::{machine::run, vm::tools};
use std::{fs, process::Command, time::Duration};

const LIMIT: Duration = Duration::from_mins(1);

#[test]
fn programs_run_from_their_own_root_on_the_hosts_files() {
    let tools = tools::qemu().unwrap();
    let before = mounts();
    let dir = tempfile::tempdir().unwrap();
    let disk = dir.path().join("a disk.qcow2");
    let mut create = tools.command("qemu-img");
    create
        .args(["create", "-q", "-f", "qcow2"])
        .arg(&disk)
        .arg("1M");
    run::ok(&mut create, LIMIT).unwrap();
    let wrapper = dir.path().join("qemu-img");
    tools.wrapper("qemu-img", &wrapper).unwrap();
    // As whoever looks for programs finds it: by its name, before all others.
    let path = std::env::var("PATH").unwrap();
    let mut wrapped = Command::new(&wrapper);
    wrapped.env("PATH", format!("{}:{path}", dir.path().display()));
    let said = run::ok(wrapped.arg("info").arg(&disk), LIMIT).unwrap();
    assert!(said.contains("virtual size: 1 MiB"), "{said}");
    let mut version = tools.command("qemu-system-x86_64");
    let said = run::ok(version.arg("--version"), LIMIT).unwrap();
    assert!(said.contains("version 10."), "{said}");
    assert_eq!(mounts(), before, "nothing of it reached the host");
}

/// Those of the tools alone: other tests mount other things meanwhile.
fn mounts() -> Vec<String> {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let ours = |line: &&str| line.contains("/tools-qemu-");
    table.lines().filter(ours).map(str::to_owned).collect()
}
