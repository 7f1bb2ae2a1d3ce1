//! Kind `scrub`: paths that must not be cloned are removed, truncated or emptied before the seal.
//! It is separate because it is the one kind that leaves tombstones: proof of what a node must differ from.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::host::Host;
use crate::resource::schema::{Check, Field, Type};
use crate::resource::{Claim, Diff, Fault, Kind, Phase, Place};

/// Paths that must not be cloned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scrub {
    /// Name for the id, `--list` and `--skip`.
    pub name: String,
    /// Paths or patterns; `~/` stands for every home.
    pub paths: Vec<String>,
    /// Paths or patterns that stay.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub except: Vec<String>,
    /// `remove`, `empty-dir`, `truncate` or `write`.
    pub action: String,
    /// What `write` leaves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// Mode that `truncate` and `write` leave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// Kind of identifier that the paths hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tombstone: Option<String>,
    /// Writers that are stopped first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stop: Vec<String>,
    /// `generalize` (default) or `close`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
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

impl Kind for Scrub {
    const NAME: &'static str = "scrub";
    const PHASE: Phase = Phase::Scrub;
    const DOC: &'static str =
        "Paths that must not be cloned: removed, emptied or truncated before the seal.";
    const PLACES: &'static [Place] = &[Place::Image];
    const FIELDS: &'static [Field] = &[
        Field::required(
            "name",
            Type::Str(Check::Word),
            "A name for the id, --list and --skip.",
        ),
        Field::required(
            "paths",
            Type::List(&Type::Str(Check::Glob)),
            "Paths or patterns; ~/ stands for every home in /etc/passwd.",
        ),
        Field::optional(
            "except",
            Type::List(&Type::Str(Check::Glob)),
            "Paths or patterns that stay.",
        ),
        Field::required(
            "action",
            Type::Enum(&["remove", "empty-dir", "truncate", "write"]),
            "remove: the path with all it holds. empty-dir: what it holds. truncate: to zero bytes, owner and mode kept. write: content.",
        ),
        Field::optional(
            "content",
            Type::Str(Check::Any),
            "What write leaves in the file.",
        ),
        Field::optional(
            "mode",
            Type::Str(Check::Mode),
            "Mode that truncate and write leave. Default: as found, else 0644.",
        ),
        Field::optional(
            "tombstone",
            Type::Enum(&[
                "machine-id",
                "ssh-host-key",
                "iscsi-name",
                "nvme-host",
                "nm-secret-key",
                "cattle-id",
            ]),
            "The identifier that the paths hold; its keyed digest is recorded before.",
        ),
        Field::optional(
            "stop",
            Type::List(&Type::Str(Check::UnitName)),
            "Writers that are stopped first, where a manager runs.",
        ),
        Field::optional(
            "when",
            Type::Enum(&["generalize", "close"]),
            "close: on a running machine it is left to the closing unit, after sshd and the network. Default: generalize.",
        ),
    ];
    type Seen = Seen;
    type Action = Action;

    fn key(&self) -> String {
        self.name.clone()
    }

    fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        let (writes, keeps) = (self.action == "write", self.action == "truncate");
        if self.paths.is_empty() {
            faults.push(Fault::new(
                "paths",
                "`paths` is empty",
                "name at least one path",
            ));
        }
        if writes && self.content.is_none() {
            faults.push(Fault::new(
                "action",
                "`write` needs `content`",
                "add content = \"…\", or use truncate",
            ));
        }
        if !writes && self.content.is_some() {
            faults.push(Fault::new(
                "content",
                "only the action `write` has `content`",
                "remove it",
            ));
        }
        if !writes && !keeps && self.mode.is_some() {
            faults.push(Fault::new(
                "mode",
                "a removed path has no `mode`",
                "remove it",
            ));
        }
        faults
    }

    fn claims(&self) -> Vec<Claim> {
        vec![Claim {
            fact: format!("scrub:{}", self.name),
            value: format!("{self:?}"),
        }]
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
