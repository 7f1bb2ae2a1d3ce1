//! What should be there, case by case.
//! Separate from the differences because here nothing of ours is there yet.

use super::*;

#[test]
fn the_standard_case_and_what_does_not_change_it() {
    let mut found = node();
    assert_eq!(wanted(&config(), &found), STANDARD);
    found.addresses.push(address(3, "10.1.0.11/24"));
    assert_eq!(
        wanted(&config(), &found),
        STANDARD,
        "a second address in the network"
    );
    found.addresses.push(Address {
        usable: false,
        ..address(3, "169.254.3.4/16")
    });
    assert_eq!(
        wanted(&config(), &found),
        STANDARD,
        "an address that is no source"
    );
    found.addresses.push(address(1, "10.1.0.200/32"));
    assert_eq!(
        wanted(&config(), &found),
        STANDARD,
        "an announced address on lo"
    );
    found.routes.push(main_route(3, "10.1.0.0/24", None, 0));
    assert_eq!(
        wanted(&config(), &found),
        STANDARD,
        "the network's route in main"
    );
}

#[test]
fn the_router_is_the_nics_own_or_none() {
    let free = Config {
        gateways: Vec::new(),
        ..config()
    };
    let way = |found: &Snapshot, leased: &Leased| {
        let desired = desired(&free, found, leased);
        let line = shown(&desired)
            .into_iter()
            .find(|l| l.starts_with("default"));
        (line, desired.nics[0].state)
    };
    let mut found = node();
    assert_eq!(
        way(&found, &Leased::new()),
        (None, State::Degraded),
        "never eth0's"
    );
    let leased = Leased::from([(3, vec![ip("10.1.0.9")])]);
    let via = |text: &str| (Some(text.to_owned()), State::Routed);
    assert_eq!(
        way(&found, &leased),
        via("default via 10.1.0.9 dev #3 table 21001")
    );
    found
        .routes
        .push(main_route(3, "0.0.0.0/0", Some("10.1.0.2"), 300));
    found
        .routes
        .push(main_route(3, "0.0.0.0/0", Some("10.1.0.3"), 101));
    assert_eq!(
        way(&found, &leased),
        via("default via 10.1.0.3 dev #3 table 21001"),
        "lowest metric"
    );
    let mut both = main_route(0, "0.0.0.0/0", None, 50);
    both.link = None;
    both.ways = vec![(2, Some(ip("10.0.0.1"))), (3, Some(ip("10.1.0.4")))];
    found.routes.push(both);
    assert_eq!(
        way(&found, &leased),
        via("default via 10.1.0.4 dev #3 table 21001"),
        "one of two ways"
    );
    found.routes.truncate(1);
    found.routes.push(main_route(3, "0.0.0.0/0", None, 0));
    assert_eq!(
        way(&found, &leased),
        via("default dev #3 table 21001"),
        "all on the link"
    );
    assert_eq!(
        wanted(&config(), &found),
        STANDARD,
        "what was given comes first"
    );
}

#[test]
fn a_router_off_the_link_is_marked() {
    let mut found = node();
    found.addresses[1] = address(3, "10.1.0.10/32");
    let lines = wanted(&config(), &found);
    assert!(
        lines.contains(&"default via 10.1.0.1 dev #3 table 21001 onlink".to_owned()),
        "{lines:?}"
    );
    assert!(
        lines.contains(&"20510: from 10.1.0.10/32 lookup 21001".to_owned()),
        "{lines:?}"
    );
    found.routes.push(main_route(3, "10.1.0.1/32", None, 0));
    let lines = wanted(&config(), &found);
    assert!(
        lines.contains(&"default via 10.1.0.1 dev #3 table 21001".to_owned()),
        "{lines:?}"
    );
    assert!(
        lines.contains(&"10.1.0.1/32 dev #3 table 21001".to_owned()),
        "{lines:?}"
    );
}

#[test]
fn nics_that_share_a_network_are_told_apart_by_address() {
    let mut found = node();
    found.addresses[0] = address(2, "10.1.0.20/24");
    let lines = wanted(&config(), &found);
    assert!(
        lines.contains(&"20510: from 10.1.0.10/32 lookup 21001".to_owned()),
        "{lines:?}"
    );
    assert!(
        !lines.contains(&"20510: from 10.1.0.0/24 lookup 21001".to_owned()),
        "{lines:?}"
    );
}

