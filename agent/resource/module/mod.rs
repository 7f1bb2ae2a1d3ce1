//! Kind `module`: kernel modules, loaded now and at every boot by one modules-load.d file.
//! It is separate because the file and the running kernel are two facts that must agree.

mod installed;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::host::{Host, ModuleState, Runtime};
use crate::resource::fault::{drop_in, empty};
use crate::resource::file::{self, File, comment, heading};
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
pub struct Seen {
    /// The file that loads them at boot.
    pub file: file::Seen,
    /// The modules.
    pub modules: BTreeMap<String, ModuleSeen>,
}

/// What was found of one module.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModuleSeen {
    /// In the running kernel.
    pub runtime: Runtime<ModuleState>,
    /// Releases of the installed kernels, where none of them has the module.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lacking: Vec<String>,
}

/// A step.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Writes the file, or sets its mode and owner.
    File(file::Action),
    /// Loads a module.
    Load(String),
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::File(action) => action.fmt(f),
            Action::Load(name) => write!(f, "load {name}"),
        }
    }
}

impl Module {
    fn file(&self) -> File {
        let mut text = heading(Self::NAME, &self.path);
        for (name, why) in &self.modules {
            text += "\n";
            text += &comment(&why.reason);
            text += &[name, "\n"].concat();
        }
        File::generated(&self.path, text)
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
        let no_modules = self.modules.is_empty().then(|| empty("modules"));
        let path = drop_in(&self.path, "/etc/modules-load.d");
        path.into_iter().chain(no_modules).collect()
    }

    fn claims(&self) -> Vec<Claim> {
        vec![Claim {
            fact: format!("path:{}", self.path),
            value: "modules".to_owned(),
        }]
    }

    fn observe(&self, host: &Host) -> Result<Seen> {
        let lacking = installed::lacking(&host.root, self.modules.keys())?;
        let mut modules = BTreeMap::new();
        for name in self.modules.keys() {
            let seen = ModuleSeen {
                runtime: host.kernel.module(name)?,
                lacking: lacking.get(name).cloned().unwrap_or_default(),
            };
            modules.insert(name.clone(), seen);
        }
        Ok(Seen {
            file: self.file().observe(host)?,
            modules,
        })
    }

    fn diff(&self, seen: &Seen, place: Place) -> Diff<Action> {
        let mut diff = self.file().diff(&seen.file, place).map(Action::File);
        for name in self.modules.keys() {
            let Some(found) = seen.modules.get(name) else {
                diff.unknown(name, "it was not observed");
                continue;
            };
            if !found.lacking.is_empty() {
                let have = format!("not in {}", found.lacking.join(", "));
                diff.differs(format!("{name} on disk"), have, "in an installed kernel");
            }
            match &found.runtime {
                _ if place == Place::Image => {}
                Runtime::Seen(ModuleState::Absent) => {
                    diff.differs(format!("{name} at runtime"), "not loaded", "loaded");
                    diff.actions.push(Action::Load(name.clone()));
                }
                Runtime::Seen(_) => {}
                Runtime::NotApplicable(why) => diff.skip(format!("{name} at runtime"), why),
            }
        }
        if place == Place::Image {
            diff.skip(
                "runtime",
                "an image that is not booted has no loaded modules",
            );
        }
        diff
    }

    fn apply(batch: &[(&Self, &Action)], host: &Host) -> Result<()> {
        for (module, action) in batch {
            match action {
                Action::File(action) => File::apply(&[(&module.file(), action)], host)?,
                Action::Load(name) => host.kernel.load_module(name)?,
            }
        }
        Ok(())
    }
}
