//! Real leases in a booted machine: networkd's and NetworkManager's name the router, and networkd leaves foreign rules alone.
//! It is separate because both managers ask a DHCP server, which stands in a namespace of that machine.

use std::fs;
use std::os::unix::fs::symlink;

use super::booted::{SYSTEM, UNIT, install, put};
use super::watch::until;
use crate::support::machine::nspawn::Machine;
use crate::support::machine::tree::Tree;
use crate::support::machine::{cache, rootfs};

const SERVER: &str = include_str!("dhcp.py");

/// What the image has, in the policy's own words.
const DROP_IN: &str =
    include_str!("../../policy/rootfs/etc/systemd/networkd.conf.d/90-rke2-cni.conf");
const DROP_INS: &str = "/etc/systemd/networkd.conf.d";

/// eth1 has its address from a server, and no default route: that is eth0's.
const NETWORKD: &str = "[Match]\nName=eth1\n[Network]\nDHCP=ipv4\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n[DHCPv4]\nUseRoutes=no\nUseGateway=no\n";
const PROFILE: &str = "[connection]\nid=eth1\ntype=ethernet\ninterface-name=eth1\n[ipv4]\nmethod=auto\nnever-default=true\n[ipv6]\nmethod=disabled\n";
const MANAGED: &str = "[device-eth1]\nmatch-device=interface-name:eth1\nmanaged=1\n";

const WIRE: &str = "[Unit]\nBefore=nodeagent-route.service\n[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sh -ec 'ip link del eth1; ip netns add rtr; ip link add eth1 type veth peer name r1 netns rtr; ip -n rtr addr add 10.1.0.1/24 dev r1; ip -n rtr link set r1 up'\n[Install]\nWantedBy=multi-user.target\n";
const DHCP: &str = "[Unit]\nRequires=wire.service\nAfter=wire.service\n[Service]\nExecStart=ip netns exec rtr python3 /usr/local/lib/dhcp.py\n[Install]\nWantedBy=multi-user.target\n";

fn tree() -> Tree {
    let tree = Tree::of_stock(&rootfs::stock().unwrap().path, "route-dhcp").unwrap();
    let root = tree.path();
    install(&root);
    let settings = "schema = 1\ninterfaces = \"eth1\"\nmain_cidrs = \"10.42.0.0/16\"\n";
    put(&root, "etc/nodeagent/route.toml", settings, 0o644);
    put(
        &root,
        "etc/systemd/network/50-eth1.network",
        NETWORKD,
        0o644,
    );
    let connection = "etc/NetworkManager/system-connections/eth1.nmconnection";
    put(&root, connection, PROFILE, 0o600);
    put(
        &root,
        "etc/NetworkManager/conf.d/50-test.conf",
        MANAGED,
        0o644,
    );
    put(&root, "usr/local/lib/dhcp.py", SERVER, 0o644);
    let wants = root.join("etc/systemd/system/multi-user.target.wants");
    for (name, text) in [("wire.service", WIRE), ("dhcp.service", DHCP)] {
        put(&root, &format!("{SYSTEM}/{name}"), text, 0o644);
        symlink(format!("/{SYSTEM}/{name}"), wants.join(name)).unwrap();
    }
    // One manager after the other.
    let masked = root.join("etc/systemd/system/NetworkManager.service");
    fs::remove_file(&masked).unwrap_or_default();
    symlink("/dev/null", masked).unwrap();
    tree
}

fn said(machine: &Machine, argv: &[&str]) -> String {
    machine.run(argv).unwrap().stdout
}

/// eth1's table leads to the lease's router, which main knows nothing of.
fn routed(machine: &Machine) -> bool {
    let table = said(machine, &["ip", "route", "show", "table", "21001"]);
    let main = said(machine, &["ip", "route", "show", "default"]);
    table.contains("default via 10.1.0.1 dev eth1") && !main.contains("eth1")
}

