//! Kind `unit`: a systemd unit enabled, disabled or masked, and running or not.
//! It is separate because enablement is a fact of the tree and activity one of the running manager.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::host::{Enablement, Host, UnitState, Where};
use crate::resource::schema::{Check, Field, Type};
use crate::resource::{Claim, Diff, ENTRY, Fault, Kind, Phase, Place};

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
pub struct Seen {
    /// The unit as systemd, or its tree, has it.
    pub state: UnitState,
    /// Whether a manager runs that can start and stop it.
    pub manager: bool,
    /// It is a container: what a unit's conditions ask for may be the container's host's to give.
    pub container: bool,
}

/// A step.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Change what happens at boot.
    Set(Enablement, String),
    /// Make systemd read its unit files again.
    Reload,
    /// Start.
    Start(String),
    /// Stop.
    Stop(String),
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Set(change, unit) => write!(f, "{} {unit}", change.verb()),
            Action::Reload => write!(f, "daemon-reload"),
            Action::Start(unit) => write!(f, "start {unit}"),
            Action::Stop(unit) => write!(f, "stop {unit}"),
        }
    }
}

/// Steps from one enablement to the wanted one; none when it is as wanted, empty when nothing can be done.
fn enablement_steps(have: &str, want: &str) -> Option<&'static [Enablement]> {
    use Enablement::{Disable, Enable, Mask, Unmask};
    match (want, have) {
        // An alias in use is the unit it stands for; runtime enablement is lost at the next boot.
        ("enabled", "enabled" | "alias")
        | (
            "disabled",
            "disabled" | "static" | "indirect" | "generated" | "transient" | "linked"
            | "linked-runtime",
        )
        | ("masked", "masked") => None,
        // Without an [Install] section there is nothing to enable.
        ("enabled", "static" | "generated" | "transient") => Some(&[]),
        ("enabled", "masked" | "masked-runtime") => Some(&[Unmask, Enable]),
        ("enabled", _) => Some(&[Enable]),
        // Masked is not disabled: nobody could start it by hand or as a dependency.
        ("disabled", "masked" | "masked-runtime") => Some(&[Unmask, Disable]),
        ("disabled", _) => Some(&[Disable]),
        _ => Some(&[Mask]),
    }
}

impl Unit {
    fn set(&self, change: Enablement) -> Action {
        Action::Set(change, self.name.clone())
    }

    /// A unit that is not there is as good as disabled, masked and stopped, where the policy says so.
    fn absent_is_fine(&self, state: &UnitState) -> bool {
        !state.exists
            && self.missing.as_deref() == Some("fine")
            && self.enabled.as_deref() != Some("enabled")
            && self.active.as_deref() != Some("started")
    }

    fn diff_active(&self, seen: &Seen, diff: &mut Diff<Action>) {
        let Some(want) = self.active.as_deref() else {
            return;
        };
        let Some(have) = seen.state.active.as_deref().filter(|_| seen.manager) else {
            // An entry of which this is all was not looked at.
            let what = self.enabled.as_ref().map_or(ENTRY, |_| "active");
            diff.skip(what, "no systemd manager runs for this tree");
            return;
        };
        if seen.state.need_reload {
            diff.differs("unit file", "changed since it was read", "read by systemd");
            diff.actions.push(Action::Reload);
        }
        let (running, step) = match want {
            "started" => (true, Action::Start(self.name.clone())),
            _ => (false, Action::Stop(self.name.clone())),
        };
        let as_wanted = match have {
            "active" | "reloading" | "refreshing" => running,
            "inactive" | "failed" => !running,
            // On its way: the step waits for the end.
            _ => false,
        };
        if as_wanted {
            return;
        }
        match seen.state.unmet.as_deref().filter(|_| running) {
            // Such as ConditionCapability=CAP_SYS_TIME: not this unit's fault, and no step can help.
            Some(unmet) if seen.container => {
                let what = self.enabled.as_ref().map_or(ENTRY, |_| "active");
                diff.skip(what, format!("a container does not meet its {unmet}"));
            }
            Some(unmet) => {
                diff.differs("active", format!("{have}, its {unmet} is not met"), want);
                diff.actions.push(step);
            }
            None => {
                diff.differs("active", have, want);
                diff.actions.push(step);
            }
        }
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

    fn claims(&self) -> Vec<Claim> {
        vec![Claim {
            fact: format!("unit:{}", self.name),
            value: format!("{:?} {:?}", self.enabled, self.active),
        }]
    }

    fn faults(&self) -> Vec<Fault> {
        if self.enabled.is_some() || self.active.is_some() {
            return Vec::new();
        }
        let message = "this unit entry wants nothing";
        let help = "add `enabled` (enabled, disabled, masked) or `active` (started, stopped)";
        vec![Fault::new("", message, help)]
    }

    fn observe(&self, host: &Host) -> Result<Seen> {
        Ok(Seen {
            state: host.units.state(&self.name)?,
            manager: host.units.manager(),
            container: host.context.place == Where::Container,
        })
    }

    fn diff(&self, seen: &Seen, place: Place) -> Diff<Action> {
        let mut diff = Diff::default();
        if self.absent_is_fine(&seen.state) {
            return diff;
        }
        if !seen.state.exists && self.enabled.as_deref() != Some("masked") {
            diff.differs("unit", "absent", "present");
        }
        if let Some(want) = self.enabled.as_deref() {
            let have = seen.state.enablement.as_str();
            if let Some(steps) = enablement_steps(have, want) {
                let have = if have.is_empty() { "absent" } else { have };
                diff.differs("enabled", have, want);
                diff.actions
                    .extend(steps.iter().map(|step| self.set(*step)));
            }
        }
        if self.active_place.contains(&place) {
            self.diff_active(seen, &mut diff);
        } else if self.enabled.is_none() {
            diff.skip(ENTRY, "it is not expected to run or to stand still here");
        }
        diff
    }

    fn apply(batch: &[(&Self, &Action)], host: &Host) -> Result<()> {
        for (_, action) in batch {
            match action {
                Action::Set(change, unit) => host.units.set(unit, *change)?,
                Action::Reload => host.units.reload()?,
                Action::Start(unit) => host.units.start(unit)?,
                Action::Stop(unit) => host.units.stop(unit)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
