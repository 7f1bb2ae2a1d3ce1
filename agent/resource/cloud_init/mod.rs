//! Kind `cloud-init`: the build machine's own first boot is over before anything is changed (ruling 16).
//! It is separate because it changes nothing itself: it waits with a deadline, and says what hangs.

mod diagnosis;
mod status;

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind as Wrong, Result};
use crate::host::{Host, signals};
use crate::resource::schema::{Field, Type};
use crate::resource::{Claim, Diff, ENTRY, Kind, Phase, Place};
pub use status::{Seen, State};

/// Between two looks at its files.
const TICK: Duration = Duration::from_millis(500);
/// Between two lines of progress.
const TELL: Duration = Duration::from_secs(15);
/// For so long nothing of it may run or be queued before it counts as never coming.
const PATIENCE: Duration = Duration::from_secs(10);

/// cloud-init has finished.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloudInit {
    /// Seconds until a bake gives up and says what hangs.
    pub deadline: u64,
}

/// A step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Waits.
    Wait {
        /// Seconds until it gives up.
        deadline: u64,
    },
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Action::Wait { deadline } = self;
        write!(f, "wait for cloud-init, at most {deadline} s")
    }
}

impl Kind for CloudInit {
    const NAME: &'static str = "cloud-init";
    const PHASE: Phase = Phase::Boot;
    const PLACES: &'static [Place] = &[Place::Build];
    const DOC: &'static str =
        "cloud-init has finished on the build machine; a bake waits for it up to a deadline.";
    const FIELDS: &'static [Field] = &[Field::required(
        "deadline",
        Type::Int(1, 7200),
        "Seconds until a bake gives up and says what hangs.",
    )];
    type Seen = Seen;
    type Action = Action;

    fn key(&self) -> String {
        "finished".to_owned()
    }

    fn claims(&self) -> Vec<Claim> {
        vec![Claim {
            fact: "cloud-init".to_owned(),
            value: self.deadline.to_string(),
        }]
    }

    fn observe(&self, host: &Host) -> Result<Seen> {
        status::look(host)
    }

    fn diff(&self, seen: &Seen, place: Place) -> Diff<Action> {
        let mut diff = Diff::default();
        if place != Place::Build {
            diff.skip(ENTRY, "only a build machine has a boot to wait for");
            return diff;
        }
        match &seen.state {
            State::NotApplicable(why) => diff.skip(ENTRY, why),
            State::Running(stage) => {
                diff.differs("cloud-init", stage, "finished");
                let deadline = self.deadline;
                diff.actions.push(Action::Wait { deadline });
            }
            State::Finished => {
                for error in &seen.errors {
                    // Quoted, because cloud-init's own words may be cut anywhere.
                    diff.differs("error of cloud-init", format!("«{error}»"), "none");
                }
                for error in &seen.recoverable {
                    diff.skip("recoverable error", error);
                }
            }
        }
        diff
    }

    fn apply(batch: &[(&Self, &Action)], host: &Host) -> Result<()> {
        for (_, Action::Wait { deadline }) in batch {
            wait(host, Duration::from_secs(*deadline))?;
        }
        Ok(())
    }
}

/// Waits until it is over, a signal asks to stop, the deadline is reached, or nothing of it is left to wait for.
fn wait(host: &Host, deadline: Duration) -> Result<()> {
    let start = host.clock.elapsed();
    let (mut told, mut idle) = (start, None);
    loop {
        let seen = status::look(host)?;
        let State::Running(stage) = &seen.state else {
            // Its exit code 2: the machine is as wanted, and what went wrong is worth a line.
            for error in &seen.recoverable {
                host.notes.add(format!(
                    "cloud-init finished with a recoverable error: {error}"
                ));
            }
            return Ok(());
        };
        let now = host.clock.elapsed();
        let waited = now.saturating_sub(start);
        if let Some(signal) = signals::asked() {
            let what = format!("stopped by signal {signal} while waiting for cloud-init");
            return Err(Error::new(Wrong::Interrupted(signal), what)
                .hint("nothing was changed: run the same command again to go on"));
        }
        if waited >= deadline {
            let what = format!(
                "wait for cloud-init: not finished after {} s",
                deadline.as_secs()
            );
            return Err(Error::host(what)
                .because(diagnosis::text(host, &seen)?)
                .hint("see the console; the build network needs DHCP and the metadata service. A longer deadline: --set cloud_init_deadline=SECONDS"));
        }
        idle = match diagnosis::comes_to_an_end(host)? {
            true => None,
            false => idle.or(Some(now)),
        };
        if idle.is_some_and(|since| now.saturating_sub(since) >= PATIENCE) {
            return Err(Error::host("wait for cloud-init: it has not finished and nothing of it runs or is queued")
                .because(diagnosis::text(host, &seen)?)
                .hint("its units were dropped (an ordering cycle) or failed: see journalctl -b -u 'cloud-*' and -g 'ordering cycle'"));
        }
        if now.saturating_sub(told) >= TELL {
            told = now;
            tracing::info!(
                "waiting for cloud-init: {stage}, {} of {} s",
                waited.as_secs(),
                deadline.as_secs()
            );
        }
        host.clock.sleep(TICK);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_fail_recoverable_ones_are_told_and_only_a_running_one_is_waited_for() {
        let seen = |state: State, errors: &[&str], recoverable: &[&str]| Seen {
            state,
            datasource: None,
            errors: errors.iter().map(|&e| e.to_owned()).collect(),
            recoverable: recoverable.iter().map(|&e| e.to_owned()).collect(),
        };
        let wanted = CloudInit { deadline: 5 };
        // As `cloud-init status` exits: 0, 2, 1; then what is no answer yet, and what has none.
        let table = [
            (seen(State::Finished, &[], &[]), (0, 0, 0)),
            (seen(State::Finished, &[], &["a"]), (0, 1, 0)),
            (seen(State::Finished, &["a", "b"], &["c"]), (2, 1, 0)),
            (
                seen(State::Running("stage init".into()), &["a"], &[]),
                (1, 0, 1),
            ),
            (
                seen(State::NotApplicable("absent".into()), &[], &[]),
                (0, 1, 0),
            ),
        ];
        for (seen, want) in table {
            let diff = wanted.diff(&seen, Place::Build);
            let found = (
                diff.differences.len(),
                diff.not_applicable.len(),
                diff.actions.len(),
            );
            assert_eq!(found, want, "{seen:?}");
            assert!(wanted.diff(&seen, Place::Node).conforms());
        }
    }
}
