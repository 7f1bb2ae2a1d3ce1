//! Kind `directory`: a directory with its mode and owner.
//! It is separate because directories come before the files in them and are never replaced by one.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::host::Host;
use crate::resource::schema::{Check, Field, Type};
use crate::resource::{Accept, Claim, Diff, Kind, Phase, Place};

/// A wanted directory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Directory {
    /// Absolute path.
    pub path: String,
    /// Mode as octal digits.
    #[serde(default = "default_mode")]
    pub mode: String,
    /// Owner, name or number.
    #[serde(default = "super::file::root_name")]
    pub owner: String,
    /// Group, name or number.
    #[serde(default = "super::file::root_name")]
    pub group: String,
    /// How the mode compares.
    #[serde(default)]
    pub accept: Accept,
}

fn default_mode() -> String {
    "0755".to_owned()
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

impl Kind for Directory {
    const NAME: &'static str = "directory";
    const PHASE: Phase = Phase::Files;
    const DOC: &'static str = "A directory with its mode and owner.";
    const FIELDS: &'static [Field] = &[
        Field::required(
            "path",
            Type::Str(Check::AbsPath),
            "The directory; missing parents are made root:root 0755.",
        ),
        Field::optional(
            "mode",
            Type::Str(Check::Mode),
            "Mode, as a string. Default: \"0755\".",
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
            value: "directory".to_owned(),
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
