//! What leaves by a NIC: the networks of its own addresses, and those that are announced on it.
//! It is separate because here a rule could take another NIC's traffic away, and with it the way into the machine.

use std::collections::BTreeSet;

use super::config::Scoped;
use super::desired::Seen;
use super::select::Which;
use crate::host::netlink::{Family, Prefix};

/// All of a family.
pub(super) fn of(seen: &Seen<'_>, family: Family, problems: &mut Vec<String>) -> BTreeSet<Prefix> {
    let mut all = own(seen, family);
    all.extend(vips(seen, family, problems));
    all
}

/// What the NIC's own addresses need: their networks, or where another NIC is in the same network, themselves alone.
fn own(seen: &Seen<'_>, family: Family) -> BTreeSet<Prefix> {
    let shared = |network: Prefix| seen.others().any(|other| network.overlaps(other.network));
    let own = seen
        .own()
        .filter(|address| Family::of(address.ip) == family);
    own.map(
        |address| match address.network.contains(address.ip) && !shared(address.network) {
            true => address.network,
            false => Prefix::host(address.ip),
        },
    )
    .collect()
}

/// Announced networks: those of this NIC by name or place, and those without a place of the first NIC.
fn vips(seen: &Seen<'_>, family: Family, problems: &mut Vec<String>) -> BTreeSet<Prefix> {
    let mut found = BTreeSet::new();
    for vip in seen
        .config
        .vips
        .iter()
        .filter(|vip| vip.value.family() == family)
    {
        if !is_mine(seen, vip) {
            continue;
        }
        // Such a rule would take the other NIC's own traffic away, and with it the way in.
        if let Some(other) = seen.others().find(|other| vip.value.contains(other.ip)) {
            problems.push(format!(
                "{} is not routed by {}: it holds {}, an address of another interface",
                vip.value, seen.word, other.ip
            ));
            continue;
        }
        found.insert(vip.value);
    }
    found
}

fn is_mine(seen: &Seen<'_>, vip: &Scoped<Prefix>) -> bool {
    if let Some(nic) = &vip.nic {
        return nic == seen.word;
    }
    let near = |link: u32| {
        let addresses = seen.snapshot.addresses.iter();
        addresses
            .filter(|a| a.link == link && a.usable)
            .any(|a| a.network.contains(vip.value.ip()))
    };
    let words = seen.config.interfaces.iter();
    let mut nics = words.filter_map(|word| Which::of(word).ok()?.find(&seen.snapshot.links));
    match nics.find(|link| near(link.index)) {
        Some(link) => link.index == seen.link.index,
        None => seen
            .config
            .interfaces
            .first()
            .is_some_and(|first| first == seen.word),
    }
}
