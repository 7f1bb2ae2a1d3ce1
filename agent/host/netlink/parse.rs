//! Turns the kernel's messages into plain values.
//! It is separate because every message is optional in each part, and what is not understood must be marked, never guessed.

use std::net::IpAddr;

use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::address::{
    AddressAttribute, AddressFlags, AddressMessage, AddressScope,
};
use rtnetlink::packet_route::link::{
    AfSpecInet, AfSpecUnspec, LinkAttribute, LinkFlags, LinkInfo, LinkLayerType, LinkMessage, Prop,
};
use rtnetlink::packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteMessage, RouteNextHopFlags, RouteType, RouteVia,
};
use rtnetlink::packet_route::rule::{RuleAction, RuleAttribute, RuleMessage};

use super::{Action, Address, Family, Link, Prefix, Route, Rule};

/// No suppression: what the kernel reports where a rule has none.
const NOT_SUPPRESSED: u32 = u32::MAX;

fn family(family: AddressFamily) -> Option<Family> {
    match family {
        AddressFamily::Inet => Some(Family::Ipv4),
        AddressFamily::Inet6 => Some(Family::Ipv6),
        _ => None,
    }
}

/// A link.
pub(super) fn link(message: LinkMessage) -> Link {
    let ethernet = message.header.link_layer_type == LinkLayerType::Ether;
    let mut link = Link {
        index: message.header.index,
        up: message.header.flags.contains(LinkFlags::Up),
        loopback: message.header.flags.contains(LinkFlags::Loopback),
        physical: ethernet,
        ..Link::default()
    };
    for attribute in message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => link.name = name,
            LinkAttribute::Address(address) => link.address = address,
            LinkAttribute::PermAddress(address) => link.permanent = address,
            LinkAttribute::PropList(list) => {
                link.altnames = list.into_iter().filter_map(altname).collect();
            }
            LinkAttribute::LinkInfo(info)
                if info.iter().any(|i| matches!(i, LinkInfo::Kind(_))) =>
            {
                link.physical = false;
            }
            LinkAttribute::AfSpecUnspec(specs) => link.rp_filter = specs.iter().find_map(rp_filter),
            _ => {}
        }
    }
    link
}

fn altname(prop: Prop) -> Option<String> {
    match prop {
        Prop::AltIfName(name) => Some(name),
        _ => None,
    }
}

fn rp_filter(spec: &AfSpecUnspec) -> Option<i32> {
    let AfSpecUnspec::Inet(inet) = spec else {
        return None;
    };
    inet.iter().find_map(|part| match part {
        AfSpecInet::DevConf(conf) => Some(conf.rp_filter),
        _ => None,
    })
}

/// An address; none of another family than IPv4 and IPv6.
pub(super) fn address(message: &AddressMessage) -> Option<Address> {
    let family = family(message.header.family)?;
    let mut flags = AddressFlags::from_bits_retain(u32::from(message.header.flags.bits()));
    let (mut local, mut peer) = (None, None);
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Local(ip) => local = Some(*ip),
            AddressAttribute::Address(ip) => peer = Some(*ip),
            AddressAttribute::Flags(all) => flags = *all,
            _ => {}
        }
    }
    let ip = local.or(peer)?;
    let unfit = AddressFlags::Tentative | AddressFlags::Deprecated | AddressFlags::Dadfailed;
    // A tentative address may already be used where the kernel was told to be optimistic.
    let unfit = flags.intersects(unfit) && !flags.contains(AddressFlags::Optimistic);
    let global = matches!(message.header.scope, AddressScope::Universe);
    Some(Address {
        link: message.header.index,
        ip,
        // Of a link between two, the peer's side is what is reached.
        network: Prefix::new(peer.unwrap_or(ip), message.header.prefix_len),
        usable: global && !unfit && family == Family::of(ip) && !link_local(ip),
    })
}

fn link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

