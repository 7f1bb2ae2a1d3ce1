//! What is to be written where something is there already.
//! Separate because the question is what is left alone.

use super::*;

/// The kernel after all that is desired was written.
fn after(config: &Config, found: &Snapshot) -> Snapshot {
    let desired = desired(config, found, &Leased::new());
    let mut after = found.clone();
    after.routes.extend(desired.routes);
    after.rules.extend(desired.rules);
    after
}

fn plan(config: &Config, found: &Snapshot) -> Plan {
    diff(config, &desired(config, found, &Leased::new()), found)
}

#[test]
fn what_is_there_is_not_written_again() {
    let there = after(&config(), &node());
    assert_eq!(plan(&config(), &there), Plan::default());
    let writes = plan(&config(), &node()).changes;
    assert_eq!(writes.len(), STANDARD.len());
    assert!(
        matches!(&writes[0], Change::AddRoute(r) if r.action == Action::Unreachable),
        "first what stops leaks"
    );
    assert!(
        matches!(&writes[2], Change::AddRoute(r) if r.gateway.is_some()),
        "then on the link, then the router"
    );
    assert!(
        matches!(&writes[5], Change::AddRule(_)),
        "and no rule into an empty table"
    );
}

#[test]
fn a_change_of_router_is_one_write_and_a_change_of_network_leaves_nothing() {
    let there = after(&config(), &node());
    let other = Config {
        gateways: vec!["10.1.0.2".parse().unwrap()],
        ..config()
    };
    let writes = plan(&other, &there).changes;
    assert!(
        matches!(&writes[..], [Change::ReplaceRoute(r)] if r.gateway == Some(ip("10.1.0.2"))),
        "{writes:?}"
    );
    let mut moved = there.clone();
    moved.addresses[1] = address(3, "10.1.8.10/24");
    let lines: Vec<String> = plan(&other, &moved)
        .changes
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        lines,
        [
            "add route 10.1.8.0/24 dev #3 table 21001",
            "replace route default via 10.1.0.2 dev #3 table 21001 onlink",
            "add rule 20510: from 10.1.8.0/24 lookup 21001",
            "delete rule 20510: from 10.1.0.0/24 lookup 21001",
            "delete route 10.1.0.0/24 dev #3 table 21001",
        ]
    );
}

#[test]
fn only_what_is_ours_is_deleted_and_a_double_once() {
    let mut found = after(&config(), &node());
    let foreign_rule = Rule {
        family: Family::Ipv4,
        priority: 20510,
        from: Some(prefix("10.7.0.0/16")),
        to: None,
        table: 50,
        protocol: 0,
        more: false,
    };
    let marked = Rule {
        protocol: PROTOCOL,
        more: true,
        ..foreign_rule.clone()
    };
    found.rules.extend([foreign_rule.clone(), marked]);
    let double = found.rules[2].clone();
    found.rules.extend([double.clone(), double.clone()]);
    let foreign_route = Route {
        table: 21001,
        protocol: 4,
        ..main_route(3, "10.9.0.0/16", None, 0)
    };
    let shaped = Route {
        protocol: PROTOCOL,
        ..foreign_route.clone()
    };
    found.routes.extend([foreign_route, shaped]);
    let made = plan(&config(), &found);
    assert_eq!(
        made.changes,
        [
            Change::DeleteRule(double.clone()),
            Change::DeleteRule(double)
        ]
    );
    assert_eq!(made.foreign.len(), 4, "{:?}", made.foreign);
    let none = Config {
        interfaces: Vec::new(),
        ..Config::default()
    };
    for change in plan(&none, &found).changes {
        match change {
            Change::DeleteRule(rule) => assert_eq!((rule.protocol, rule.more), (PROTOCOL, false)),
            Change::DeleteRoute(route) => {
                assert_eq!((route.protocol, route.source), (PROTOCOL, None));
            }
            other => panic!("{other}"),
        }
    }
}

#[test]
fn a_route_of_another_in_our_place_is_not_overwritten() {
    let mut found = node();
    found.routes.push(Route {
        table: 21001,
        protocol: 4,
        ..main_route(3, "10.1.0.0/24", None, 0)
    });
    let made = plan(&config(), &found);
    assert_eq!(made.blocked.len(), 1, "{made:?}");
    assert!(
        !made
            .changes
            .iter()
            .any(|c| matches!(c, Change::AddRoute(r) if r.to == prefix("10.1.0.0/24")))
    );
}
