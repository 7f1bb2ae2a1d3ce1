//! Kind `absent`: a path that must not exist.
//! It is separate because removing is the one change of files that cannot be undone by the next bake.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::host::Host;
use crate::resource::schema::{Check, Field, Type};
use crate::resource::{Claim, Diff, Kind, Phase, Place};

/// A path that must not exist.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Absent {
    /// Absolute path.
    pub path: String,
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

impl Kind for Absent {
    const NAME: &'static str = "absent";
    const PHASE: Phase = Phase::Files;
    const DOC: &'static str = "A path that must not exist.";
    const FIELDS: &'static [Field] = &[Field::required(
        "path",
        Type::Str(Check::AbsPath),
        "The path; a directory goes with all it holds, a symlink alone.",
    )];
    type Seen = Seen;
    type Action = Action;

    fn key(&self) -> String {
        self.path.clone()
    }

    fn claims(&self) -> Vec<Claim> {
        vec![Claim {
            fact: format!("path:{}", self.path),
            value: "absent".to_owned(),
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
