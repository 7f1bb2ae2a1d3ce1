//! What no entry names, compared as sets with the inventory taken at the seal.
//! It is separate because it is the one check whose wanted side comes from the manifest and not from the policy.

use std::collections::{BTreeMap, BTreeSet};

use super::Finding;
use crate::error::{Error, Result};
use crate::host::Host;
use crate::manifest::Manifest;
use crate::observe::inventory::{Inventory, take};
use crate::policy::{InventoryRules, Policy};
use crate::record::MANIFEST;
use crate::resource::Place;

/// Compares the tree's inventory with the manifest's.
pub fn check(policy: &Policy, host: &Host, place: Place) -> Result<Vec<Finding>> {
    let Some(bytes) = host.root.read(MANIFEST)? else {
        return Ok(vec![
            finding("manifest").unknown("manifest", format!("{MANIFEST} is missing")),
        ]);
    };
    let baked: Manifest = match serde_json::from_slice(&bytes) {
        Ok(manifest) => manifest,
        Err(error) => {
            let why = format!("{MANIFEST} cannot be read as a manifest: {error}");
            return Ok(vec![finding("manifest").unknown("manifest", why)]);
        }
    };
    match take(host) {
        Ok(now) => Ok(compare(&baked.inventory, &now, &policy.inventory, place)),
        Err(error) => Ok(vec![unreadable(&error)]),
    }
}

fn unreadable(error: &Error) -> Finding {
    finding("tree").unknown("inventory", error.one_line())
}

fn finding(what: &str) -> Finding {
    Finding::check(
        format!("inventory:{what}"),
        "what no entry names must not change after the seal",
    )
}

/// Pure comparison; a node may have what the policy's rules allow beside what was baked.
pub fn compare(
    baked: &Inventory,
    now: &Inventory,
    rules: &InventoryRules,
    place: Place,
) -> Vec<Finding> {
    let node = place == Place::Node;
    let may_account = |line: &str| {
        let mut fields = line.split(':');
        let name = fields.next().unwrap_or_default();
        // Another root is never what a rule means, whatever its name.
        let root = fields.next() == Some("0");
        node && !root && rules.may_add_accounts.iter().any(|allowed| allowed == name)
    };
    let may_unit =
        |unit: &str| node && rules.may_enable_units.iter().any(|allowed| allowed == unit);
    vec![
        packages(&baked.packages, &now.packages),
        sets("setuid", &baked.setuid, &now.setuid, |_| false),
        sets("accounts", &baked.accounts, &now.accounts, may_account),
        sets(
            "enabled-units",
            &baked.enabled_units,
            &now.enabled_units,
            may_unit,
        ),
        exclusive(&rules.exclusive_units, &now.enabled_units),
    ]
}

/// A node has one role: with both enabled, two daemons fight for the same ports and state.
pub fn exclusive(units: &[String], enabled: &BTreeSet<String>) -> Finding {
    let result = finding("exclusive-units");
    let both: Vec<&str> = units
        .iter()
        .map(String::as_str)
        .filter(|unit| enabled.contains(*unit))
        .collect();
    match both.len() {
        0 | 1 => result,
        _ => result.differs(both.join(", "), "all enabled", "at most one of them"),
    }
}

fn packages(baked: &BTreeMap<String, String>, now: &BTreeMap<String, String>) -> Finding {
    let lines = |map: &BTreeMap<String, String>| -> BTreeSet<String> {
        map.iter()
            .map(|(name, version)| format!("{name} {version}"))
            .collect()
    };
    sets("packages", &lines(baked), &lines(now), |_| false)
}

fn sets(
    what: &str,
    baked: &BTreeSet<String>,
    now: &BTreeSet<String>,
    may: impl Fn(&str) -> bool,
) -> Finding {
    let mut result = finding(what);
    for extra in now.difference(baked).filter(|line| !may(line)) {
        result = result.differs(extra.clone(), "present", "not in the image");
    }
    for missing in baked.difference(now) {
        result = result.differs(missing.clone(), "absent", "in the image");
    }
    result
}

#[cfg(test)]
mod tests {
    use super::super::Status;
    use super::*;

    fn inventory(account: &str, setuid: &str, unit: &str, version: &str) -> Inventory {
        let set = |text: &str| BTreeSet::from([text.to_owned()]);
        Inventory {
            packages: BTreeMap::from([("a".to_owned(), version.to_owned())]),
            setuid: set(setuid),
            accounts: set(account),
            enabled_units: set(unit),
        }
    }

    #[test]
    fn each_set_is_compared_and_only_nodes_may_add() {
        let rules = InventoryRules {
            may_add_accounts: vec!["debian".into()],
            may_enable_units: vec!["x.service".into()],
            exclusive_units: Vec::new(),
        };
        let base = inventory(
            "root:0:0:/root:/bin/sh",
            "4755 0:0 /usr/bin/su",
            "a.service",
            "1",
        );
        assert!(
            compare(&base, &base, &rules, Place::Image)
                .iter()
                .all(|f| f.status == Status::Conforms)
        );
        for (changed, id) in [
            (
                inventory(
                    "evil:0:0:/:/bin/sh",
                    "4755 0:0 /usr/bin/su",
                    "a.service",
                    "1",
                ),
                "inventory:accounts",
            ),
            (
                inventory(
                    "root:0:0:/root:/bin/sh",
                    "4755 0:0 /tmp/x",
                    "a.service",
                    "1",
                ),
                "inventory:setuid",
            ),
            (
                inventory(
                    "root:0:0:/root:/bin/sh",
                    "4755 0:0 /usr/bin/su",
                    "b.service",
                    "1",
                ),
                "inventory:enabled-units",
            ),
            (
                inventory(
                    "root:0:0:/root:/bin/sh",
                    "4755 0:0 /usr/bin/su",
                    "a.service",
                    "2",
                ),
                "inventory:packages",
            ),
        ] {
            let drift: Vec<_> = compare(&base, &changed, &rules, Place::Node)
                .into_iter()
                .filter(|f| f.status == Status::Drift)
                .map(|f| f.id)
                .collect();
            assert_eq!(drift, [id]);
        }
        let second_root = {
            let mut node = base.clone();
            node.accounts.insert("debian:0:0:/root:/bin/bash".into());
            node
        };
        let found = compare(&base, &second_root, &rules, Place::Node);
        assert!(found.iter().any(|f| f.status == Status::Drift));
        let mut node = base.clone();
        node.accounts
            .insert("debian:1000:1000:/home/debian:/bin/bash".into());
        node.enabled_units.insert("x.service".into());
        assert!(
            compare(&base, &node, &rules, Place::Node)
                .iter()
                .all(|f| f.status == Status::Conforms)
        );
        assert_eq!(
            compare(&base, &node, &rules, Place::Image)
                .iter()
                .filter(|f| f.status == Status::Drift)
                .count(),
            2
        );
    }
}
