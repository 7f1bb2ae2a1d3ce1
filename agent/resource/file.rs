//! Kind `file`: a regular file with its content, mode and owner.
//! It is separate because content is compared and recorded by digest and written atomically.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::host::Host;
use crate::resource::schema::{Check, Field, Type};
use crate::resource::{Accept, Claim, Diff, Kind, Phase, Place};

/// A wanted regular file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct File {
    /// Absolute path.
    pub path: String,
    /// SHA-256 of the content, in hex. The policy layer fills it; for `self` it is the running binary's.
    pub sha256: String,
    /// The content; none for the binary itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// The source it was taken from, as the policy names it; `self` is the running binary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Mode as octal digits.
    #[serde(default = "default_mode")]
    pub mode: String,
    /// Owner, name or number.
    #[serde(default = "root_name")]
    pub owner: String,
    /// Group, name or number.
    #[serde(default = "root_name")]
    pub group: String,
    /// How the mode compares.
    #[serde(default)]
    pub accept: Accept,
}

fn default_mode() -> String {
    "0644".to_owned()
}

pub(crate) fn root_name() -> String {
    "root".to_owned()
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

impl Kind for File {
    const NAME: &'static str = "file";
    const PHASE: Phase = Phase::Files;
    const DOC: &'static str = "A regular file with its content, mode and owner.";
    const FIELDS: &'static [Field] = &[
        Field::required("path", Type::Str(Check::AbsPath), "Where it goes."),
        Field::optional("content", Type::Str(Check::Any), "The content, inline."),
        Field::optional(
            "source",
            Type::Str(Check::NotEmpty),
            "Where the content comes from: \"rootfs/…\" in the policy folder, \"units/…\" of this tool, or \"self\", the running binary. Default without content: rootfs and the path.",
        ),
        Field::optional(
            "template",
            Type::Bool,
            "true: ${name} in the content is replaced. Default: false.",
        ),
        Field::optional(
            "mode",
            Type::Str(Check::Mode),
            "Mode, as a string. Default: \"0644\".",
        ),
        Field::optional(
            "owner",
            Type::Str(Check::Owner),
            "User, name or number. Default: \"root\".",
        ),
        Field::optional(
            "group",
            Type::Str(Check::Owner),
            "Group, name or number. Default: \"root\".",
        ),
        Field::optional(
            "accept",
            Type::Enum(&["exact", "at-most"]),
            "How the mode compares: exact, or at-most (stricter is fine).",
        ),
    ];
    type Seen = Seen;
    type Action = Action;

    fn key(&self) -> String {
        self.path.clone()
    }

    fn claims(&self) -> Vec<Claim> {
        vec![Claim {
            fact: format!("path:{}", self.path),
            value: format!("file {}", self.sha256),
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
