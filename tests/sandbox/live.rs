//! Children of a booted machine: maintainer scripts reach its systemd, see its processes, and leave nothing behind.
//! Separate because this is why children there have no PID namespace of their own.

use super::{PROGRAM, apt};
use crate::support::machine::{cache, nspawn::Machine};
use std::path::Path;

/// Runs a program as nodeagent's child in the machine.
fn child(machine: &Machine, program: &str) -> String {
    // systemd-run takes $$ for one $.
    let script =
        format!("/usr/bin/nodeagent __child supervise $$$$ - {program} 2>&1; echo code $?");
    machine.ok(&["sh", "-c", &script]).unwrap()
}

#[test]
fn scripts_reach_systemd_and_see_the_machines_processes() {
    let tree = apt::tree("live");
    let logs = cache::target_dir().join("machines/log");
    let machine = Machine::boot(&tree.path(), "live", &logs).unwrap();
    machine
        .copy_in(Path::new(PROGRAM), "/usr/bin/nodeagent", "0755")
        .unwrap();
    machine.ok(&["apt-get", "update"]).unwrap();

    let installed = child(
        &machine,
        "env DEBIAN_FRONTEND=noninteractive apt-get -y install daemon",
    );
    assert!(installed.ends_with("code 0\n"), "{installed}");
    // Started by the maintainer script through systemd, so it is no descendant and lives on.
    assert_eq!(
        machine.unit("daemon.service", "ActiveState").unwrap(),
        "active"
    );
    assert_eq!(
        machine.unit("daemon.service", "UnitFileState").unwrap(),
        "enabled"
    );

    let seen = child(
        &machine,
        "sh -c 'cat /proc/1/comm; systemctl is-active dbus; grep -l sleep /proc/[0-9]*/comm'",
    );
    let pid = machine.unit("daemon.service", "MainPID").unwrap();
    assert!(
        seen.contains("systemd\nactive\n") && seen.contains(&format!("/proc/{pid}/comm")),
        "{seen}"
    );

    let left = child(
        &machine,
        "sh -c '(setsid sleep 777 >/dev/null 2>&1 &) ; echo begun'",
    );
    assert_eq!(left, "begun\ncode 0\n");
    let sleeping = machine
        .ok(&["sh", "-c", "grep -lx sleep /proc/[0-9]*/comm"])
        .unwrap();
    assert_eq!(
        sleeping,
        format!("/proc/{pid}/comm\n"),
        "only the service sleeps"
    );
    machine.power_off().unwrap();
}
