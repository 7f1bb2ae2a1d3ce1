//! A booted machine whose D-Bus or journald is gone: the agent says so, stops there, and goes on once it is back.
//! Separate because it takes away what a whole run of the agent leans on, and needs a machine of its own for that.

use super::{PROGRAM, debian};
use crate::support::machine::{cache, nspawn::Machine, run};
use crate::support::offline::policy;
use std::path::Path;
use std::process::Command;

const UNITS: [&str; 2] = ["demo.service", "noise.service"];
const UNIT: &str =
    "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n";
const BAKE: [&str; 7] = [
    "/usr/local/bin/nodeagent",
    "bake",
    "--profile",
    "mini",
    "--policy",
    "/srv/policy",
    "--build-machine",
];

/// A journal of the build.
const OLD: &str = "/var/log/journal/0123456789abcdef0123456789abcdef/system.journal";

/// Runs in the machine by way of its process 1, which needs no bus for that.
fn sh(machine: &Machine, script: &str) -> run::Done {
    machine.run(&["sh", "-c", script]).unwrap()
}

#[test]
fn without_a_bus_or_a_journal_it_says_so_and_goes_on_later() {
    let tree = debian("outage");
    for name in UNITS {
        std::fs::write(tree.path().join("usr/lib/systemd/system").join(name), UNIT).unwrap();
    }
    let mut copy = Command::new("cp");
    copy.arg("-r")
        .arg(policy())
        .arg(tree.path().join("srv/policy"));
    assert!(copy.status().unwrap().success());
    let logs = cache::target_dir().join("machines/log");
    let machine = Machine::boot(&tree.path(), "outage", &logs).unwrap();
    let program = "/usr/local/bin/nodeagent";
    machine
        .copy_in(Path::new(PROGRAM), program, "0755")
        .unwrap();

    no_bus(&machine);
    no_journal(&machine);
    machine.power_off().unwrap();
    let seal = std::fs::read_to_string(tree.path().join("etc/packer-build/seal.json")).unwrap();
    assert!(seal.contains("\"closed\""), "{seal}");
    assert!(!tree.path().join(OLD.trim_start_matches('/')).exists());
}

/// The socket is moved away: nothing of the run itself goes over it.
fn no_bus(machine: &Machine) {
    let bus = "/run/dbus/system_bus_socket";
    let bake = BAKE.join(" ");
    let script = format!("mv {bus} {bus}.away; {bake}; code=$?; mv {bus}.away {bus}; exit $code");
    let done = sh(machine, &script);
    assert_eq!(done.code, 1, "{}\n{}", done.stdout, done.stderr);
    for word in [
        bus,
        "No such file",
        "(next: check that dbus runs",
        "mend what keeps it from being looked at",
        "unit:demo.service",
    ] {
        assert!(
            done.stdout.contains(word),
            "{word}: {}\n{}",
            done.stdout,
            done.stderr
        );
    }
    assert_eq!(
        machine.unit("demo.service", "UnitFileState").unwrap(),
        "disabled"
    );
    let done = machine.run(&BAKE).unwrap();
    assert_eq!(done.code, 0, "{}\n{}", done.stdout, done.stderr);
    assert_eq!(
        machine.unit("demo.service", "UnitFileState").unwrap(),
        "enabled"
    );
}

/// Nobody is there to leave /var: what journald wrote is removed all the same.
fn no_journal(machine: &Machine) {
    let sockets =
        "systemd-journald.socket systemd-journald-dev-log.socket systemd-journald-audit.socket";
    let stop = format!("systemctl stop {sockets} systemd-journald.service");
    sh(machine, &stop);
    let active = machine.unit("systemd-journald.service", "ActiveState");
    assert_eq!(active.unwrap(), "inactive");
    let done = sh(
        machine,
        &format!("install -D /dev/null {OLD}; nodeagent generalize"),
    );
    assert_eq!(done.code, 0, "{}\n{}", done.stdout, done.stderr);
    assert!(done.stdout.contains("seal pending"), "{}", done.stdout);
}
