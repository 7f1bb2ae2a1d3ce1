//! The service in a booted machine: its sandbox lets it work, systemd's restart and NetworkManager's own ways leave it right.
//! It is separate because it takes a machine with a real systemd, D-Bus and NetworkManager.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use super::lab::PROGRAM;
use super::watch::until;
use crate::support::machine::nspawn::Machine;
use crate::support::machine::tree::Tree;
use crate::support::machine::{cache, rootfs};

pub(crate) const UNIT: &str = "nodeagent-route.service";
pub(super) const SYSTEM: &str = "usr/lib/systemd/system";

/// eth1 with an address and no router, as NetworkManager keeps it.
const PROFILE: &str = "[connection]\nid=eth1\ntype=ethernet\ninterface-name=eth1\n[ipv4]\nmethod=manual\naddress1=10.1.0.10/24\n[ipv6]\nmethod=disabled\n";

const SETTINGS: &str = "schema = 1\ninterfaces = \"eth1\"\ngateways = \"10.1.0.1\"\nvips = \"\"\nmain_cidrs = \"10.42.0.0/16\"\nrp_filter = \"loose\"\n";

pub(super) fn put(root: &Path, path: &str, text: &str, mode: u32) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
}

/// The program, and its service enabled.
pub(super) fn install(root: &Path) {
    let unit = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("units")
        .join(UNIT);
    fs::copy(unit, root.join(SYSTEM).join(UNIT)).unwrap();
    fs::copy(PROGRAM, root.join("usr/bin/nodeagent")).unwrap();
    let wants = root.join("etc/systemd/system/multi-user.target.wants");
    fs::create_dir_all(&wants).unwrap();
    symlink(format!("/{SYSTEM}/{UNIT}"), wants.join(UNIT)).unwrap();
}

/// Settings, and an eth1 that NetworkManager keeps: the machine's own has nobody at its other end, so that it would be left alone.
pub(crate) fn second_nic(root: &Path) {
    put(root, "etc/nodeagent/route.toml", SETTINGS, 0o644);
    put(
        root,
        "etc/NetworkManager/system-connections/eth1.nmconnection",
        PROFILE,
        0o600,
    );
    let wants = root.join("etc/systemd/system/multi-user.target.wants");
    fs::create_dir_all(&wants).unwrap();
    let wire = "[Unit]\nBefore=NetworkManager.service nodeagent-route.service\n[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sh -ec 'ip link del eth1; ip link add eth1 type veth peer name r1; ip link set r1 up'\n[Install]\nWantedBy=multi-user.target\n";
    put(root, &format!("{SYSTEM}/wire.service"), wire, 0o644);
    symlink(
        format!("/{SYSTEM}/wire.service"),
        wants.join("wire.service"),
    )
    .unwrap();
    let managed = "[device-eth1]\nmatch-device=interface-name:eth1\nmanaged=1\n[keyfile]\nunmanaged-devices=interface-name:r1\n";
    put(
        root,
        "etc/NetworkManager/conf.d/50-test.conf",
        managed,
        0o644,
    );
}

fn tree() -> Tree {
    let tree = Tree::of_stock(&rootfs::stock().unwrap().path, "route").unwrap();
    let root = tree.path();
    install(&root);
    second_nic(&root);
    put(&root, "etc/nodeagent/bare.toml", "schema = 1\n", 0o644);
    let wants = root.join("etc/systemd/system/multi-user.target.wants");
    // Something waits for the network, as RKE2 does.
    let waits = "[Unit]\nWants=network-online.target\nAfter=network-online.target\n[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sh -c 'ip rule > /run/rules-at-start'\n[Install]\nWantedBy=multi-user.target\n";
    put(&root, &format!("{SYSTEM}/waits.service"), waits, 0o644);
    symlink(
        format!("/{SYSTEM}/waits.service"),
        wants.join("waits.service"),
    )
    .unwrap();
    tree
}

/// Rule and routes of eth1 are there.
pub(crate) fn routed(machine: &Machine) -> bool {
    let rules = machine.ok(&["ip", "rule"]).unwrap();
    let table = machine
        .run(&["ip", "route", "show", "table", "21001"])
        .unwrap()
        .stdout;
    rules.contains("from 10.1.0.0/24 lookup 21001")
        && table.contains("default via 10.1.0.1 dev eth1")
        && table.contains("unreachable default")
}

#[test]
fn the_service_is_up_before_the_network_counts_and_survives_what_managers_do() {
    let tree = tree();
    let logs = cache::target_dir().join("machines/log");
    let machine = Machine::boot(&tree.path(), "route", &logs).unwrap();
    let journal = || {
        machine
            .run(&["journalctl", "-b", "-u", UNIT, "--no-pager"])
            .unwrap()
            .stdout
    };
    assert_eq!(
        machine.unit(UNIT, "ActiveState").unwrap(),
        "active",
        "{}",
        journal()
    );
    assert_eq!(
        machine.unit(UNIT, "NRestarts").unwrap(),
        "0",
        "{}",
        journal()
    );
    assert!(
        machine
            .unit(UNIT, "StatusText")
            .unwrap()
            .contains("eth1 routed"),
        "{}",
        journal()
    );
    let at_start = machine.read("/run/rules-at-start").unwrap();
    assert!(
        at_start.contains("from 10.1.0.0/24 lookup 21001"),
        "too late: {at_start}"
    );
    assert!(routed(&machine), "{}", journal());
    let filter = machine
        .read("/proc/sys/net/ipv4/conf/eth1/rp_filter")
        .unwrap();
    assert_eq!(filter.trim(), "2");

    // NetworkManager answers, and knows no lease.
    let shown = machine.run(&[
        "nodeagent",
        "route",
        "show",
        "--config",
        "/etc/nodeagent/bare.toml",
        "--json",
    ]);
    let shown = shown.unwrap();
    assert!(
        shown.stdout.contains("degraded") && shown.stdout.contains("\"problems\": []"),
        "{}",
        shown.stdout
    );

    for act in [
        &["nmcli", "device", "reapply", "eth1"][..],
        &["nmcli", "connection", "up", "eth1"],
        &["systemctl", "restart", "NetworkManager.service"],
        &["systemctl", "start", "systemd-networkd.service"],
        &["systemctl", "restart", "systemd-networkd.service"],
        &["systemctl", "kill", "--signal=KILL", UNIT],
    ] {
        machine.ok(act).unwrap();
        until(&format!("right after {act:?}"), || routed(&machine));
    }
    until("restarted", || {
        machine.unit(UNIT, "NRestarts").unwrap() == "1"
    });
    until("up again", || {
        machine.unit(UNIT, "ActiveState").unwrap() == "active"
    });
    machine.ok(&["systemctl", "stop", UNIT]).unwrap();
    assert!(routed(&machine), "stopping takes nothing away");
    assert_eq!(machine.unit(UNIT, "Result").unwrap(), "success");
}
