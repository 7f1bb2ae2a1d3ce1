//! What became of each NIC, for people and programs.
//! It is separate because a table that is right and one that is only safe look alike from outside.

use std::net::IpAddr;

use serde::Serialize;

use crate::host::netlink::{Family, Prefix};

/// How it stands with a NIC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// There is no such interface: nothing to do.
    Absent,
    /// It is set down; what comes from its addresses goes nowhere.
    Down,
    /// It has no address to route from yet.
    Waiting,
    /// No router is known: what comes from its addresses reaches its own networks and nothing else.
    Degraded,
    /// Routed.
    Routed,
}

impl State {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Down => "down",
            Self::Waiting => "waiting",
            Self::Degraded => "degraded",
            Self::Routed => "routed",
        }
    }

    /// Nothing more is to come by itself.
    pub fn settled(self) -> bool {
        matches!(self, Self::Absent | Self::Routed)
    }
}

/// Where a router is known from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// It was given.
    Given,
    /// The NIC's own default route in main.
    Route,
    /// The NIC's DHCP lease.
    Lease,
}

/// The way out of a NIC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Gateway {
    /// For which family.
    pub family: Family,
    /// The router; none where everything is on the link.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub router: Option<IpAddr>,
    /// Where it is known from.
    pub origin: Origin,
}

/// What became of a NIC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Nic {
    /// The word that names it.
    pub interface: String,
    /// Its name now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its number.
    #[serde(skip)]
    pub link: Option<u32>,
    /// How it stands.
    pub state: State,
    /// Its table.
    pub table: u32,
    /// Networks and addresses whose traffic leaves by it.
    pub sources: Vec<Prefix>,
    /// Its routers.
    pub gateways: Vec<Gateway>,
    /// Families that have sources and no router.
    pub without_router: Vec<Family>,
}
