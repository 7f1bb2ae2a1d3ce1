//! Cases in which something changes after the first run: leases, links, names.
//! They are separate because what was right before must not stay.

use super::{PLAIN, STANDARD, Scenario, both};
use crate::route::lab::{ETH1, Lab};
use crate::route::probe::reaches;

/// The lease has another address now, in the same network.
fn other_address(lab: &Lab, promote: u8) {
    lab.sh(&format!("ip netns exec node sysctl -q -w net.ipv4.conf.all.promote_secondaries={promote} net.ipv4.conf.eth1.promote_secondaries={promote}"));
    lab.node("addr add 10.1.0.77/24 dev eth1");
    lab.node("addr del 10.1.0.10/24 dev eth1");
    if promote == 0 {
        // The kernel took both; the manager puts its own back.
        lab.node("addr add 10.1.0.77/24 dev eth1");
    }
    lab.node("route replace default via 10.1.0.1 dev eth1 metric 101");
}

fn new_address_alone(lab: &Lab) -> bool {
    let old_rule = lab.node("rule").contains("from 10.1.0.10 ");
    reaches("cli", "10.1.0.77") && reaches("cli", "10.0.0.10") && !old_rule
}

pub(super) const ALL: &[Scenario] = &[
    Scenario {
        number: "6",
        name: "the lease has another address",
        event: |lab| {
            other_address(lab, 1);
            Some(("eth1", "dhcp4-change"))
        },
        holds: new_address_alone,
        theirs: false,
        ..PLAIN
    },
    Scenario {
        number: "7",
        name: "the same, and the kernel empties the table",
        event: |lab| {
            other_address(lab, 0);
            Some(("eth1", "dhcp4-change"))
        },
        holds: new_address_alone,
        theirs: false,
        ..PLAIN
    },
    Scenario {
        number: "8",
        name: "the lease moves to another network",
        event: |lab| {
            lab.ip("rtr", "addr add 10.1.8.1/24 dev r1");
            lab.node("addr del 10.1.0.10/24 dev eth1");
            lab.node("addr add 10.1.8.10/24 dev eth1");
            lab.node("route replace default via 10.1.8.1 dev eth1 metric 101");
            Some(("eth1", "dhcp4-change"))
        },
        holds: |lab| {
            let old_rule = lab.node("rule").contains("from 10.1.0.");
            reaches("cli", "10.1.8.10") && reaches("cli", "10.0.0.10") && !old_rule
        },
        found: &[
            STANDARD[0],
            STANDARD[1],
            "20510: from 10.1.8.0/24 lookup 21001 proto 154",
            "default via 10.1.8.1 dev eth1 proto 154",
            STANDARD[4],
            "10.1.8.0/24 dev eth1 proto 154 scope link",
        ],
        theirs: false,
        ..PLAIN
    },
    Scenario {
        number: "9",
        name: "the router has another address",
        event: |lab| {
            lab.ip("rtr", "addr add 10.1.0.2/24 dev r1");
            lab.sh("ip netns exec rtr sysctl -q -w net.ipv4.conf.all.promote_secondaries=1 net.ipv4.conf.r1.promote_secondaries=1");
            lab.ip("rtr", "addr del 10.1.0.1/24 dev r1");
            lab.ip("rtr", "neigh flush dev r1");
            lab.node("neigh flush dev eth1");
            lab.node("route replace default via 10.1.0.2 dev eth1 metric 101");
            Some(("eth1", "dhcp4-change"))
        },
        found: &[
            STANDARD[0],
            STANDARD[1],
            STANDARD[2],
            "default via 10.1.0.2 dev eth1 proto 154",
            STANDARD[4],
            STANDARD[5],
        ],
        theirs: false,
        ..PLAIN
    },
    Scenario {
        number: "16",
        name: "eth1 is set down and up (not by its manager)",
        event: |lab| {
            lab.node("link set eth1 down");
            lab.node("link set eth1 up");
            lab.node("route add default via 10.1.0.1 dev eth1 metric 101");
            None
        },
        theirs: false,
        ..PLAIN
    },
    Scenario {
        number: "17",
        name: "the cable is pulled and put back",
        event: |lab| {
            lab.ip("rtr", "link set r1 down");
            lab.ip("rtr", "link set r1 up");
            None
        },
        ..PLAIN
    },
    Scenario {
        number: "18",
        name: "eth1 is taken out: nothing stays",
        event: |lab| {
            lab.node("link del eth1");
            Some(("eth1", "down"))
        },
        holds: |lab| {
            lab.node("rule").lines().count() == 3 && lab.way("192.0.2.50 from 10.0.0.10") == "eth0"
        },
        found: &[],
        theirs: false,
        ..PLAIN
    },
    Scenario {
        number: "19",
        name: "eth1 gets the name ens4 (chosen by hardware address)",
        flags: &["--interface", ETH1],
        event: |lab| {
            lab.node("link set eth1 down");
            lab.node("link set eth1 name ens4");
            lab.node("link set ens4 up");
            lab.node("route add default via 10.1.0.1 dev ens4 metric 101");
            Some(("ens4", "up"))
        },
        holds: |lab| both(lab) && !lab.node("rule").contains("detached"),
        found: &[],
        theirs: false,
        ..PLAIN
    },
    Scenario {
        number: "34",
        name: "IPv6 addresses go with the link and come back",
        before: |lab| {
            lab.node("addr add fd00:1::10/64 dev eth1 nodad");
            lab.node("-6 route add default via fe80::1 dev eth1 metric 101");
        },
        event: |lab| {
            lab.node("link set eth1 down");
            lab.node("link set eth1 up");
            lab.node("addr add fd00:1::10/64 dev eth1 nodad");
            lab.node("-6 route add default via fe80::1 dev eth1 metric 101");
            lab.node("route add default via 10.1.0.1 dev eth1 metric 101");
            None
        },
        holds: |lab| both(lab) && lab.way("2001:db8::50 from fd00:1::10") == "eth1",
        theirs: false,
        ..PLAIN
    },
    Scenario {
        number: "42",
        name: "there is no eth1 (control plane)",
        before: |lab| drop(lab.node("link del eth1")),
        holds: |lab| lab.node("rule").lines().count() == 3 && reaches("cli", "10.0.0.10"),
        found: &[],
        ..PLAIN
    },
];