/// Routed, and by the lease alone.
fn by_its_lease(machine: &Machine, manager: &str) {
    until(&format!("routed by {manager}'s lease"), || routed(machine));
    let shown = said(machine, &["nodeagent", "route", "show", "--json"]);
    assert!(
        shown.contains("\"lease\"") && !shown.contains("degraded"),
        "{manager}: {shown}"
    );
}

/// Everything that makes networkd look at all rules anew. Its file has changed, or a reload would leave eth1 alone.
const LOOKS: [&str; 3] = [
    "systemctl restart systemd-networkd.service",
    "echo '# changed' >>/etc/systemd/network/50-eth1.network; networkctl reload",
    "networkctl reconfigure eth1",
];

/// Does one of them, and waits until eth1 has a lease again.
fn look_anew(machine: &Machine, look: &str) {
    let count = "journalctl -b -u systemd-networkd --no-pager -o cat | grep -c acquired";
    let leases = || {
        said(machine, &["sh", "-c", count])
            .trim()
            .parse::<u32>()
            .unwrap()
    };
    let before = leases();
    machine.ok(&["sh", "-ec", look]).unwrap();
    until(&format!("a new lease after {look}"), || leases() > before);
}

/// With the policy's file no rule that is not networkd's own goes; without it all do.
///
/// Only when it configures a link that it has configured before: in a container it does so first of all before it has
/// seen any rule, for there is no udev to wait for.
fn foreign_rules_are_kept(machine: &Machine) {
    machine.ok(&["systemctl", "stop", UNIT]).unwrap();
    let rules = || said(machine, &["ip", "rule"]);
    let lay = || {
        let foreign = "ip rule add pref 7777 from 10.9.0.0/16 lookup 50";
        machine.ok(&["sh", "-c", foreign]).unwrap();
        machine.ok(&["nodeagent", "route", "apply"]).unwrap();
        let all = rules();
        assert!(
            all.contains("lookup 50") && all.contains("lookup 21001"),
            "{all}"
        );
        all
    };
    lay();
    look_anew(machine, LOOKS[2]);
    until("without the file networkd takes both away", || {
        !rules().contains("lookup 50") && !rules().contains("lookup 21001")
    });
    let write =
        format!("mkdir -p {DROP_INS}; cat >{DROP_INS}/90-rke2-cni.conf <<'E'\n{DROP_IN}E\n");
    machine.ok(&["sh", "-ec", &write]).unwrap();
    look_anew(machine, LOOKS[0]);
    let before = lay();
    for look in LOOKS {
        look_anew(machine, look);
        assert_eq!(rules(), before, "after {look}");
    }
    // Its routes went with the address, which networkd took off and put on again.
    machine.ok(&["systemctl", "start", UNIT]).unwrap();
    by_its_lease(machine, "networkd, started anew,");
}

#[test]
fn the_router_comes_from_the_lease_of_either_manager_and_networkd_keeps_what_is_not_its_own() {
    let tree = tree();
    let logs = cache::target_dir().join("machines/log");
    let machine = Machine::boot(&tree.path(), "route-dhcp", &logs).unwrap();
    let unrouted = said(&machine, &["nodeagent", "route", "show", "--json"]);
    assert!(
        unrouted.contains("\"eth1\"") && !unrouted.contains("\"lease\""),
        "{unrouted}"
    );

    machine
        .ok(&["systemctl", "start", "systemd-networkd.service"])
        .unwrap();
    by_its_lease(&machine, "networkd");
    foreign_rules_are_kept(&machine);

    machine
        .ok(&[
            "systemctl",
            "stop",
            "systemd-networkd.service",
            "systemd-networkd.socket",
        ])
        .unwrap();
    // networkd's lease stays with the daemon gone; a machine with NetworkManager never had one.
    machine
        .ok(&[
            "sh",
            "-c",
            "rm -rf /run/systemd/netif/leases; ip addr flush dev eth1",
        ])
        .unwrap();
    until("no router is known", || !routed(&machine));
    machine
        .ok(&["systemctl", "unmask", "NetworkManager.service"])
        .unwrap();
    machine
        .ok(&["systemctl", "start", "NetworkManager.service"])
        .unwrap();
    by_its_lease(&machine, "NetworkManager");
}
