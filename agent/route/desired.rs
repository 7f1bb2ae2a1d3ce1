//! The routes and rules that should be there: a pure function of what is configured and what the kernel knows.
//! It is separate because this is the whole decision; everything around it only reads and writes.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::config::Config;
use super::report::{Nic, State};
use super::select::Which;
use super::{PROTOCOL, default_route, routes, sources};
use crate::host::netlink::{Address, Family, Link, MAIN, Prefix, Route, Rule, Snapshot};

/// Routers by the number of the interface whose lease names them.
pub type Leased = BTreeMap<u32, Vec<IpAddr>>;

/// What should be there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Desired {
    /// Routes.
    pub routes: BTreeSet<Route>,
    /// Rules.
    pub rules: BTreeSet<Rule>,
    /// Interfaces whose reverse path filter is to be loosened.
    pub loosen: BTreeSet<u32>,
    /// What became of each NIC, in the order of the configuration.
    pub nics: Vec<Nic>,
    /// What a person should know.
    pub problems: Vec<String>,
}

/// One NIC and everything that is known.
pub(super) struct Seen<'a> {
    pub(super) config: &'a Config,
    pub(super) snapshot: &'a Snapshot,
    pub(super) word: &'a str,
    pub(super) link: &'a Link,
    pub(super) table: u32,
    pub(super) leases: &'a [IpAddr],
}

impl Seen<'_> {
    /// The NIC's addresses that may be a source.
    pub(super) fn own(&self) -> impl Iterator<Item = &Address> {
        let own = |a: &&Address| a.link == self.link.index && a.usable;
        self.snapshot.addresses.iter().filter(own)
    }

    /// Addresses of the machine's other NICs.
    pub(super) fn others(&self) -> impl Iterator<Item = &Address> {
        let leads_out = |a: &&Address| {
            let link = self.snapshot.links.iter().find(|l| l.index == a.link);
            // What lies on lo or on a link that is down (kube-proxy keeps service addresses so) is no way out.
            a.link != self.link.index && link.is_some_and(|l| l.up && !l.loopback)
        };
        self.snapshot.addresses.iter().filter(leads_out)
    }
}

/// What should be there.
pub fn desired(config: &Config, snapshot: &Snapshot, leased: &Leased) -> Desired {
    let mut desired = Desired::default();
    let mut taken: BTreeMap<u32, &str> = BTreeMap::new();
    for (n, word) in config.interfaces.iter().enumerate() {
        let table = config.table_of(n);
        let link = Which::of(word)
            .ok()
            .and_then(|which| which.find(&snapshot.links));
        let Some(link) = link else {
            desired.nics.push(nic(word, None, table));
            continue;
        };
        if let Some(first) = taken.insert(link.index, word) {
            desired.problems.push(format!(
                "{word} and {first} are the same interface, {}",
                link.name
            ));
            continue;
        }
        let leases = leased
            .get(&link.index)
            .map(Vec::as_slice)
            .unwrap_or_default();
        route_nic(
            &Seen {
                config,
                snapshot,
                word,
                link,
                table,
                leases,
            },
            &mut desired,
        );
    }
    let ties = Family::ALL.map(|family| default_route::tie(snapshot, &desired.nics, family));
    desired.problems.extend(ties.into_iter().flatten());
    desired
}

fn nic(word: &str, link: Option<&Link>, table: u32) -> Nic {
    Nic {
        interface: word.to_owned(),
        name: link.map(|link| link.name.clone()),
        link: link.map(|link| link.index),
        state: State::Absent,
        table,
        sources: Vec::new(),
        gateways: Vec::new(),
        without_router: Vec::new(),
    }
}

fn route_nic(seen: &Seen<'_>, desired: &mut Desired) {
    let mut nic = nic(seen.word, Some(seen.link), seen.table);
    for family in Family::ALL {
        let sources = sources::of(seen, family, &mut desired.problems);
        if sources.is_empty() {
            continue;
        }
        rules(seen, family, &sources, desired);
        desired.routes.insert(routes::last(seen, family));
        let way = default_route::find(seen, family);
        nic.gateways.extend(way.map(|(gateway, _)| gateway));
        if way.is_none() {
            nic.without_router.push(family);
        }
        if seen.link.up {
            desired.routes.extend(routes::routes(
                seen,
                family,
                way.map(|(gateway, onlink)| (gateway.router, onlink)),
            ));
        }
        nic.sources.extend(sources);
    }
    if seen.config.loosen && seen.link.rp_filter.is_some_and(|now| now != 2) {
        desired.loosen.insert(seen.link.index);
    }
    nic.state = state(seen, &nic);
    desired.nics.push(nic);
}

fn state(seen: &Seen<'_>, nic: &Nic) -> State {
    if !seen.link.up {
        State::Down
    } else if seen.own().next().is_none() {
        State::Waiting
    } else if nic.without_router.is_empty() {
        State::Routed
    } else {
        State::Degraded
    }
}

fn rules(seen: &Seen<'_>, family: Family, sources: &BTreeSet<Prefix>, desired: &mut Desired) {
    let rule = |priority, from, to, table| Rule {
        family,
        priority,
        from,
        to,
        table,
        protocol: PROTOCOL,
        more: false,
    };
    let config = seen.config;
    for cidr in config
        .main_cidrs
        .iter()
        .filter(|cidr| cidr.family() == family)
    {
        desired
            .rules
            .insert(rule(config.priority, None, Some(*cidr), MAIN));
    }
    for source in sources {
        desired.rules.insert(rule(
            config.source_priority(),
            Some(*source),
            None,
            seen.table,
        ));
    }
}
