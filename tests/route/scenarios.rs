//! What a second NIC goes through: each case with its event and its judge, the same for the source's script and for us.
//! It is separate from the run because it is a list to be read beside the printed table.

mod changes;
mod cluster;
mod routers;

use super::lab::Lab;
use super::probe::reaches;

/// One case.
#[derive(Clone, Copy)]
pub(super) struct Scenario {
    /// Number in the printed table.
    pub(super) number: &'static str,
    /// What happens.
    pub(super) name: &'static str,
    /// Our flags, beside those for the cluster's networks.
    pub(super) flags: &'static [&'static str],
    /// What is so before the first run.
    pub(super) before: fn(&Lab),
    /// What happens then; interface and action with which NetworkManager calls the script, if it does.
    pub(super) event: fn(&Lab) -> Option<(&'static str, &'static str)>,
    /// Whether it is right now. Asked of both.
    pub(super) holds: fn(&Lab) -> bool,
    /// Our rules and table, line by line; empty: not looked at.
    pub(super) found: &'static [&'static str],
    /// Whether the source's script gets it right: what was seen, so that a lab that judges nothing is noticed.
    pub(super) theirs: bool,
}

/// Rules and table of the standard case.
pub(super) const STANDARD: [&str; 6] = [
    "20500: from all to 10.42.0.0/16 lookup main proto 154",
    "20500: from all to 10.43.0.0/16 lookup main proto 154",
    "20510: from 10.1.0.0/24 lookup 21001 proto 154",
    "default via 10.1.0.1 dev eth1 proto 154",
    "unreachable default proto 154 metric 4278198272",
    "10.1.0.0/24 dev eth1 proto 154 scope link",
];

/// A case in which nothing is special.
pub(super) const PLAIN: Scenario = Scenario {
    number: "3",
    name: "eth1 has its own default route in main (DHCP)",
    flags: &[],
    before: |_| {},
    event: |_| None,
    holds: both,
    found: &STANDARD,
    theirs: true,
};

/// Both of the node's first addresses answer.
pub(super) fn both(_: &Lab) -> bool {
    reaches("cli", "10.1.0.10") && reaches("cli", "10.0.0.10")
}

/// All cases, in the order of the table.
pub(super) fn all() -> Vec<Scenario> {
    let mut all = vec![PLAIN];
    for part in [routers::ALL, changes::ALL, cluster::ALL] {
        all.extend_from_slice(part);
    }
    all
}
