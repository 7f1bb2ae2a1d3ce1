//! Kind `sysctl`: kernel parameters, set now and at every boot by one drop-in file.
//! It is separate because the running value and the persisted winner are two facts that must agree.

mod judge;
mod loaders;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::host::{Host, Runtime};
use crate::resource::fault::{drop_in, empty};
use crate::resource::file::{self, File, comment, heading};
use crate::resource::schema::{Check, Field, Type};
use crate::resource::{Accept, Claim, Diff, Fault, Kind, Phase, Place};
use judge::plain;
pub(crate) use loaders::Loaders;
pub use loaders::Setting;

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
pub struct Seen {
    /// The drop-in file.
    pub file: file::Seen,
    /// The keys.
    pub keys: BTreeMap<String, KeySeen>,
}

/// What was found of one key.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KeySeen {
    /// The running kernel's value.
    pub runtime: Runtime<Option<String>>,
    /// The line that systemd-sysctl takes at boot.
    pub systemd: Option<Setting>,
    /// The line that `sysctl --system` takes last.
    pub procps: Option<Setting>,
}

/// A step.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Writes the drop-in, or sets its mode and owner.
    File(file::Action),
    /// Sets a running value.
    Set {
        /// Key.
        key: String,
        /// Value.
        value: String,
    },
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::File(action) => action.fmt(f),
            Action::Set { key, value } => write!(f, "set {key} = {value}"),
        }
    }
}

impl Sysctl {
    fn file(&self) -> File {
        let mut text = heading(Self::NAME, &self.path);
        for (key, wanted) in self.ordered() {
            text += "\n";
            text += &comment(&wanted.reason);
            text += &[key, " = ", &plain(&wanted.value), "\n"].concat();
        }
        File::generated(&self.path, text)
    }

    /// Keys in the order in which they are set, at boot too: switching forwarding resets other keys of the protocol
    /// (`accept_redirects` among them), so it goes first.
    fn ordered(&self) -> Vec<(&String, &Wanted)> {
        let resets = |key: &str| key.ends_with("ip_forward") || key.ends_with("forwarding");
        let mut keys: Vec<_> = self.keys.iter().collect();
        keys.sort_by_key(|(key, _)| !resets(key));
        keys
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
        let no_keys = self.keys.is_empty().then(|| empty("keys"));
        let path = drop_in(&self.path, "/etc/sysctl.d");
        path.into_iter().chain(no_keys).collect()
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

    fn observe(&self, host: &Host) -> Result<Seen> {
        let loaders = Loaders::read(&host.root)?;
        let mut keys = BTreeMap::new();
        for key in self.keys.keys() {
            let seen = KeySeen {
                runtime: judge::runtime(host, key)?,
                systemd: loaders.systemd(key),
                procps: loaders.procps(key),
            };
            keys.insert(key.clone(), seen);
        }
        Ok(Seen {
            file: self.file().observe(host)?,
            keys,
        })
    }

    fn diff(&self, seen: &Seen, place: Place) -> Diff<Action> {
        let mut diff = self.file().diff(&seen.file, place).map(Action::File);
        for (key, wanted) in self.ordered() {
            match seen.keys.get(key) {
                Some(found) => wanted.judge(key, found, place, &mut diff),
                None => diff.unknown(key, "it was not observed"),
            }
        }
        if place == Place::Image {
            diff.skip(
                "runtime",
                "an image that is not booted has no running values",
            );
        }
        diff
    }

    fn apply(batch: &[(&Self, &Action)], host: &Host) -> Result<()> {
        for (sysctl, action) in batch {
            match action {
                Action::File(action) => File::apply(&[(&sysctl.file(), action)], host)?,
                Action::Set { key, value } => host.kernel.set_sysctl(key, value)?,
            }
        }
        Ok(())
    }
}
