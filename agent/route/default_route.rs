//! The way out of a NIC: given, else its own default route, else its lease. Never another NIC's.
//! It is separate because a wrong router is worse than none, and each of the three can be wrong in its own way.

use std::net::IpAddr;

use super::config::{Config, Scoped};
use super::desired::Seen;
use super::report::{Gateway, Nic, Origin};
use crate::host::netlink::{Action, Family, Link, MAIN, Route, Snapshot};

/// The way out of a NIC for a family, and whether the route it was taken from says that its router is on the link.
pub(super) fn find(seen: &Seen<'_>, family: Family) -> Option<(Gateway, bool)> {
    let gateway = |router, origin| Gateway {
        family,
        router,
        origin,
    };
    if let Some(router) = given(seen, family) {
        return Some((gateway(Some(router), Origin::Given), false));
    }
    if let Some((router, onlink)) = own_default(seen, family) {
        return Some((gateway(router, Origin::Route), onlink));
    }
    let leased = seen
        .leases
        .iter()
        .find(|ip| Family::of(**ip) == family && !ip.is_unspecified());
    leased.map(|router| (gateway(Some(*router), Origin::Lease), false))
}

/// The router that was given for this NIC: by its name, else because it lies in its network, else because no other NIC
/// could be meant.
fn given(seen: &Seen<'_>, family: Family) -> Option<IpAddr> {
    let fits = |it: &&Scoped<IpAddr>| Family::of(it.value) == family;
    let named = |it: &&Scoped<IpAddr>| it.nic.as_deref() == Some(seen.word);
    let open = |it: &&Scoped<IpAddr>| it.nic.is_none();
    let config: &Config = seen.config;
    let all = || config.gateways.iter().filter(fits);
    let near = |it: &&Scoped<IpAddr>| seen.own().any(|address| address.network.contains(it.value));
    let found = all()
        .find(named)
        .or_else(|| all().filter(open).find(near))
        .or_else(|| all().filter(open).find(|_| config.interfaces.len() == 1));
    found.map(|it| it.value)
}

/// The NIC's own default route in main with the lowest metric. The kernel resolves nexthop objects.
fn own_default(seen: &Seen<'_>, family: Family) -> Option<(Option<IpAddr>, bool)> {
    let way = |route: &Route| -> Option<(u32, Option<IpAddr>, bool)> {
        if route.link == Some(seen.link.index) {
            // An object whose router the kernel keeps to itself tells neither router nor link of it.
            return Some((route.metric, route.gateway, route.onlink));
        }
        let (_, router) = route
            .ways
            .iter()
            .find(|(link, _)| *link == seen.link.index)?;
        Some((route.metric, *router, route.onlink))
    };
    let best = defaults(seen.snapshot, family)
        .filter_map(way)
        .min_by_key(|(metric, router, _)| (*metric, router.is_none()));
    best.map(|(_, router, onlink)| (router, onlink))
}

fn defaults(snapshot: &Snapshot, family: Family) -> impl Iterator<Item = &Route> {
    let is_default = move |route: &&Route| {
        route.table == MAIN
            && route.family() == family
            && route.to.is_any()
            && route.action == Action::Unicast
    };
    snapshot.routes.iter().filter(is_default)
}

/// A NIC that is not routed here and shares the best metric of main's default routes with one that is: the kernel takes
/// either for what the former's addresses answer. One route with several ways is somebody's wish, and left out.
pub(super) fn tie(snapshot: &Snapshot, nics: &[Nic], family: Family) -> Option<String> {
    let best = defaults(snapshot, family).map(|route| route.metric).min()?;
    let links = || {
        let routes = defaults(snapshot, family).filter(|route| route.metric == best);
        routes.filter_map(|route| snapshot.links.iter().find(|l| Some(l.index) == route.link))
    };
    let routed = |link: &&Link| nics.iter().any(|nic| nic.link == Some(link.index));
    let (ours, other) = (links().find(routed)?, links().find(|link| !routed(link))?);
    Some(format!(
        "main has default routes with one metric, {best}, by {other} and {ours}: what is asked of {other} is answered by \
         either; give the one by {ours} a higher metric, or route {other} here too",
        other = other.name,
        ours = ours.name
    ))
}
