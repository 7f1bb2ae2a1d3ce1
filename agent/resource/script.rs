//! Kind `script`: the escape hatch, a site's own script with its mandatory check.
//! It is separate because what it does is not ours to diff: only its check says whether it is needed.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::host::Host;
use crate::resource::schema::{Check, Field, Type};
use crate::resource::{Claim, Diff, Kind, Phase, Place};

/// A site script and its check; both are recorded by digest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Script {
    /// Name for the id.
    pub name: String,
    /// Exits 0 when nothing is to be done.
    pub check: String,
    /// Makes it so.
    pub run: String,
    /// Seconds until it is killed.
    #[serde(default = "default_timeout")]
    pub timeout: u64,
}

fn default_timeout() -> u64 {
    300
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

impl Kind for Script {
    const NAME: &'static str = "script";
    const PHASE: Phase = Phase::Scripts;
    const DOC: &'static str = "A site script with the check that says whether it is needed.";
    const FIELDS: &'static [Field] = &[
        Field::required("name", Type::Str(Check::Word), "A name for the id."),
        Field::required(
            "check",
            Type::Str(Check::NotEmpty),
            "Shell that exits 0 when nothing is to be done; run by plan and verify too, so it must not change anything.",
        ),
        Field::required(
            "run",
            Type::Str(Check::NotEmpty),
            "Shell that makes it so; the check runs again afterwards.",
        ),
        Field::optional(
            "timeout",
            Type::Int(1, 7200),
            "Seconds until it is killed. Default: 300.",
        ),
    ];
    type Seen = Seen;
    type Action = Action;

    fn key(&self) -> String {
        self.name.clone()
    }

    fn claims(&self) -> Vec<Claim> {
        vec![Claim {
            fact: format!("script:{}", self.name),
            value: format!("{} {}", self.check, self.run),
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
