//! What `systemctl is-enabled` says of a unit, from the symlinks of a tree alone.
//! It is separate because verify needs it where nothing may be changed.

use std::collections::BTreeSet;

use super::Offline;
use super::find::{CONFIG, Found};
use super::links::{Dir, Links};
use crate::error::Result;
use crate::host::systemd::name::{Form, Name, base, template_of, valid};

/// What was found of one unit in the search path so far.
#[derive(Default)]
struct Met {
    runtime: bool,
    vendor: bool,
    same_name_config: bool,
    same_name_runtime: bool,
}

impl Offline {
    /// The word for a unit that was asked for by `asked`.
    pub(super) fn enablement(asked: &str, unit: &Found, all: &Links) -> &'static str {
        let at = |dir: &str| unit.path.starts_with(dir);
        if unit.masked {
            return if at("/run/") {
                "masked-runtime"
            } else {
                "masked"
            };
        }
        let instance = Name::of(&unit.name).is_some_and(|name| name.form() == Form::Instance);
        if asked != base(&unit.path) && !instance {
            return "alias";
        }
        if at("/run/systemd/generator") {
            return "generated";
        }
        if at("/run/systemd/transient/") {
            return "transient";
        }
        // First links that enabling this unit would make; any other link only says that it may be in use.
        if let Some(word) = linked(unit, true, all) {
            return word;
        }
        if linked(unit, false, all).is_some() {
            return "indirect";
        }
        match (unit.install.has_rules(), unit.install.also.is_empty()) {
            (true, _) => "disabled",
            (false, false) => "indirect",
            (false, true) => "static",
        }
    }

    /// Names of all unit files whose state is `enabled`.
    pub(super) fn enabled_names(&self) -> Result<Vec<String>> {
        let all = self.links()?;
        let listed = all.0.iter().flat_map(|(_, dir)| &dir.names);
        let names: BTreeSet<&String> = listed.filter(|name| valid(name)).collect();
        let candidates = all.candidates();
        let mut enabled = Vec::new();
        for name in names {
            if !candidates.contains(name) {
                continue;
            }
            // A broken unit file elsewhere is no reason to know nothing of the others.
            let Ok(Some(unit)) = self.find(name) else {
                continue;
            };
            if Self::enablement(name, &unit, &all) == "enabled" {
                enabled.push(name.clone());
            }
        }
        Ok(enabled)
    }
}

fn linked(unit: &Found, known_names: bool, all: &Links) -> Option<&'static str> {
    let mut links = Met::default();
    // A link of the unit's own name below the unit file itself is hidden by it.
    let mut below = false;
    for (dir, in_it) in &all.0 {
        let (found, same_name) = links_in(in_it, unit, known_names, below);
        let runtime = dir.starts_with("/run/");
        if found && dir == CONFIG {
            return Some("enabled");
        }
        links.runtime |= found && runtime;
        links.vendor |= found && !runtime;
        links.same_name_config |= same_name && dir == CONFIG;
        links.same_name_runtime |= same_name && runtime;
        below |= unit.path.starts_with(&format!("{dir}/"));
    }
    let instance = Name::of(&unit.name).is_some_and(|name| name.form() == Form::Instance);
    match links {
        Met { runtime: true, .. } => Some("enabled-runtime"),
        Met { vendor: true, .. } if instance => Some("static"),
        Met {
            same_name_config: true,
            ..
        } => Some("linked"),
        Met {
            same_name_runtime: true,
            ..
        } => Some("linked-runtime"),
        Met { .. } => None,
    }
}

/// Whether a directory of the search path holds a link to the unit, and whether one of its own name.
fn links_in(dir: &Dir, unit: &Found, known_names: bool, below: bool) -> (bool, bool) {
    let accepted = |link: &str| !known_names || known(unit, link);
    let ours =
        |link: &String| *link == unit.name || template_of(link).is_some_and(|t| t == unit.name);
    if dir.wants.iter().any(|link| ours(link) && accepted(link)) {
        return (true, false);
    }
    let mut same_name = false;
    for (link, target) in &dir.own {
        let by_name = !below && *link == unit.name;
        let by_target = base(target) == unit.name;
        if by_name && by_target {
            same_name = true;
        } else if (by_name || by_target) && accepted(link) {
            return (true, same_name);
        }
    }
    (false, same_name)
}

/// Whether enabling the unit would make a link of this name.
fn known(unit: &Found, link: &str) -> bool {
    let default = unit.install.default_instance.as_deref();
    let instance = default.and_then(|default| {
        let name = Name::of(&unit.name)?;
        (name.form() == Form::Template).then(|| name.with_instance(default))
    });
    link == unit.name
        || unit.install.alias.iter().any(|alias| alias == link)
        || instance.as_deref() == Some(link)
}
