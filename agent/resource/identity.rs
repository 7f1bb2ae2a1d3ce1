//! Kind `identity`: proof that an identifier was made anew on this machine and differs from what was baked.
//! It is separate because it only ever judges: an identity that is wrong cannot be repaired here.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::host::Host;
use crate::resource::schema::{Field, Type};
use crate::resource::{Claim, Diff, Kind, Phase, Place};

/// An identifier that must be this machine's own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    /// Which identifier.
    pub what: String,
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

impl Kind for Identity {
    const NAME: &'static str = "identity";
    const PHASE: Phase = Phase::Identity;
    const DOC: &'static str =
        "An identifier that must be present and different from what was baked.";
    const PLACES: &'static [Place] = &[Place::Node];
    const FIELDS: &'static [Field] = &[Field::required(
        "what",
        Type::Enum(&["machine-id", "dbus-id", "ssh-host-keys"]),
        "Which identifier.",
    )];
    type Seen = Seen;
    type Action = Action;

    fn key(&self) -> String {
        self.what.clone()
    }

    fn claims(&self) -> Vec<Claim> {
        vec![Claim {
            fact: format!("identity:{}", self.what),
            value: String::new(),
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
