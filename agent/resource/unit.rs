//! Kind `unit`: a systemd unit enabled, disabled or masked, and running or not.
//! It is separate because enablement is a fact of the tree and activity one of the running manager.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::host::Host;
use crate::resource::schema::{Check, Field, Type};
use crate::resource::{Claim, Diff, Fault, Kind, Phase, Place};

/// A wanted unit state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Unit {
    /// The unit.
    pub name: String,
    /// `enabled`, `disabled` or `masked`; none: not looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<String>,
    /// `started` or `stopped`; none: not looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<String>,
    /// Where `active` is expected.
    #[serde(default = "default_active_place")]
    pub active_place: Vec<Place>,
    /// `fine`: a missing unit conforms to disabled, masked and stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
}

fn default_active_place() -> Vec<Place> {
    vec![Place::Build, Place::Node]
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

impl Kind for Unit {
    const NAME: &'static str = "unit";
    const PHASE: Phase = Phase::Units;
    const DOC: &'static str = "A systemd unit enabled, disabled or masked, and running or not.";
    const FIELDS: &'static [Field] = &[
        Field::required(
            "name",
            Type::Str(Check::UnitName),
            "The unit with its suffix.",
        ),
        Field::optional(
            "enabled",
            Type::Enum(&["enabled", "disabled", "masked"]),
            "What happens at boot. Default: not looked at.",
        ),
        Field::optional(
            "active",
            Type::Enum(&["started", "stopped"]),
            "What it does now, where a manager runs; only at the places of active-place. Default: not looked at.",
        ),
        Field::optional(
            "active-place",
            Type::List(&Type::Enum(&["build", "node"])),
            "Where active is expected. Default: [\"build\", \"node\"].",
        ),
        Field::optional(
            "missing",
            Type::Enum(&["error", "fine"]),
            "fine: a unit that does not exist conforms to disabled, masked and stopped. Default: error.",
        ),
    ];
    type Seen = Seen;
    type Action = Action;

    fn key(&self) -> String {
        self.name.clone()
    }

    fn faults(&self) -> Vec<Fault> {
        if self.enabled.is_some() || self.active.is_some() {
            return Vec::new();
        }
        let message = "this unit entry wants nothing";
        let help = "add `enabled` (enabled, disabled, masked) or `active` (started, stopped)";
        vec![Fault::new("", message, help)]
    }

    fn claims(&self) -> Vec<Claim> {
        vec![Claim {
            fact: format!("unit:{}", self.name),
            value: format!("{:?} {:?}", self.enabled, self.active),
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
