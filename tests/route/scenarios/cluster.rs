//! Cases of a cluster's node: announced addresses, pods, Cilium's rules, the reverse path filter, others in our place.
//! They are separate because they are what the source's numbers and its address rule collide with.

use super::{PLAIN, STANDARD, Scenario, both};
use crate::route::lab::Lab;
use crate::route::probe::{connects, reaches};

/// Cilium moves the kernel's rule for local addresses to make room before it.
fn local_at_100(lab: &Lab) {
    lab.node("rule add pref 100 lookup local");
    lab.node("rule del pref 0");
}

/// A connection to each local address from the other one, and both from outside.
fn local_and_outside(lab: &Lab) -> bool {
    let local = connects("node", None, "node", "10.1.0.10")
        && connects("node", Some("10.1.0.10"), "node", "10.0.0.10");
    local && both(lab)
}

/// A pod behind its own link.
fn pod(lab: &Lab) {
    lab.sh("ip netns add pod; ip -n pod link set lo up; ip link add lxc0 netns node type veth peer name e0 netns pod");
    lab.node("addr add 10.42.0.1/32 dev lxc0");
    lab.node("link set lxc0 up");
    lab.node("route add 10.42.0.7 dev lxc0");
    lab.ip("pod", "addr add 10.42.0.7/24 dev e0");
    lab.ip("pod", "link set e0 up");
    lab.ip("pod", "route add default via 10.42.0.1 dev e0");
}

/// What kube-proxy does for a NodePort: the destination is a pod's before the reverse path is checked.
fn node_port(lab: &Lab) {
    pod(lab);
    lab.sh("ip netns exec node sysctl -q -w net.ipv4.conf.all.rp_filter=1");
    lab.sh("ip netns exec node iptables -t nat -A PREROUTING -d 10.1.0.10 -p tcp --dport 8080 -j DNAT --to-destination 10.42.0.7:8080");
}

/// The packet that opens a connection to the NodePort comes through the filter. Its answer belongs to Cilium or to
/// connection marks, not to a routing table.
fn comes_in(lab: &Lab) -> bool {
    let before = lab.dropped("node");
    crate::route::probe::knocks("cli", "10.1.0.10:8080");
    lab.dropped("node") == before
}

pub(super) const ALL: &[Scenario] = &[
    Scenario {
        number: "20",
        name: "Cilium moves the rule for local behind ours",
        event: |lab| {
            local_at_100(lab);
            None
        },
        holds: local_and_outside,
        theirs: false,
        ..PLAIN
    },
    Scenario {
        number: "21",
        name: "Cilium came first",
        before: local_at_100,
        holds: local_and_outside,
        ..PLAIN
    },
    Scenario {
        number: "22",
        name: "the table's default route is another's: it stays",
        before: |lab| {
            for table in [200, 21001] {
                lab.node(&format!(
                    "route add default via 10.0.0.1 dev eth0 table {table} proto static"
                ));
            }
        },
        holds: |lab| {
            let mine = |table: &str| {
                lab.node(&format!("route show table {table} proto static"))
                    .contains("via 10.0.0.1 dev eth0")
            };
            mine("200") && mine("21001")
        },
        found: &[],
        theirs: false,
        ..PLAIN
    },
    Scenario {
        number: "24",
        name: "our rules are there three times",
        event: |lab| {
            for _ in 0..2 {
                // The kernel adds a second one to whoever does not ask for an exclusive one.
                lab.double_rule();
            }
            Some(("eth1", "up"))
        },
        ..PLAIN
    },
    Scenario {
        number: "25",
        name: "announced address in eth1's network, not on eth1",
        holds: |lab| lab.way("192.0.2.50 from 10.1.0.200 iif eth0") == "eth1" && both(lab),
        theirs: false,
        ..PLAIN
    },
    Scenario {
        number: "26",
        name: "announced addresses of another network",
        flags: &["--vip", "203.0.113.200/29"],
        holds: |lab| lab.way("192.0.2.50 from 203.0.113.202 iif eth0") == "eth1" && both(lab),
        found: &[],
        theirs: false,
        ..PLAIN
    },
    Scenario {
        number: "27",
        name: "eth1's address reaches a pod",
        before: pod,
        holds: |lab| connects("node", Some("10.1.0.10"), "pod", "10.42.0.7") && both(lab),
        theirs: false,
        ..PLAIN
    },
    Scenario {
        number: "28",
        name: "a client in eth1's network reaches a pod",
        before: pod,
        holds: |lab| lab.way("10.42.0.7 from 10.1.0.99 iif eth1") == "lxc0",
        ..PLAIN
    },
    Scenario {
        number: "29",
        name: "a host in eth0's network reaches eth1 by the router",
        holds: |lab| both(lab) && connects("rtr", Some("10.0.0.1"), "node", "10.1.0.10"),
        ..PLAIN
    },
    Scenario {
        number: "31",
        name: "strict reverse path filter on the node",
        before: |lab| drop(lab.sh("ip netns exec node sysctl -q -w net.ipv4.conf.all.rp_filter=1")),
        holds: |lab| {
            let before = lab.dropped("node");
            both(lab) && lab.dropped("node") == before
        },
        ..PLAIN
    },
    Scenario {
        number: "32",
        name: "the same, and kube-proxy has changed the destination",
        flags: &["--loosen-rp-filter"],
        before: node_port,
        holds: |lab| comes_in(lab) && reaches("cli", "10.0.0.10"),
        found: &STANDARD,
        theirs: false,
        ..PLAIN
    },
];
