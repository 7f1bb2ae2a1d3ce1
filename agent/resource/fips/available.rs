//! Whether FIPS can be had here and by which tool: fips-mode-setup on EL, Ubuntu Pro on Ubuntu, nothing elsewhere.
//! It is separate because it may ask a program, and is only looked at while something is left to set up.

use serde::{Deserialize, Serialize};

use super::{Action, ask};
use crate::error::{Context as _, Result};
use crate::host::{Host, Root};

/// Families that differ in how FIPS is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// Rocky and its relatives.
    El,
    /// Ubuntu.
    Ubuntu,
    /// Any other: no FIPS module is known for it.
    Other,
}

impl Family {
    /// The family that os-release(5) tells.
    pub fn of(root: &Root) -> Result<Self> {
        let text = match root.read_text("/etc/os-release")? {
            Some(text) => Some(text),
            None => root.read_text("/usr/lib/os-release")?,
        };
        Ok(Self::told(&text.unwrap_or_default()))
    }

    fn told(os_release: &str) -> Self {
        let value = |key: &str| {
            let mut lines = os_release.lines();
            let line = lines.find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
            line.unwrap_or_default()
                .trim_matches(['"', '\''])
                .to_owned()
        };
        let words = format!("{} {}", value("ID"), value("ID_LIKE"));
        let is = |names: &[&str]| words.split_whitespace().any(|word| names.contains(&word));
        if is(&["ubuntu"]) {
            Family::Ubuntu
        } else if is(&["rhel", "rocky", "centos", "almalinux", "fedora"]) {
            Family::El
        } else {
            Family::Other
        }
    }
}

/// How FIPS could be set up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Available {
    /// By this step.
    #[serde(serialize_with = "word")]
    By(Action),
    /// Not here.
    No {
        /// Why not.
        why: String,
        /// What a person can do about it.
        next: String,
    },
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes fields by reference"
)]
fn word<S: serde::Serializer>(action: &Action, to: S) -> std::result::Result<S::Ok, S::Error> {
    to.collect_str(action)
}

fn no(why: &str, next: &str) -> Available {
    Available::No {
        why: why.to_owned(),
        next: next.to_owned(),
    }
}

/// Looks for the tool, and asks it whether it may.
pub(super) fn look(host: &Host, family: Family) -> Result<Available> {
    match family {
        Family::El => Ok(Available::By(Action::FipsModeSetup)),
        Family::Other => Ok(no(
            "this distribution has no validated FIPS modules",
            "a Rocky 9 or Ubuntu Pro base image",
        )),
        Family::Ubuntu if !host.root.present("/usr/bin/pro")? => Ok(no(
            "the Ubuntu Pro client is not installed",
            "the package ubuntu-pro-client, and a machine attached to Ubuntu Pro",
        )),
        Family::Ubuntu => pro(&ask(host, &["pro", "status", "--format", "json"])?),
    }
}

/// What matters of `pro status --format json`.
#[derive(Debug, Deserialize)]
struct ProStatus {
    attached: bool,
    #[serde(default)]
    services: Vec<Service>,
}

/// A service; while the machine is not attached they have no more than a name and whether it is available.
#[derive(Debug, Deserialize)]
struct Service {
    name: String,
    #[serde(default)]
    entitled: String,
}

fn pro(text: &str) -> Result<Available> {
    let status: ProStatus =
        serde_json::from_str(text).context(|| "read what `pro status --format json` printed")?;
    if !status.attached {
        return Ok(no(
            "this machine is not attached to Ubuntu Pro",
            "a machine attached to Ubuntu Pro: build from an Ubuntu Pro FIPS image, or run \
             `pro attach --attach-config FILE` and bake again",
        ));
    }
    let fips = status.services.iter().find(|s| s.name == "fips-updates");
    Ok(match fips {
        Some(service) if service.entitled == "yes" => Available::By(Action::ProEnable),
        _ => no(
            "the Ubuntu Pro subscription has no fips-updates for this machine",
            "a subscription that is entitled to fips-updates; see `pro status`",
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_family_is_that_of_os_release() {
        let table = [
            ("ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n", Family::El),
            ("ID=almalinux\n", Family::El),
            ("ID=ubuntu\nID_LIKE=debian\n", Family::Ubuntu),
            ("ID=debian\n", Family::Other),
            ("", Family::Other),
        ];
        for (text, want) in table {
            assert_eq!(Family::told(text), want, "{text}");
        }
    }

    #[test]
    fn pro_must_be_attached_and_entitled() {
        let service = |entitled: &str| {
            format!(
                r#"{{"name": "esm-infra", "entitled": "yes"}}, {{"name": "fips-updates", "entitled": "{entitled}", "status": "disabled"}}"#
            )
        };
        let json = |attached: bool, services: &str| {
            format!(
                r#"{{"_schema_version": "0.1", "attached": {attached}, "services": [{services}]}}"#
            )
        };
        let table = [
            (json(true, &service("yes")), None),
            (json(true, &service("no")), Some("has no fips-updates")),
            (json(true, ""), Some("has no fips-updates")),
            (
                json(false, r#"{"name": "fips-updates", "available": "yes"}"#),
                Some("not attached"),
            ),
        ];
        for (text, want) in table {
            match (pro(&text).unwrap(), want) {
                (Available::By(Action::ProEnable), None) => {}
                (Available::No { why, .. }, Some(want)) if why.contains(want) => {}
                (found, _) => panic!("{text}: {found:?}"),
            }
        }
        assert!(pro("not attached").is_err());
    }
}
