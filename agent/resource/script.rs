//! Kind `script`: the escape hatch, a site's own script with its mandatory check.
//! It is separate because what it does is not ours to diff: only its check says whether it is needed.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::{Context as _, Error, Result};
use crate::host::root::sha256;
use crate::host::{Cmd, Host, Output};
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
pub struct Seen {
    /// How the check ended.
    pub check_exit: i32,
    /// SHA-256 of the check's text, in hex.
    pub check_sha256: String,
    /// SHA-256 of the script's text, in hex.
    pub run_sha256: String,
}

/// A step.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Run the script, known by this digest.
    Run {
        /// SHA-256 of its text, in hex.
        sha256: String,
    },
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Action::Run { sha256 } = self;
        write!(
            f,
            "run the script (sha256 {})",
            sha256.get(..12).unwrap_or(sha256)
        )
    }
}

impl Script {
    fn shell(&self, text: &str, host: &Host) -> Result<Output> {
        let limit = Duration::from_secs(self.timeout);
        host.exec
            .run(&Cmd::new(["/bin/sh", "-c", text]).timeout(limit))
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

    fn observe(&self, host: &Host) -> Result<Seen> {
        let output = self
            .shell(&self.check, host)
            .context(|| format!("run the check of script {}", self.name))?;
        Ok(Seen {
            check_exit: output.code,
            check_sha256: sha256(self.check.as_bytes()),
            run_sha256: sha256(self.run.as_bytes()),
        })
    }

    fn diff(&self, seen: &Seen, _place: Place) -> Diff<Action> {
        let mut diff = Diff::default();
        if seen.check_exit != 0 {
            diff.differs("check", format!("exit {}", seen.check_exit), "exit 0");
            diff.actions.push(Action::Run {
                sha256: seen.run_sha256.clone(),
            });
        }
        diff
    }

    fn apply(batch: &[(&Self, &Action)], host: &Host) -> Result<()> {
        for (script, _) in batch {
            let doing = || format!("run script {}", script.name);
            let output = script.shell(&script.run, host).context(doing)?;
            if !output.ok() {
                let errors = output.errors();
                let said = errors.lines().rfind(|line| !line.trim().is_empty());
                return Err(Error::host(doing())
                    .because(format!(
                        "exit {}: {}",
                        output.code,
                        said.unwrap_or("nothing on standard error")
                    ))
                    .hint(
                        "run it by hand on the build machine; its check decides whether it is done",
                    ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_failing_check_asks_for_a_run() {
        let script = Script {
            name: "s".into(),
            check: "true".into(),
            run: "true".into(),
            timeout: 1,
        };
        for (check_exit, steps) in [(0, 0), (1, 1), (127, 1)] {
            let seen = Seen {
                check_exit,
                check_sha256: String::new(),
                run_sha256: "0123456789abcdef".into(),
            };
            let diff = script.diff(&seen, Place::Node);
            assert_eq!((diff.actions.len(), diff.conforms()), (steps, steps == 0));
            for action in diff.actions {
                assert_eq!(action.to_string(), "run the script (sha256 0123456789ab)");
            }
        }
    }
}
