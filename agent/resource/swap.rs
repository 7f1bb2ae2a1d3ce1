//! Kind `swap`: swap is off, now and at every boot.
//! It is separate because it lives in four places: the kernel, fstab, swap units and zram generators.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::host::Host;
use crate::resource::schema::{Field, Type};
use crate::resource::{Claim, Diff, Kind, Phase, Place};

/// Swap is off.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Swap {
    /// The only state there is: `off`.
    pub state: String,
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

impl Kind for Swap {
    const NAME: &'static str = "swap";
    const PHASE: Phase = Phase::Kernel;
    const DOC: &'static str =
        "Swap is off now and at every boot: swapoff, fstab, swap units, zram.";
    const FIELDS: &'static [Field] = &[Field::required(
        "state",
        Type::Enum(&["off"]),
        "off: kubelet refuses to start with swap on.",
    )];
    type Seen = Seen;
    type Action = Action;

    fn key(&self) -> String {
        self.state.clone()
    }

    fn claims(&self) -> Vec<Claim> {
        vec![Claim {
            fact: "swap".to_owned(),
            value: self.state.clone(),
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
