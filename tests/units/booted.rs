//! The units in a booted machine: the closing unit stops last, and a failed gate keeps RKE2 down.
//! It is separate because it takes a machine and its judge is what was still running.

use std::fs;

use super::tree;
use crate::support::machine::cache;
use crate::support::machine::nspawn::Machine;

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

#[test]
fn the_closing_unit_stops_last_and_nothing_writes_after_it() {
    let tree = tree("closing", STAND_IN);
    let root = tree.path();
    // systemd saves no seed in a container; here it shall, because the order is what is tested.
    let seed = root.join("etc/systemd/system/systemd-random-seed.service.d");
    fs::create_dir_all(&seed).unwrap();
    fs::write(
        seed.join("50-test.conf"),
        "[Unit]\nConditionVirtualization=\n",
    )
    .unwrap();
    let machine =
        Machine::boot(&root, "closing", &cache::target_dir().join("machines/log")).unwrap();
    for unit in [
        "nodeagent-firstboot.service",
        "systemd-random-seed.service",
        "ssh.socket",
        "rke2-server.service",
    ] {
        assert_eq!(
            machine.unit(unit, "ActiveState").unwrap(),
            "active",
            "{unit}"
        );
    }
    machine
        .ok(&[
            "sh",
            "-ec",
            "ls /etc/ssh/ssh_host_ed25519_key; rm /etc/machine-id; : > /etc/machine-id",
        ])
        .unwrap();
    machine
        .ok(&[
            "systemctl",
            "start",
            "nodeagent-close.service",
            "cron.service",
        ])
        .unwrap();
    let refused = machine
        .run(&["systemctl", "stop", "nodeagent-close.service"])
        .unwrap();
    assert_ne!(
        refused.code, 0,
        "stopped by hand it would close the seal of a machine in use"
    );
    assert!(!root.join("closing-report").exists());
    machine.power_off().unwrap();

    let report = fs::read_to_string(root.join("closing-report")).unwrap();
    assert_eq!(too_late(&report), Vec::<String>::new(), "{report}");
    assert!(
        !root.join("var/lib/systemd/random-seed").exists(),
        "somebody saved a seed afterwards"
    );
    assert_eq!(
        fs::metadata(root.join("var/log/wtmp")).unwrap().len(),
        0,
        "somebody logged the shutdown afterwards"
    );
    assert_eq!(
        fs::read_dir(root.join("var/log/journal")).unwrap().count(),
        0
    );
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
