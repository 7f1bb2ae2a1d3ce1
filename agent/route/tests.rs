//! The planner's tables: what is configured and found, and what is to be written.
//! They are separate because the decision spans several files and each line here is one case of it.

mod decided;
mod differs;

use std::net::IpAddr;

use super::desired::{Desired, Leased, desired};
use super::diff::diff;
use super::{Config, PROTOCOL, Plan, State};
use crate::host::netlink::{
    Action, Address, Change, Family, Link, MAIN, Prefix, Route, Rule, Snapshot,
};

pub(super) fn prefix(text: &str) -> Prefix {
    text.parse().unwrap()
}

pub(super) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub(super) fn link(index: u32, name: &str) -> Link {
    Link {
        index,
        name: name.to_owned(),
        up: true,
        physical: true,
        rp_filter: Some(1),
        ..Link::default()
    }
}

/// `10.1.0.10/24` on a link.
pub(super) fn address(link: u32, text: &str) -> Address {
    let (own, length) = text.split_once('/').unwrap();
    Address {
        link,
        ip: ip(own),
        network: Prefix::new(ip(own), length.parse().unwrap()),
        usable: true,
    }
}

/// A route of main by another.
pub(super) fn main_route(link: u32, to: &str, via: Option<&str>, metric: u32) -> Route {
    Route {
        table: MAIN,
        to: prefix(to),
        action: Action::Unicast,
        gateway: via.map(ip),
        link: Some(link),
        metric,
        protocol: 16,
        onlink: false,
        source: Some(ip("10.1.0.10")),
        nexthop: None,
        more: false,
        ways: Vec::new(),
    }
}

/// eth0 and eth1 with a default route on eth0.
pub(super) fn node() -> Snapshot {
    let mut lo = link(1, "lo");
    lo.loopback = true;
    Snapshot {
        links: vec![lo, link(2, "eth0"), link(3, "eth1")],
        addresses: vec![address(2, "10.0.0.10/24"), address(3, "10.1.0.10/24")],
        routes: vec![main_route(2, "0.0.0.0/0", Some("10.0.0.1"), 100)],
        rules: Vec::new(),
    }
}

pub(super) fn config() -> Config {
    Config {
        gateways: vec!["10.1.0.1".parse().unwrap()],
        main_cidrs: vec![prefix("10.42.0.0/16"), prefix("10.43.0.0/16")],
        ..Config::default()
    }
}

/// Rules and routes as `ip` would show them.
pub(super) fn shown(desired: &Desired) -> Vec<String> {
    let rules = desired.rules.iter().map(ToString::to_string);
    rules
        .chain(desired.routes.iter().map(ToString::to_string))
        .collect()
}

pub(super) fn wanted(config: &Config, found: &Snapshot) -> Vec<String> {
    shown(&desired(config, found, &Leased::new()))
}

pub(super) const STANDARD: [&str; 6] = [
    "20500: to 10.42.0.0/16 lookup 254",
    "20500: to 10.43.0.0/16 lookup 254",
    "20510: from 10.1.0.0/24 lookup 21001",
    "default via 10.1.0.1 dev #3 table 21001",
    "unreachable default table 21001 metric 4278198272",
    "10.1.0.0/24 dev #3 table 21001",
];
