//! Policy routing for second NICs: traffic from a NIC's addresses, and from the addresses that are announced on it,
//! leaves by that NIC or not at all.
//! It is separate from netlink because everything here but `reconcile` and `watch` is a pure function.
//!
//! ```text
//! links, addresses, main table, own objects ──▶ desired ──▶ diff ──▶ least writes
//! ```

pub mod config;
mod default_route;
pub mod desired;
pub mod diff;
pub mod reconcile;
pub mod report;
mod routes;
mod select;
mod sources;
#[cfg(test)]
mod tests;
pub mod watch;

pub use config::{Config, Scoped};
pub use desired::{Desired, desired};
pub use diff::{Plan, diff};
pub use reconcile::{Leases, Outcome, reconcile};
pub use report::{Gateway, Nic, Origin, State};

/// Number by which the kernel keeps our routes and rules apart from all others. Nobody is registered for it in iproute2's
/// rt_protos, so `ip` prints the number.
pub const PROTOCOL: u8 = 154;

/// The first NIC's table: beyond one byte, and far from what CNIs, clouds and VPNs use.
pub const TABLE: u32 = 21001;

/// Priority of the rules that keep the cluster's networks in main; the source rules come [`SOURCE_STEP`] later. Both are
/// behind Cilium's, which end at 112, and before those of ec2-net-utils, NetworkManager and main.
pub const PRIORITY: u32 = 20500;

/// From the priority of the exceptions to that of the source rules.
pub const SOURCE_STEP: u32 = 10;

/// Metric of the route that stops what has no other way: worse than any that a network manager gives.
pub const LAST_METRIC: u32 = 4_278_198_272;