/// A route; none of another family, and none that only the kernel's cache knows.
pub(super) fn route(message: &RouteMessage) -> Option<Route> {
    let family = family(message.header.address_family)?;
    if message.header.flags.contains(RouteFlags::Cloned) {
        return None;
    }
    let mut route = Route {
        table: u32::from(message.header.table),
        to: family.any(),
        action: match message.header.kind {
            RouteType::Unicast => Action::Unicast,
            RouteType::Unreachable => Action::Unreachable,
            kind => Action::Other(kind.into()),
        },
        gateway: None,
        link: None,
        metric: 0,
        protocol: message.header.protocol.into(),
        onlink: message.header.flags.contains(RouteFlags::Onlink),
        source: None,
        nexthop: None,
        more: message.header.tos != 0 || message.header.source_prefix_length != 0,
        ways: Vec::new(),
    };
    for attribute in &message.attributes {
        route_part(
            &mut route,
            attribute,
            message.header.destination_prefix_length,
        );
    }
    // IPv6 hangs routes that go nowhere on the loopback interface.
    if route.action != Action::Unicast {
        route.link = None;
    }
    Some(route)
}

fn route_part(route: &mut Route, attribute: &RouteAttribute, length: u8) {
    match attribute {
        RouteAttribute::Table(table) => route.table = *table,
        RouteAttribute::Destination(to) => match ip(to) {
            Some(to) => route.to = Prefix::new(to, length),
            None => route.more = true,
        },
        RouteAttribute::Gateway(gateway) => route.gateway = ip(gateway),
        RouteAttribute::Via(router) => route.gateway = via(router),
        RouteAttribute::Oif(link) => route.link = Some(*link),
        RouteAttribute::Priority(metric) => route.metric = *metric,
        RouteAttribute::MultiPath(hops) => {
            let alive = |flags: RouteNextHopFlags| !flags.contains(RouteNextHopFlags::Dead);
            let hops = hops.iter().filter(|hop| alive(hop.flags));
            route.ways = hops
                .map(|hop| (hop.interface_index, router(&hop.attributes)))
                .collect();
        }
        RouteAttribute::PrefSource(source) => route.source = ip(source),
        RouteAttribute::NhId(id) => route.nexthop = Some(*id),
        // A copy of the way it goes, or what the kernel counts and keeps for itself.
        RouteAttribute::CacheInfo(_) | RouteAttribute::Preference(_) => {}
        _ => route.more = true,
    }
}

fn router(attributes: &[RouteAttribute]) -> Option<IpAddr> {
    attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Gateway(gateway) => ip(gateway),
        RouteAttribute::Via(router) => via(router),
        _ => None,
    })
}

fn ip(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(ip) => Some(IpAddr::V4(*ip)),
        RouteAddress::Inet6(ip) => Some(IpAddr::V6(*ip)),
        _ => None,
    }
}

fn via(via: &RouteVia) -> Option<IpAddr> {
    match via {
        RouteVia::Inet(ip) => Some(IpAddr::V4(*ip)),
        RouteVia::Inet6(ip) => Some(IpAddr::V6(*ip)),
        _ => None,
    }
}

/// A rule; none of another family.
pub(super) fn rule(message: &RuleMessage) -> Option<Rule> {
    let header = &message.header;
    let mut rule = Rule {
        family: family(header.family)?,
        priority: 0,
        from: None,
        to: None,
        table: u32::from(header.table),
        protocol: 0,
        more: header.action != RuleAction::ToTable || header.tos != 0 || header.flags.bits() != 0,
    };
    for attribute in &message.attributes {
        match attribute {
            RuleAttribute::Priority(priority) => rule.priority = *priority,
            RuleAttribute::Source(ip) => rule.from = Some(Prefix::new(*ip, header.src_len)),
            RuleAttribute::Destination(ip) => rule.to = Some(Prefix::new(*ip, header.dst_len)),
            RuleAttribute::Table(table) => rule.table = *table,
            RuleAttribute::Protocol(protocol) => rule.protocol = (*protocol).into(),
            RuleAttribute::SuppressPrefixLen(NOT_SUPPRESSED)
            | RuleAttribute::SuppressIfGroup(NOT_SUPPRESSED) => {}
            _ => rule.more = true,
        }
    }
    Some(rule)
}
