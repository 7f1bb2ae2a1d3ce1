//! What `systemctl is-enabled` says of a unit, from the symlinks of a tree alone.
//! It is separate because verify needs it where nothing may be changed.

use super::Offline;
use super::find::{CONFIG, Found};
use crate::error::Result;
use crate::host::systemd::name::{Form, Name, base, template_of, valid};

/// What was found of one unit in the search path so far.
#[derive(Default)]
struct Links {
    runtime: bool,
    vendor: bool,
    same_name_config: bool,
    same_name_runtime: bool,
}

impl Offline {
    /// The word for a unit that was asked for by `asked`.
    pub(super) fn enablement(&self, asked: &str, unit: &Found) -> Result<&'static str> {
        let at = |dir: &str| unit.path.starts_with(dir);
        if unit.masked {
            return Ok(if at("/run/") {
                "masked-runtime"
            } else {
                "masked"
            });
        }
        let instance = Name::of(&unit.name).is_some_and(|name| name.form() == Form::Instance);
        if asked != base(&unit.path) && !instance {
            return Ok("alias");
        }
        if at("/run/systemd/generator") {
            return Ok("generated");
        }
        if at("/run/systemd/transient/") {
            return Ok("transient");
        }
        // First links that enabling this unit would make; any other link only says that it may be in use.
        if let Some(word) = self.linked(unit, true)? {
            return Ok(word);
        }
        if self.linked(unit, false)?.is_some() {
            return Ok("indirect");
        }
        Ok(
            match (unit.install.has_rules(), unit.install.also.is_empty()) {
                (true, _) => "disabled",
                (false, false) => "indirect",
                (false, true) => "static",
            },
        )
    }

    fn linked(&self, unit: &Found, known_names: bool) -> Result<Option<&'static str>> {
        let mut links = Links::default();
        // A link of the unit's own name below the unit file itself is hidden by it.
        let mut below = false;
        for dir in &self.search {
            let (found, same_name) = self.links_in(dir, unit, known_names, below)?;
            let runtime = dir.starts_with("/run/");
            if found && dir == CONFIG {
                return Ok(Some("enabled"));
            }
            links.runtime |= found && runtime;
            links.vendor |= found && !runtime;
            links.same_name_config |= same_name && dir == CONFIG;
            links.same_name_runtime |= same_name && runtime;
            below |= unit.path.starts_with(&format!("{dir}/"));
        }
        let instance = Name::of(&unit.name).is_some_and(|name| name.form() == Form::Instance);
        Ok(match links {
            Links { runtime: true, .. } => Some("enabled-runtime"),
            Links { vendor: true, .. } if instance => Some("static"),
            Links {
                same_name_config: true,
                ..
            } => Some("linked"),
            Links {
                same_name_runtime: true,
                ..
            } => Some("linked-runtime"),
            Links { .. } => None,
        })
    }

    /// Whether a directory of the search path holds a link to the unit, and whether one of its own name.
    fn links_in(
        &self,
        dir: &str,
        unit: &Found,
        known_names: bool,
        below: bool,
    ) -> Result<(bool, bool)> {
        let accepted = |link: &str| !known_names || known(unit, link);
        for name in self.root.list(dir)? {
            let wants = [".wants", ".requires", ".upholds"]
                .iter()
                .any(|end| name.ends_with(end));
            if !wants {
                continue;
            }
            let inner = format!("{dir}/{name}");
            for link in self.root.list(&inner)? {
                let ours = link == unit.name || template_of(&link).is_some_and(|t| t == unit.name);
                if ours
                    && accepted(&link)
                    && self.root.read_link(&format!("{inner}/{link}"))?.is_some()
                {
                    return Ok((true, false));
                }
            }
        }
        let mut same_name = false;
        for link in self.root.list(dir)? {
            let Some(target) = self.root.read_link(&format!("{dir}/{link}"))? else {
                continue;
            };
            let by_name = !below && link == unit.name;
            let by_target = base(&target) == unit.name;
            if by_name && by_target {
                same_name = true;
            } else if (by_name || by_target) && accepted(&link) {
                return Ok((true, same_name));
            }
        }
        Ok((false, same_name))
    }

    /// Names of all unit files whose state is `enabled`.
    pub(super) fn enabled_names(&self) -> Result<Vec<String>> {
        let mut names = std::collections::BTreeSet::new();
        for dir in &self.search {
            names.extend(self.root.list(dir)?.into_iter().filter(|name| valid(name)));
        }
        let mut enabled = Vec::new();
        for name in names {
            // A broken unit file elsewhere is no reason to know nothing of the others.
            let Ok(Some(unit)) = self.find(&name) else {
                continue;
            };
            if self.enablement(&name, &unit)? == "enabled" {
                enabled.push(name);
            }
        }
        Ok(enabled)
    }
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
