//! The routes of a NIC's own table: the networks on its link, what main has through it, the default, and the end.
//! It is separate because routers must be reachable inside this table alone.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::desired::Seen;
use super::{LAST_METRIC, PROTOCOL};
use crate::host::netlink::{Action, Family, MAIN, Prefix, Route};

/// IPv6 knows no metric 0; the kernel makes it this one.
const IPV6_METRIC: u32 = 1024;

fn route_by(seen: &Seen<'_>, to: Prefix, gateway: Option<IpAddr>) -> Route {
    Route {
        table: seen.table,
        to,
        action: Action::Unicast,
        gateway,
        link: Some(seen.link.index),
        metric: match to.family() {
            Family::Ipv4 => 0,
            Family::Ipv6 => IPV6_METRIC,
        },
        protocol: PROTOCOL,
        onlink: false,
        source: None,
        nexthop: None,
        more: false,
        ways: Vec::new(),
    }
}

/// What has no other way goes nowhere: without this the lookup would go on to main, and out by another NIC.
pub(super) fn last(seen: &Seen<'_>, family: Family) -> Route {
    Route {
        action: Action::Unreachable,
        link: None,
        metric: LAST_METRIC,
        ..route_by(seen, family.any(), None)
    }
}

/// The networks that are on the link, the other routes that main has through this NIC, and the default.
pub(super) fn routes(
    seen: &Seen<'_>,
    family: Family,
    way: Option<(Option<IpAddr>, bool)>,
) -> Vec<Route> {
    let own = seen
        .own()
        .filter(|address| Family::of(address.ip) == family);
    let networks = own
        .map(|address| address.network)
        .filter(|network| !network.is_host());
    let mut routes: BTreeMap<Prefix, Route> =
        networks.map(|to| (to, route_by(seen, to, None))).collect();
    for main in copied(seen, family) {
        let copy = Route {
            onlink: main.onlink,
            ..route_by(seen, main.to, main.gateway)
        };
        routes.entry(main.to).or_insert(copy);
    }
    if let Some((router, onlink)) = way {
        let to = family.any();
        routes.insert(
            to,
            Route {
                onlink,
                ..route_by(seen, to, router)
            },
        );
    }
    let on_link: Vec<Prefix> = routes
        .values()
        .filter(|r| r.gateway.is_none())
        .map(|r| r.to)
        .collect();
    let reached = |router: IpAddr| on_link.iter().any(|to| !to.is_any() && to.contains(router));
    let mut routes: Vec<Route> = routes.into_values().collect();
    for route in &mut routes {
        let far = route
            .gateway
            .is_some_and(|router| !is_link_local(router) && !reached(router));
        route.onlink = route.gateway.is_some() && (route.onlink || far);
    }
    routes
}

/// Routes that main has through this NIC alone; of several to one place the best.
fn copied<'a>(seen: &'a Seen<'_>, family: Family) -> Vec<&'a Route> {
    let fits = |route: &&Route| {
        route.table == MAIN
            && route.family() == family
            && !route.to.is_any()
            && route.action == Action::Unicast
            && route.link == Some(seen.link.index)
            && !route.more
    };
    let mut found: Vec<&Route> = seen.snapshot.routes.iter().filter(fits).collect();
    found.sort_by_key(|route| (route.to, route.metric));
    found
}

fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(_) => false,
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}
