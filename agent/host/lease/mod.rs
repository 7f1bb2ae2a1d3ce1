//! Routers that a DHCP server named for an interface, as the network managers keep them.
//! It is separate because a manager that installs no default route for a second NIC still knows its router.

mod network_manager;
mod networkd;

use std::net::IpAddr;
use std::path::PathBuf;

use super::Root;
use super::netlink::Link;
use super::systemd::BUS;
use crate::error::Result;

/// The seam.
pub trait Leases {
    /// The routers of an interface's lease, the best first; none where nobody knows any.
    fn routers(&mut self, link: &Link) -> Result<Vec<IpAddr>>;
}

/// Asks systemd-networkd's files, then NetworkManager.
#[derive(Debug)]
pub struct Managers {
    root: Root,
    bus: PathBuf,
}

impl Managers {
    /// The managers of the system whose root this is.
    pub fn new(root: Root) -> Self {
        Self {
            root,
            bus: PathBuf::from(BUS),
        }
    }

    /// [`Managers::new`] with another bus.
    pub fn with_bus(root: Root, bus: PathBuf) -> Self {
        Self { root, bus }
    }
}

impl Leases for Managers {
    fn routers(&mut self, link: &Link) -> Result<Vec<IpAddr>> {
        let found = networkd::routers(&self.root, link.index)?;
        match found.is_empty() && self.bus.exists() {
            true => network_manager::routers(&self.bus, &link.name),
            false => Ok(found),
        }
    }
}
