//! Kind `package`: a package installed, within its version bounds, held or not.
//! It is separate because all packages of a policy go in one transaction.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::host::Host;
use crate::resource::schema::{Check, Field, Type};
use crate::resource::{Claim, Diff, Fault, Kind, Phase, Place};

/// A wanted package.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Exactly this version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// At least this version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<String>,
    /// At most this version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<String>,
    /// Held back from upgrades.
    #[serde(default)]
    pub hold: bool,
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

impl Kind for Package {
    const NAME: &'static str = "package";
    const PHASE: Phase = Phase::Packages;
    const DOC: &'static str = "A package installed, within its version bounds, held or not.";
    const BATCH: bool = true;
    const FIELDS: &'static [Field] = &[
        Field::required("name", Type::Str(Check::PackageName), "The package's name."),
        Field::optional(
            "version",
            Type::Str(Check::Version),
            "Exactly this version.",
        ),
        Field::optional(
            "min",
            Type::Str(Check::Version),
            "This version or newer, by the family's own comparison.",
        ),
        Field::optional("max", Type::Str(Check::Version), "This version or older."),
        Field::optional(
            "hold",
            Type::Bool,
            "true: held back from upgrades. Default: false.",
        ),
    ];
    type Seen = Seen;
    type Action = Action;

    fn key(&self) -> String {
        self.name.clone()
    }

    fn faults(&self) -> Vec<Fault> {
        if self.version.is_none() || (self.min.is_none() && self.max.is_none()) {
            return Vec::new();
        }
        let message = "`version` excludes `min` and `max`: it already says exactly which";
        vec![Fault::new(
            "version",
            message,
            "keep `version`, or `min` and `max`",
        )]
    }

    fn claims(&self) -> Vec<Claim> {
        vec![Claim {
            fact: format!("package:{}", self.name),
            value: "installed".to_owned(),
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
