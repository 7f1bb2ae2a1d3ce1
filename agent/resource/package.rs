//! Kind `package`: a package installed, within its version bounds, held or not.
//! It is separate because all packages of a policy go in one transaction.

use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::host::{Host, Installed, PackageRequest};
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
    /// Directory of package files for when the network fails; empty: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offline: Option<String>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Seen {
    /// The package as the database has it.
    pub installed: Option<Installed>,
    /// Which of `version`, `min` and `max` the installed version does not meet: comparing is the family's business.
    pub unmet: Vec<&'static str>,
    /// What is left of an interrupted transaction, whatever its package: nothing is certain before it is finished.
    pub interrupted: Option<String>,
}

/// A step.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Finish an interrupted transaction.
    Repair,
    /// Install or upgrade.
    Install(PackageRequest),
    /// Hold or release.
    Hold(String, bool),
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Repair => write!(f, "finish the interrupted package transaction"),
            Action::Install(PackageRequest { name, version, .. }) => match version {
                Some(version) => write!(f, "install {name} {version}"),
                None => write!(f, "install {name}"),
            },
            Action::Hold(name, true) => write!(f, "hold {name}"),
            Action::Hold(name, false) => write!(f, "release {name}"),
        }
    }
}

impl Package {
    /// The bounds as the policy has them, with the orderings that meet them.
    fn bounds(&self) -> impl Iterator<Item = (&'static str, &str, &'static [Ordering])> {
        use Ordering::{Equal, Greater, Less};
        [
            ("version", &self.version, &[Equal][..]),
            ("min", &self.min, &[Equal, Greater][..]),
            ("max", &self.max, &[Equal, Less][..]),
        ]
        .into_iter()
        .filter_map(|(name, value, meets)| Some((name, value.as_deref()?, meets)))
    }

    /// The wanted state in words.
    fn wanted(&self) -> String {
        let bounds: Vec<_> = self
            .bounds()
            .map(|(name, value, _)| format!("{name} {value}"))
            .collect();
        if bounds.is_empty() {
            "installed".to_owned()
        } else {
            bounds.join(", ")
        }
    }

    fn set_hold(&self) -> Action {
        Action::Hold(self.name.clone(), self.hold)
    }

    fn install(&self) -> Action {
        Action::Install(PackageRequest {
            name: self.name.clone(),
            version: self.version.clone(),
            offline: self.offline.clone().filter(|dir| !dir.is_empty()),
        })
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
        Field::optional(
            "offline",
            Type::Str(Check::AbsPathOrEmpty),
            "Directory of .deb or .rpm files, used when the network fails for good. Empty: none.",
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

    fn observe(&self, host: &Host) -> Result<Seen> {
        let installed = host.packages.installed()?.get(&self.name).cloned();
        let unmet = match &installed {
            None => Vec::new(),
            Some(now) => self
                .bounds()
                .filter(|(_, want, meets)| {
                    !meets.contains(&host.packages.compare(&now.version, want))
                })
                .map(|(name, _, _)| name)
                .collect(),
        };
        Ok(Seen {
            installed,
            unmet,
            interrupted: host.packages.interrupted()?,
        })
    }

    fn diff(&self, seen: &Seen, _place: Place) -> Diff<Action> {
        let mut diff = Diff::default();
        if let Some(left) = &seen.interrupted {
            diff.differs("package database", left, "every package configured");
            diff.actions.push(Action::Repair);
        }
        match &seen.installed {
            None => {
                diff.differs("package", "absent", self.wanted());
                diff.actions.push(self.install());
            }
            Some(now) => self.diff_version(now, &seen.unmet, &mut diff),
        }
        if seen.installed.as_ref().is_some_and(|now| now.held) != self.hold {
            let word = |held| if held { "held" } else { "not held" };
            diff.differs("hold", word(!self.hold), word(self.hold));
            diff.actions.push(self.set_hold());
        } else if self.hold && diff.actions.contains(&self.install()) {
            // A new version comes without the hold of the old one.
            diff.actions.push(self.set_hold());
        }
        diff
    }

    fn apply(batch: &[(&Self, &Action)], host: &Host) -> Result<()> {
        if batch.iter().any(|(_, action)| **action == Action::Repair) {
            host.packages.repair()?;
        }
        let install: Vec<PackageRequest> = batch
            .iter()
            .filter_map(|(_, action)| match action {
                Action::Install(request) => Some(request.clone()),
                _ => None,
            })
            .collect();
        if !install.is_empty() {
            host.packages.install(&install)?;
        }
        for held in [true, false] {
            let names: Vec<String> = batch
                .iter()
                .filter_map(|(_, action)| match action {
                    Action::Hold(name, want) if *want == held => Some(name.clone()),
                    _ => None,
                })
                .collect();
            if !names.is_empty() {
                host.packages.set_hold(&names, held)?;
            }
        }
        Ok(())
    }
}

impl Package {
    fn diff_version(&self, now: &Installed, unmet: &[&str], diff: &mut Diff<Action>) {
        for (name, want, _) in self.bounds().filter(|(name, ..)| unmet.contains(name)) {
            diff.differs(name, now.version.as_str(), want);
        }
        // Above max alone there is nothing to ask for: which older version is wanted, only an exact one says.
        if unmet.iter().any(|name| *name != "max") {
            diff.actions.push(self.install());
        }
    }
}

#[cfg(test)]
mod tests;
