//! Cases of addresses and routers: where the way out is known from, and what has none.
//! They are separate because nothing changes in them: one run has to be right.

use super::{PLAIN, STANDARD, Scenario, both};
use crate::route::probe::{is_cut_off, reaches};

const NO_DEFAULT: &str = "route del default dev eth1";

pub(super) const ALL: &[Scenario] = &[
    Scenario {
        number: "2",
        name: "router given, eth1 has no default route",
        flags: &["--gateway", "10.1.0.1"],
        before: |lab| drop(lab.node(NO_DEFAULT)),
        theirs: false,
        ..PLAIN
    },
    Scenario {
        number: "4",
        name: "two addresses in one network",
        before: |lab| drop(lab.node("addr add 10.1.0.11/24 dev eth1")),
        holds: |lab| both(lab) && reaches("cli", "10.1.0.11"),
        theirs: false,
        ..PLAIN
    },
    Scenario {
        number: "5",
        name: "two addresses in two networks",
        before: |lab| {
            lab.node("addr add 10.0.5.10/24 dev eth1");
            lab.ip("rtr", "addr add 10.0.5.1/24 dev r1");
        },
        holds: |lab| both(lab) && reaches("cli", "10.0.5.10"),
        found: &[],
        theirs: false,
        ..PLAIN
    },
    Scenario {
        number: "10",
        name: "two default routes on eth1, the worse one is dead",
        before: |lab| drop(lab.node("route add default via 10.1.0.9 dev eth1 metric 300")),
        theirs: false,
        ..PLAIN
    },
    Scenario {
        number: "11",
        name: "default route by a nexthop object",
        before: |lab| {
            lab.node(NO_DEFAULT);
            lab.node("nexthop add id 10 via 10.1.0.1 dev eth1");
            lab.node("route add default nhid 10 metric 101");
        },
        theirs: false,
        ..PLAIN
    },
    Scenario {
        number: "12",
        name: "default route without a router (all on the link)",
        before: |lab| {
            lab.node(NO_DEFAULT);
            lab.node("route add default dev eth1 metric 101");
            lab.sh("ip netns exec rtr sysctl -q -w net.ipv4.conf.r1.proxy_arp=1 net.ipv4.neigh.r1.proxy_delay=0");
        },
        found: &[],
        theirs: true,
        ..PLAIN
    },
    Scenario {
        number: "13",
        name: "/32 address, router by a host route",
        before: |lab| {
            lab.node("addr flush dev eth1");
            lab.node("addr add 10.1.0.10/32 dev eth1");
            lab.node("route add 10.1.0.1 dev eth1");
            lab.node("route add default via 10.1.0.1 dev eth1 metric 101");
        },
        found: &[
            STANDARD[0],
            STANDARD[1],
            "20510: from 10.1.0.10 lookup 21001 proto 154",
            STANDARD[3],
            STANDARD[4],
            "10.1.0.1 dev eth1 proto 154 scope link",
        ],
        theirs: true,
        ..PLAIN
    },
    Scenario {
        number: "14",
        name: "/32 address, router on no network (onlink)",
        before: |lab| {
            lab.node("addr flush dev eth1");
            lab.node("addr add 10.1.0.10/32 dev eth1");
            lab.node("route add default via 10.1.0.1 dev eth1 metric 101 onlink");
        },
        found: &[
            STANDARD[0],
            STANDARD[1],
            "20510: from 10.1.0.10 lookup 21001 proto 154",
            "default via 10.1.0.1 dev eth1 proto 154 onlink",
            STANDARD[4],
        ],
        theirs: false,
        ..PLAIN
    },
    Scenario {
        number: "15",
        name: "no router known: nothing leaks out of eth0",
        before: |lab| drop(lab.node(NO_DEFAULT)),
        holds: |lab| {
            // What leaks meets the router's filter.
            let before = lab.dropped("rtr");
            is_cut_off("cli", "10.1.0.10")
                && lab.dropped("rtr") == before
                && lab.way("192.0.2.50 from 10.1.0.10") == "unreachable"
        },
        found: &[
            STANDARD[0],
            STANDARD[1],
            STANDARD[2],
            STANDARD[4],
            STANDARD[5],
        ],
        theirs: false,
        ..PLAIN
    },
    Scenario {
        number: "30",
        name: "eth0 has an address in eth1's network too",
        before: |lab| drop(lab.node("addr add 10.1.0.20/24 dev eth0 noprefixroute")),
        holds: |lab| {
            lab.way("192.0.2.50 from 10.1.0.20") == "eth0"
                && lab.way("192.0.2.50 from 10.1.0.10") == "eth1"
        },
        found: &[
            STANDARD[0],
            STANDARD[1],
            "20510: from 10.1.0.10 lookup 21001 proto 154",
            STANDARD[3],
            STANDARD[4],
            STANDARD[5],
        ],
        theirs: true,
        ..PLAIN
    },
    Scenario {
        number: "33",
        name: "IPv6, router by its link-local address",
        before: |lab| {
            lab.node("addr add fd00:1::10/64 dev eth1 nodad");
            lab.node("addr add fd00:0::10/64 dev eth0 nodad");
            lab.node("-6 route add default via fe80::a dev eth0 metric 100");
            lab.node("-6 route add default via fe80::1 dev eth1 metric 101");
        },
        holds: |lab| {
            lab.way("2001:db8::50 from fd00:1::10") == "eth1"
                && lab.way("2001:db8::50 from fd00:0::10") == "eth0"
        },
        theirs: false,
        ..PLAIN
    },
    Scenario {
        number: "35",
        name: "a third NIC",
        flags: &["--interface", "eth1", "--interface", "eth2"],
        before: |lab| {
            lab.sh("ip link add eth2 netns node type veth peer name r2 netns rtr");
            lab.ip("rtr", "addr add 10.2.0.1/24 dev r2");
            lab.ip("rtr", "link set r2 up");
            lab.node("addr add 10.2.0.10/24 dev eth2");
            lab.node("link set eth2 up");
            lab.node("route add default via 10.2.0.1 dev eth2 metric 102");
        },
        holds: |lab| {
            both(lab) && reaches("cli", "10.2.0.10") && lab.way("10.2.0.10 from 10.1.0.10") == "lo"
        },
        found: &[],
        theirs: false,
        ..PLAIN
    },
    Scenario {
        number: "36",
        name: "link-local and deprecated addresses beside the right one",
        before: |lab| {
            lab.node("addr add 169.254.7.7/16 dev eth1 scope link");
            lab.node("addr add 10.1.9.9/24 dev eth1 valid_lft 1000 preferred_lft 0");
        },
        found: &[
            STANDARD[0],
            STANDARD[1],
            STANDARD[2],
            STANDARD[3],
            STANDARD[4],
            STANDARD[5],
            "10.1.9.0/24 dev eth1 proto 154 scope link",
            "169.254.0.0/16 dev eth1 proto 154 scope link",
        ],
        theirs: false,
        ..PLAIN
    },
    Scenario {
        number: "43",
        name: "/etc/iproute2 is missing",
        before: |_| super::super::lab::hide_tables(),
        theirs: false,
        ..PLAIN
    },
];
