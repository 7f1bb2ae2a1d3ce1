//! Kind `sysctl`: kernel parameters, set now and at every boot by one drop-in file.
//! It is separate because the running value and the persisted winner are two facts that must agree.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::host::Host;
use crate::resource::schema::{Check, Field, Type};
use crate::resource::{Accept, Claim, Diff, Fault, Kind, Phase, Place};

/// A wanted sysctl drop-in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sysctl {
    /// The drop-in file.
    pub path: String,
    /// Keys and what is wanted of each.
    pub keys: BTreeMap<String, Wanted>,
}

/// What is wanted of one key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Wanted {
    /// The value.
    pub value: String,
    /// Why.
    pub reason: String,
    /// How a found number compares.
    #[serde(default)]
    pub accept: Accept,
    /// Further values that conform.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub one_of: Vec<String>,
    /// Whether a node's running value is ours to check.
    #[serde(default)]
    pub node: OnNode,
}

/// Who owns the running value on a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnNode {
    /// It is checked.
    #[default]
    Checked,
    /// kube-proxy or the CNI sets it: only the file is checked.
    OwnedElsewhere,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Seen {}

/// A step.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {}

impl fmt::Display for Action {
    fn fmt(&self, _f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

impl Kind for Sysctl {
    const NAME: &'static str = "sysctl";
    const PHASE: Phase = Phase::Kernel;
    const DOC: &'static str = "Kernel parameters, set now and at every boot by one sysctl.d file.";
    const FIELDS: &'static [Field] = &[
        Field::required(
            "path",
            Type::Str(Check::AbsPath),
            "The drop-in below /etc/sysctl.d.",
        ),
        Field::required(
            "keys",
            Type::Map(
                Check::SysctlKey,
                &Type::Table(&[
                    Field::required(
                        "value",
                        Type::Str(Check::NotEmpty),
                        "The value, as a string.",
                    ),
                    Field::required("reason", Type::Str(Check::NotEmpty), "Why this value."),
                    Field::optional(
                        "accept",
                        Type::Enum(&["exact", "at-least", "at-most"]),
                        "How a found number compares. Default: exact.",
                    ),
                    Field::optional(
                        "one-of",
                        Type::List(&Type::Str(Check::NotEmpty)),
                        "Other values that conform, beside value.",
                    ),
                    Field::optional(
                        "node",
                        Type::Enum(&["checked", "owned-elsewhere"]),
                        "owned-elsewhere: on a node kube-proxy or the CNI sets it, so only the file is checked there.",
                    ),
                ]),
            ),
            "The keys, each with value and reason.",
        ),
    ];
    type Seen = Seen;
    type Action = Action;

    fn key(&self) -> String {
        self.path.clone()
    }

    fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        let name = self.path.strip_prefix("/etc/sysctl.d/");
        if !name.is_some_and(|name| name.ends_with(".conf") && !name.contains('/')) {
            let help = "right is a file such as \"/etc/sysctl.d/90-rke2.conf\"";
            faults.push(Fault::new(
                "path",
                "`path` must be a .conf file in /etc/sysctl.d",
                help,
            ));
        }
        if self.keys.is_empty() {
            let help = "add at least one, with its reason, or remove the entry";
            faults.push(Fault::new("keys", "`keys` is empty", help));
        }
        faults
    }

    fn claims(&self) -> Vec<Claim> {
        self.keys
            .iter()
            .map(|(key, wanted)| Claim {
                fact: format!("sysctl:{key}"),
                value: wanted.value.clone(),
            })
            .chain([Claim {
                fact: format!("path:{}", self.path),
                value: "sysctl".to_owned(),
            }])
            .collect()
    }

    fn observe(&self, _host: &Host) -> Result<Seen> {
        Err(Error::host("observe: not built yet"))
    }

    fn diff(&self, _seen: &Seen, _place: Place) -> Diff<Action> {
        Diff::default()
    }

    fn apply(_batch: &[(&Self, &Action)], _host: &Host) -> Result<()> {
        Err(Error::host("apply: not built yet"))
    }
}
