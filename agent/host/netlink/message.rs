//! Turns changes and questions into the kernel's messages.
//! It is separate because every field that is left out means something to the kernel, and so must be chosen.

use std::net::IpAddr;

use rtnetlink::packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REPLACE, NLM_F_REQUEST, NetlinkMessage,
};
use rtnetlink::packet_route::address::AddressMessage;
use rtnetlink::packet_route::link::{
    AfSpecInet, AfSpecUnspec, InetDevConf, LinkAttribute, LinkExtentMask, LinkMessage,
};
use rtnetlink::packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteProtocol, RouteScope,
    RouteType, RouteVia,
};
use rtnetlink::packet_route::rule::{RuleAction, RuleAttribute, RuleMessage};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};

use super::{Action, Change, Family, Prefix, Route, Rule};

/// A message to the kernel.
pub(super) type Message = NetlinkMessage<RouteNetlinkMessage>;

/// Loose: the source must be reachable through some interface, not through this one.
const LOOSE: i32 = 2;

/// For tables whose number does not fit the header's byte.
const BIG_TABLE: u8 = 252;

fn af(family: Family) -> AddressFamily {
    match family {
        Family::Ipv4 => AddressFamily::Inet,
        Family::Ipv6 => AddressFamily::Inet6,
    }
}

fn message(inner: RouteNetlinkMessage, flags: u16) -> Message {
    let mut message = NetlinkMessage::from(inner);
    message.header.flags = NLM_F_REQUEST | flags;
    message
}

/// Asks for all links, without their counters.
pub(super) fn links() -> Message {
    let mut ask = LinkMessage::default();
    let skip = LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats]);
    ask.attributes.push(skip);
    message(RouteNetlinkMessage::GetLink(ask), NLM_F_DUMP)
}

/// Asks for all addresses.
pub(super) fn addresses() -> Message {
    let ask = AddressMessage::default();
    message(RouteNetlinkMessage::GetAddress(ask), NLM_F_DUMP)
}

/// Asks for all rules of a family.
pub(super) fn rules(family: Family) -> Message {
    let mut ask = RuleMessage::default();
    ask.header.family = af(family);
    message(RouteNetlinkMessage::GetRule(ask), NLM_F_DUMP)
}

/// Asks for the routes of a table, or of a protocol: the kernel filters.
pub(super) fn routes(family: Family, table: Option<u32>, protocol: Option<u8>) -> Message {
    let mut ask = RouteMessage::default();
    ask.header.address_family = af(family);
    if let Some(table) = table {
        ask.attributes.push(RouteAttribute::Table(table));
    }
    if let Some(protocol) = protocol {
        ask.header.protocol = RouteProtocol::from(protocol);
    }
    message(RouteNetlinkMessage::GetRoute(ask), NLM_F_DUMP)
}

/// A change as a message.
pub(super) fn change(change: &Change) -> Message {
    let new = NLM_F_ACK | NLM_F_CREATE;
    match change {
        Change::AddRoute(it) => message(RouteNetlinkMessage::NewRoute(route(it)), new | NLM_F_EXCL),
        Change::ReplaceRoute(it) => message(
            RouteNetlinkMessage::NewRoute(route(it)),
            new | NLM_F_REPLACE,
        ),
        Change::DeleteRoute(it) => message(RouteNetlinkMessage::DelRoute(route(it)), NLM_F_ACK),
        // The kernel knows no replacing of rules: without EXCL it would add another.
        Change::AddRule(it) => message(RouteNetlinkMessage::NewRule(rule(it)), new | NLM_F_EXCL),
        Change::DeleteRule(it) => message(RouteNetlinkMessage::DelRule(rule(it)), NLM_F_ACK),
        Change::LoosenReversePath { link } => {
            message(RouteNetlinkMessage::SetLink(reverse_path(*link)), NLM_F_ACK)
        }
    }
}

fn small(table: u32) -> u8 {
    u8::try_from(table).unwrap_or(BIG_TABLE)
}

fn route(it: &Route) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header = RouteHeader {
        address_family: af(it.family()),
        destination_prefix_length: it.to.length(),
        table: small(it.table),
        protocol: RouteProtocol::from(it.protocol),
        scope: scope(it),
        kind: match it.action {
            Action::Unicast => RouteType::Unicast,
            Action::Unreachable => RouteType::Unreachable,
            Action::Other(kind) => RouteType::from(kind),
        },
        flags: match it.onlink {
            true => RouteFlags::Onlink,
            false => RouteFlags::empty(),
        },
        ..RouteHeader::default()
    };
    let attributes = &mut message.attributes;
    attributes.push(RouteAttribute::Table(it.table));
    attributes.push(RouteAttribute::Priority(it.metric));
    if !it.to.is_any() {
        attributes.push(RouteAttribute::Destination(RouteAddress::from(it.to.ip())));
    }
    attributes.extend(it.gateway.map(|gateway| next(it.family(), gateway)));
    attributes.extend(it.link.map(RouteAttribute::Oif));
    message
}

/// Without a router the destination is on the link; IPv6 knows no scopes.
fn scope(it: &Route) -> RouteScope {
    match (it.family(), it.action, it.gateway) {
        (Family::Ipv4, Action::Unicast, None) => RouteScope::Link,
        _ => RouteScope::Universe,
    }
}

fn next(family: Family, gateway: IpAddr) -> RouteAttribute {
    match (family, gateway) {
        (Family::Ipv4, IpAddr::V6(ip)) => RouteAttribute::Via(RouteVia::Inet6(ip)),
        _ => RouteAttribute::Gateway(RouteAddress::from(gateway)),
    }
}

fn rule(it: &Rule) -> RuleMessage {
    let mut message = RuleMessage::default();
    let length = |prefix: Option<Prefix>| prefix.map_or(0, Prefix::length);
    message.header.family = af(it.family);
    message.header.src_len = length(it.from);
    message.header.dst_len = length(it.to);
    message.header.table = small(it.table);
    // Without it the kernel takes the rule, and every packet that meets it fails.
    message.header.action = RuleAction::ToTable;
    let attributes = &mut message.attributes;
    attributes.push(RuleAttribute::Priority(it.priority));
    attributes.push(RuleAttribute::Table(it.table));
    attributes.push(RuleAttribute::Protocol(RouteProtocol::from(it.protocol)));
    attributes.extend(it.from.map(|from| RuleAttribute::Source(from.ip())));
    attributes.extend(it.to.map(|to| RuleAttribute::Destination(to.ip())));
    message
}

fn reverse_path(link: u32) -> LinkMessage {
    let mut conf = InetDevConf::default();
    conf.rp_filter = LOOSE;
    let mut message = LinkMessage::default();
    message.header.index = link;
    let inet = AfSpecUnspec::Inet(vec![AfSpecInet::DevConfRequest(conf)]);
    message
        .attributes
        .push(LinkAttribute::AfSpecUnspec(vec![inet]));
    message
}
