//! Links, addresses, routes and rules as plain values.
//! They are separate from the kernel's messages so that decisions are made and tested without any.

use std::net::IpAddr;

use serde::Serialize;

use super::{Family, Prefix};

/// The kernel's main table.
pub const MAIN: u32 = 254;

/// What is configured and what the kernel knows, at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Network interfaces.
    pub links: Vec<Link>,
    /// Their addresses.
    pub addresses: Vec<Address>,
    /// Routes of the tables that were asked for, and all with the protocol that was asked for.
    pub routes: Vec<Route>,
    /// All rules.
    pub rules: Vec<Rule>,
}

/// Which routes a snapshot holds; rules, links and addresses are always all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// All routes of these tables.
    pub tables: Vec<u32>,
    /// All routes of this protocol.
    pub protocol: u8,
}

/// A network interface.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Link {
    /// Its number; a name may change, this does not.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Its other names.
    pub altnames: Vec<String>,
    /// Its hardware address now.
    pub address: Vec<u8>,
    /// The hardware address that it was made with; empty where the driver tells none.
    pub permanent: Vec<u8>,
    /// It is ethernet, and no kind of virtual link such as a bridge, a VLAN or one end of a pair.
    pub physical: bool,
    /// It leads nowhere but here.
    pub loopback: bool,
    /// An administrator, or who acts as one, has set it up.
    pub up: bool,
    /// Reverse path filter of IPv4 (0 off, 1 strict, 2 loose); none where IPv4 is not on it.
    pub rp_filter: Option<i32>,
}

/// An address of an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The interface's number.
    pub link: u32,
    /// The address itself.
    pub ip: IpAddr,
    /// The network that is reached directly through the interface because of it.
    pub network: Prefix,
    /// It may be the source of new traffic to anywhere: global, not tentative, deprecated or refused.
    pub usable: bool,
}

/// What a route does with a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Sends it on.
    Unicast,
    /// Drops it and tells the sender.
    Unreachable,
    /// Anything else, by the kernel's number.
    Other(u8),
}

/// A route.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Route {
    /// Its table.
    pub table: u32,
    /// Where to.
    pub to: Prefix,
    /// What it does.
    pub action: Action,
    /// Next router; of another family than `to` where IPv4 goes through an IPv6 router.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway: Option<IpAddr>,
    /// The interface's number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<u32>,
    /// Its metric.
    pub metric: u32,
    /// Who made it, by the kernel's number.
    pub protocol: u8,
    /// The router is on the link although no network says so.
    pub onlink: bool,
    /// The source address that it suggests.
    #[serde(skip)]
    pub source: Option<IpAddr>,
    /// The nexthop object that it goes by.
    #[serde(skip)]
    pub nexthop: Option<u32>,
    /// More than these values: a type of service, an encapsulation, limits. One to leave alone.
    #[serde(skip)]
    pub more: bool,
    /// The ways of a route that has several: interface and router.
    #[serde(skip)]
    pub ways: Vec<(u32, Option<IpAddr>)>,
}

impl Route {
    /// What the kernel tells routes of a table apart by.
    pub fn key(&self) -> (u32, Prefix, u32) {
        (self.table, self.to, self.metric)
    }

    /// Its family.
    pub fn family(&self) -> Family {
        self.to.family()
    }
}

/// A rule: which table a packet is looked up in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Rule {
    /// Its family.
    pub family: Family,
    /// Lower ones come first.
    pub priority: u32,
    /// Source; none: any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Prefix>,
    /// Destination; none: any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Prefix>,
    /// The table.
    pub table: u32,
    /// Who made it, by the kernel's number.
    pub protocol: u8,
    /// More than these values: marks, interfaces, ports, another action. One to leave alone.
    #[serde(skip)]
    pub more: bool,
}

/// One write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// Adds a route.
    AddRoute(Route),
    /// Puts a route in the place of the one with the same key.
    ReplaceRoute(Route),
    /// Deletes a route.
    DeleteRoute(Route),
    /// Adds a rule.
    AddRule(Rule),
    /// Deletes a rule.
    DeleteRule(Rule),
    /// Sets the reverse path filter of an interface to loose.
    LoosenReversePath {
        /// The interface's number.
        link: u32,
    },
}
