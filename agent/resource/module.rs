//! Kind `module`: kernel modules, loaded now and at every boot by one modules-load.d file.
//! It is separate because the file and the running kernel are two facts that must agree.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::host::Host;
use crate::resource::schema::{Check, Field, Type};
use crate::resource::{Claim, Diff, Fault, Kind, Phase, Place};

/// A wanted modules-load.d file and its modules.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Module {
    /// The file.
    pub path: String,
    /// Modules and the reason for each.
    pub modules: BTreeMap<String, Why>,
}

/// The reason for one key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Why {
    /// A sentence, an id or a URL.
    pub reason: String,
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

impl Kind for Module {
    const NAME: &'static str = "module";
    const PHASE: Phase = Phase::Kernel;
    const DOC: &'static str =
        "Kernel modules, loaded now and at every boot by one modules-load.d file.";
    const FIELDS: &'static [Field] = &[
        Field::required(
            "path",
            Type::Str(Check::AbsPath),
            "The file below /etc/modules-load.d that names them.",
        ),
        Field::required(
            "modules",
            Type::Map(
                Check::ModuleName,
                &Type::Table(&[Field::required(
                    "reason",
                    Type::Str(Check::NotEmpty),
                    "Why this module.",
                )]),
            ),
            "The modules and the reason for each, in the file's order.",
        ),
    ];
    type Seen = Seen;
    type Action = Action;

    fn key(&self) -> String {
        self.path.clone()
    }

    fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        let name = self.path.strip_prefix("/etc/modules-load.d/");
        if !name.is_some_and(|name| name.ends_with(".conf") && !name.contains('/')) {
            let help = "right is a file such as \"/etc/modules-load.d/rke2.conf\"";
            faults.push(Fault::new(
                "path",
                "`path` must be a .conf file in /etc/modules-load.d",
                help,
            ));
        }
        if self.modules.is_empty() {
            let help = "add at least one, with its reason, or remove the entry";
            faults.push(Fault::new("modules", "`modules` is empty", help));
        }
        faults
    }

    fn claims(&self) -> Vec<Claim> {
        vec![Claim {
            fact: format!("path:{}", self.path),
            value: "modules".to_owned(),
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
