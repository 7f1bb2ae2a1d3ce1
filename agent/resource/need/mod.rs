//! Kind `need`: what Kubernetes needs of a machine that somebody else hardened; judged, never changed.
//! It is separate because a hardened image that cannot join must fail at its build, and naming the culprit is all that can
//! be done: whoever wrote the setting meant it.

mod firewall;
mod modprobe;
mod mounts;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::host::{Host, Runtime};
use crate::resource::fault::empty;
use crate::resource::schema::{Check, Field, Type};
use crate::resource::sysctl::{Loaders, Setting};
use crate::resource::{Claim, Diff, Fault, Kind, Phase, Place, program};

/// A need.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Need {
    /// A name for the id.
    pub name: String,
    /// What is looked at.
    pub what: What,
    /// Which: a sysctl, modules, directories, programs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub of: Vec<String>,
    /// Values of a sysctl that break it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<String>,
}

/// What a need is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// No file and no running kernel gives a sysctl one of the refused values.
    Sysctl,
    /// Modules are not kept from being loaded.
    Module,
    /// Programs can be executed in directories.
    Exec,
    /// Programs are there.
    Program,
    /// The packet filter of the boot lets pod traffic through.
    Forward,
}

/// Something in the way: what is judged, what was found, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Obstacle {
    /// The sysctl, module, directory, program or file.
    pub of: String,
    /// What was found, with its file.
    pub have: String,
    /// Only the running system is so.
    pub runtime: bool,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Seen {
    /// What is in the way.
    pub obstacles: Vec<Obstacle>,
    /// Why the running half could not be looked at; none: it was, or there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_running: Option<String>,
}

/// A step. There is none: what is in the way is somebody's intention.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {}

impl fmt::Display for Action {
    fn fmt(&self, _f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

impl Need {
    fn sysctls(&self, host: &Host) -> Result<Seen> {
        let loaders = Loaders::read(&host.root)?;
        let mut seen = Seen::new();
        for key in &self.of {
            let refused = |value: &str| self.refused.iter().any(|no| no == value.trim());
            let mut settings: Vec<Setting> = Vec::new();
            settings.extend(loaders.systemd(key));
            settings.extend(loaders.procps(key));
            settings.dedup();
            let bad = settings.iter().filter(|setting| refused(&setting.value));
            seen.obstacles.extend(bad.map(|setting| Obstacle {
                of: key.clone(),
                have: setting.to_string(),
                runtime: false,
            }));
            match host.kernel.sysctl(key)? {
                Runtime::Seen(Some(value)) if refused(&value) => seen.obstacles.push(Obstacle {
                    of: key.clone(),
                    have: format!("{value} in the running kernel"),
                    runtime: true,
                }),
                Runtime::Seen(_) => {}
                Runtime::NotApplicable(why) => seen.not_running = Some(why),
            }
        }
        Ok(seen)
    }

    fn programs(&self, host: &Host) -> Result<Seen> {
        let mut seen = Seen::new();
        for name in &self.of {
            if program::find(&host.root, name)?.is_none() {
                seen.obstacles.push(Obstacle {
                    of: name.clone(),
                    have: "not installed".to_owned(),
                    runtime: false,
                });
            }
        }
        Ok(seen)
    }

    /// What would be right, in words.
    fn want(&self) -> String {
        match self.what {
            What::Sysctl => format!("anything but {}", self.refused.join(" or ")),
            What::Module => "loadable".to_owned(),
            What::Exec => "mounted without noexec".to_owned(),
            What::Program => "installed".to_owned(),
            What::Forward => "forwarded packets are accepted: pods talk through them".to_owned(),
        }
    }
}

impl Seen {
    fn new() -> Self {
        Self {
            obstacles: Vec::new(),
            not_running: None,
        }
    }
}

impl Kind for Need {
    const NAME: &'static str = "need";
    // After site scripts, which may harden as well.
    const PHASE: Phase = Phase::Scripts;
    const DOC: &'static str =
        "What Kubernetes needs of the machine, whoever configured it; judged, never changed.";
    const FIELDS: &'static [Field] = &[
        Field::required("name", Type::Str(Check::Word), "A name for the id."),
        Field::required(
            "what",
            Type::Enum(&["sysctl", "module", "exec", "program", "forward"]),
            "sysctl: none of the refused values is set; module: nothing keeps it from being loaded; exec: programs run in these directories; program: it is installed; forward: the boot's packet filter accepts forwarded packets.",
        ),
        Field::optional(
            "of",
            Type::List(&Type::Str(Check::NotEmpty)),
            "The sysctls, modules, directories or programs; not for forward.",
        ),
        Field::optional(
            "refused",
            Type::List(&Type::Str(Check::NotEmpty)),
            "Values of the sysctls that break it.",
        ),
    ];
    type Seen = Seen;
    type Action = Action;

    fn key(&self) -> String {
        self.name.clone()
    }

    fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        if self.of.is_empty() != (self.what == What::Forward) {
            faults.push(match self.what {
                What::Forward => Fault::new("of", "`of` means nothing here", "remove it"),
                _ => empty("of"),
            });
        }
        if self.refused.is_empty() == (self.what == What::Sysctl) {
            faults.push(match self.what {
                What::Sysctl => empty("refused"),
                _ => Fault::new("refused", "only a sysctl has values", "remove it"),
            });
        }
        let check = match self.what {
            What::Sysctl => Check::SysctlKey,
            What::Module => Check::ModuleName,
            What::Exec => Check::AbsPath,
            What::Program | What::Forward => Check::Any,
        };
        let wrong = self
            .of
            .iter()
            .filter_map(|of| Some((of, check.test(of).err()?)));
        faults.extend(
            wrong.map(|(of, right)| Fault::new("of", format!("{of:?} is wrong here"), right)),
        );
        faults
    }

    fn claims(&self) -> Vec<Claim> {
        Vec::new()
    }

    fn observe(&self, host: &Host) -> Result<Seen> {
        match self.what {
            What::Sysctl => self.sysctls(host),
            What::Module => modprobe::blocked(&host.root, &self.of),
            What::Exec => mounts::noexec(host, &self.of),
            What::Program => self.programs(host),
            What::Forward => firewall::dropping(&host.root),
        }
    }

    fn diff(&self, seen: &Seen, place: Place) -> Diff<Action> {
        let mut diff = Diff::default();
        for obstacle in &seen.obstacles {
            if place != Place::Image || !obstacle.runtime {
                diff.differs(&obstacle.of, &obstacle.have, self.want());
            }
        }
        if let Some(why) = &seen.not_running {
            diff.skip("running system", why);
        }
        diff
    }

    fn apply(batch: &[(&Self, &Action)], _host: &Host) -> Result<()> {
        match batch.first() {
            None => Ok(()),
            Some((_, action)) => match **action {},
        }
    }
}