#[test]
fn equal_default_routes_of_two_nics_are_told() {
    let problems = |config: &Config, link, metric| {
        let mut found = node();
        let to_eth1 = main_route(link, "0.0.0.0/0", Some("10.1.0.1"), metric);
        found.routes.push(to_eth1);
        desired(config, &found, &Leased::new()).problems
    };
    let told = problems(&config(), 3, 100);
    assert!(told[0].contains("100, by eth0 and eth1"), "{told:?}");
    // Worse, better, or of one NIC: the kernel has no choice.
    for (link, metric) in [(3, 101), (3, 99), (2, 100)] {
        assert_eq!(
            problems(&config(), link, metric),
            [""; 0],
            "{link} {metric}"
        );
    }
    let both = Config {
        interfaces: vec!["eth1".to_owned(), "eth0".to_owned()],
        ..config()
    };
    assert_eq!(problems(&both, 3, 100), [""; 0], "each has its own table");
}

#[test]
fn announced_networks_have_rules_but_never_take_another_nics_traffic() {
    let vips = |list: &[&str]| Config {
        vips: list.iter().map(|v| v.parse().unwrap()).collect(),
        ..config()
    };
    let lines = wanted(&vips(&["203.0.113.200/29"]), &node());
    assert!(
        lines.contains(&"20510: from 203.0.113.200/29 lookup 21001".to_owned()),
        "{lines:?}"
    );
    let greedy = desired(&vips(&["10.0.0.0/8"]), &node(), &Leased::new());
    assert_eq!(shown(&greedy), STANDARD);
    assert!(
        greedy.problems[0].contains("10.0.0.10"),
        "{:?}",
        greedy.problems
    );
    let two = Config {
        interfaces: vec!["eth1".to_owned(), "eth0".to_owned()],
        ..vips(&["10.0.0.200/30", "eth0=203.0.113.200/29"])
    };
    let lines = wanted(&two, &node());
    assert!(
        lines.contains(&"20510: from 10.0.0.200/30 lookup 21002".to_owned()),
        "{lines:?}"
    );
    assert!(
        lines.contains(&"20510: from 203.0.113.200/29 lookup 21002".to_owned()),
        "{lines:?}"
    );
}

#[test]
fn a_nic_that_is_down_leaks_nothing_and_one_that_is_gone_leaves_nothing() {
    let mut found = node();
    found.links[2].up = false;
    let down = desired(&config(), &found, &Leased::new());
    assert_eq!(down.nics[0].state, State::Down);
    let routes: Vec<String> = down.routes.iter().map(ToString::to_string).collect();
    assert_eq!(
        routes,
        ["unreachable default table 21001 metric 4278198272"]
    );
    assert_eq!(down.rules.len(), 3);
    found.links.truncate(2);
    let gone = desired(&config(), &found, &Leased::new());
    assert!(shown(&gone).is_empty());
    assert_eq!(gone.nics[0].state, State::Absent);
    found = node();
    found.addresses.truncate(1);
    let waiting = desired(&config(), &found, &Leased::new());
    assert!(shown(&waiting).is_empty());
    assert_eq!(waiting.nics[0].state, State::Waiting);
}

#[test]
fn several_nics_and_both_families() {
    let mut found = node();
    found.links.push(link(4, "eth2"));
    found.addresses.push(address(4, "10.2.0.10/24"));
    found.addresses.push(address(3, "fd00:1::10/64"));
    let mut through = main_route(3, "::/0", Some("fe80::1"), 1024);
    through.source = None;
    found.routes.push(through);
    found.routes.push(main_route(3, "fe80::/64", None, 256));
    let config = Config {
        interfaces: vec!["eth1".to_owned(), "eth2".to_owned(), "eth1".to_owned()],
        gateways: vec!["10.2.0.1".parse().unwrap(), "10.1.0.1".parse().unwrap()],
        main_cidrs: vec![prefix("fd00:42::/56")],
        loosen: true,
        ..Config::default()
    };
    let desired = desired(&config, &found, &Leased::new());
    assert_eq!(
        shown(&desired),
        [
            "20510: from 10.1.0.0/24 lookup 21001",
            "20510: from 10.2.0.0/24 lookup 21002",
            "20500: to fd00:42::/56 lookup 254",
            "20510: from fd00:1::/64 lookup 21001",
            "default via 10.1.0.1 dev #3 table 21001",
            "unreachable default table 21001 metric 4278198272",
            "10.1.0.0/24 dev #3 table 21001",
            "default via fe80::1 dev #3 table 21001 metric 1024",
            "unreachable default table 21001 metric 4278198272",
            "fd00:1::/64 dev #3 table 21001 metric 1024",
            "fe80::/64 dev #3 table 21001 metric 1024",
            "default via 10.2.0.1 dev #4 table 21002",
            "unreachable default table 21002 metric 4278198272",
            "10.2.0.0/24 dev #4 table 21002",
        ]
    );
    assert_eq!(desired.loosen.into_iter().collect::<Vec<_>>(), [3, 4]);
    assert_eq!(
        desired.problems,
        ["eth1 and eth1 are the same interface, eth1"]
    );
}
