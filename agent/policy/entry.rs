//! A checked policy as plain data: what plan, apply, manifest and verify work from, and what policy.json keeps.
//! It is separate from loading so that a node needs no TOML and no fragments to audit itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::resource::{Place, Resource};

/// One wanted fact, with its reason and the places where it is expected.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Stable id, such as `package:chrony`.
    pub id: String,
    /// Why.
    pub reason: String,
    /// Where it is expected.
    pub places: Vec<Place>,
    /// false: audit only.
    #[serde(default = "yes")]
    pub enforce: bool,
    /// Entries that bring what this one needs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<String>,
    /// Fragment and line it comes from, such as `30-kernel.toml:12`.
    pub origin: String,
    /// Fragment and line of the entry that it replaces, when a site fragment overrides one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overrides: Option<String>,
    /// The fact.
    #[serde(flatten)]
    pub resource: Resource,
}

fn yes() -> bool {
    true
}

impl Entry {
    /// Whether the entry is expected at a place.
    pub fn at(&self, place: Place) -> bool {
        self.places.contains(&place)
    }
}

/// What the machine must be for the profile to apply at all.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Requires {
    /// os-release ID, or one of `ID_LIKE`.
    pub family: String,
    /// os-release `VERSION_ID`; `9` also accepts `9.4`.
    pub version: String,
    /// Accepted `uname -m` values.
    pub arch: Vec<String>,
}

/// A variable's resolved value; a secret's value is never here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Variable {
    /// `string`, `bool`, `int`, `list` or `secret-file`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The value, as text; for a secret the path of its file.
    pub value: String,
    /// `default`, `profile NAME` or `--set`.
    pub from: String,
}

/// A finding that is accepted, until a date, by somebody.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Exception {
    /// Id of the entry or inventory finding.
    pub id: String,
    /// Why it is accepted.
    pub reason: String,
    /// Who accepts it.
    pub owner: String,
    /// Last day on which it holds, YYYY-MM-DD.
    pub expires: String,
}

/// What may appear on a node beside the inventory taken at the seal.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct InventoryRules {
    /// Accounts that cloud-init or the site may add.
    pub may_add_accounts: Vec<String>,
    /// Units that may become enabled.
    pub may_enable_units: Vec<String>,
    /// Units of which at most one may be enabled.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exclusive_units: Vec<String>,
}

/// The merged, resolved, secret-free policy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    /// Version of the policy format: 1.
    pub schema: u32,
    /// The profile's name.
    pub profile: String,
    /// One sentence about the profile.
    pub description: String,
    /// Whether the profile was booted on its own OS; false is shown in every output.
    pub proven: bool,
    /// What the machine must be.
    pub requires: Requires,
    /// Resolved variables by name.
    pub variables: BTreeMap<String, Variable>,
    /// Fragments in order, as `NAME sha256:…`.
    pub fragments: Vec<String>,
    /// Entries, by phase, then in the order of the fragments.
    pub entries: Vec<Entry>,
    /// Accepted findings.
    #[serde(default)]
    pub exceptions: Vec<Exception>,
    /// Rules for what no entry names.
    #[serde(default)]
    pub inventory: InventoryRules,
}
