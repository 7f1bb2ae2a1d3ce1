//! The units in a booted machine: the closing unit stops last, and a failed gate keeps RKE2 down.
//! It is separate because it takes a machine and its judge is what was still running.

use std::fs;
use std::path::Path;

use super::tree;
use crate::support::machine::cache;
use crate::support::machine::nspawn::Machine;

const CLOSE: &str = "nodeagent-close.service";

/// Stands in for the binary: the closing run notes what is still there, and writes as the real one would.
const STAND_IN: &str = r#"#!/bin/sh
[ "$*" = "generalize --close" ] || exit 0
exec > /closing-report 2>&1
for comm in /proc/[0-9]*/comm; do echo "process $(cat "$comm" 2>/dev/null)"; done | sort -u
systemctl list-units --state=active --type=service --no-legend --plain | while read -r unit rest; do echo "unit $unit"; done
touch /var/probe /etc/probe && echo writable
echo "machine-id $(wc -c < /etc/machine-id) bytes"
journalctl --relinquish-var && find /var/log/journal -mindepth 1 -delete
echo late | systemd-cat
sleep 0.3
echo "journal $(find /var/log/journal -mindepth 1 | wc -l) files"
rm -f /var/lib/systemd/random-seed
: > /var/log/wtmp
echo end
"#;

/// What must be over when the seal is closed: the way in, the network, and whoever writes at shutdown.
fn too_late(report: &str) -> Vec<String> {
    let gone = [
        "process sshd",
        "process NetworkManager",
        "process dhclient",
        "process cron",
        "process rsyslogd",
        "process containerd",
        "process dbus-daemon",
        "process systemd-logind",
        "unit ssh.service",
        "unit cron.service",
        "unit NetworkManager.service",
        "unit systemd-random-seed.service",
        "unit systemd-update-utmp.service",
    ];
    let mut wrong: Vec<String> = report
        .lines()
        .filter(|l| gone.contains(l))
        .map(str::to_owned)
        .collect();
    for wanted in [
        "process systemd-journal",
        "writable",
        "machine-id 0 bytes",
        "journal 0 files",
        "end",
    ] {
        if !report.lines().any(|line| line == wanted) {
            wrong.push(format!("not seen: {wanted}"));
        }
    }
    wrong
}

/// Boots the tree and brings it to where generalize leaves it.
fn generalized(root: &Path) -> Machine {
    let log = cache::target_dir().join("machines/log");
    let machine = Machine::boot(root, "closing", &log).unwrap();
    for unit in ["nodeagent-firstboot", "systemd-random-seed", "rke2-server"] {
        let state = machine
            .unit(&format!("{unit}.service"), "ActiveState")
            .unwrap();
        assert_eq!(state, "active", "{unit}");
    }
    let empty = "ls /etc/ssh/ssh_host_ed25519_key; rm /etc/machine-id; : > /etc/machine-id";
    machine.ok(&["sh", "-ec", empty]).unwrap();
    machine
        .ok(&["systemctl", "start", CLOSE, "cron.service"])
        .unwrap();
    machine
}

#[test]
fn the_closing_unit_stops_last_and_nothing_writes_after_it() {
    let tree = tree("closing", STAND_IN);
    let root = tree.path();
    // systemd saves no seed in a container; here it shall, because the order is what is tested.
    let seed = root.join("etc/systemd/system/systemd-random-seed.service.d");
    fs::create_dir_all(&seed).unwrap();
    let always = "[Unit]\nConditionVirtualization=\n";
    fs::write(seed.join("50-test.conf"), always).unwrap();
    let machine = generalized(&root);
    let refused = machine.run(&["systemctl", "stop", CLOSE]).unwrap();
    assert_ne!(refused.code, 0, "by hand it would close a machine in use");
    assert!(!root.join("closing-report").exists());
    machine.power_off().unwrap();

    let report = fs::read_to_string(root.join("closing-report")).unwrap();
    assert_eq!(too_late(&report), Vec::<String>::new(), "{report}");
    let seed = root.join("var/lib/systemd/random-seed");
    assert!(!seed.exists(), "somebody saved a seed afterwards");
    let wtmp = fs::metadata(root.join("var/log/wtmp")).unwrap().len();
    assert_eq!(wtmp, 0, "somebody logged the shutdown afterwards");
    let journals = fs::read_dir(root.join("var/log/journal")).unwrap().count();
    assert_eq!(journals, 0);
}

#[test]
fn a_closing_unit_without_its_order_would_be_noticed() {
    let report = "process sshd\nprocess systemd-journal\nwritable\nmachine-id 0 bytes\njournal 1 files\nend\n";
    assert_eq!(
        too_late(report),
        ["process sshd", "not seen: journal 0 files"]
    );
}

#[test]
fn a_gate_that_fails_keeps_rke2_down_and_leaves_its_result() {
    let fails = "#!/bin/sh\necho '{}' > /run/nodeagent/firstboot.json\nexit 1\n";
    let tree = tree("gate", fails);
    let machine = Machine::boot(
        &tree.path(),
        "gate",
        &cache::target_dir().join("machines/log"),
    )
    .unwrap();
    assert_eq!(
        machine
            .unit("nodeagent-firstboot.service", "ActiveState")
            .unwrap(),
        "failed"
    );
    assert_eq!(
        machine.unit("rke2-server.service", "ActiveState").unwrap(),
        "inactive"
    );
    assert_ne!(
        machine
            .run(&["systemctl", "start", "rke2-agent.service"])
            .unwrap()
            .code,
        0
    );
    assert_eq!(
        machine.read("/run/nodeagent/firstboot.json").unwrap(),
        "{}\n"
    );
}

/// The real binary in the gate's sandbox: it gets as far as the seal, and says that there is none.
#[test]
fn the_sandbox_leaves_the_gate_what_it_needs() {
    let tree = tree("sandbox", "");
    let root = tree.path();
    fs::copy(
        env!("CARGO_BIN_EXE_nodeagent"),
        root.join("usr/bin/nodeagent"),
    )
    .unwrap();
    let log = cache::target_dir().join("machines/log");
    let machine = Machine::boot(&root, "sandbox", &log).unwrap();
    let result = machine.read("/run/nodeagent/firstboot.json").unwrap();
    assert!(result.contains("there is no seal"), "{result}");
    let code = machine
        .unit("nodeagent-firstboot.service", "ExecMainStatus")
        .unwrap();
    assert_eq!(code, "4", "refused");
    let state = machine.unit("rke2-server.service", "ActiveState").unwrap();
    assert_eq!(state, "inactive");
}
