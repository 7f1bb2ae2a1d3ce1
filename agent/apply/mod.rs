//! The only write loop: phase by phase it observes, plans, does the steps, and observes again.
//! It is separate because it decides nothing: what is done was decided in diff, and every step is recorded first.

mod batch;
mod outcome;

use std::time::Duration;

use crate::error::{Error, Kind, Result};
use crate::host::Host;
use crate::observe::observe;
use crate::plan::{Item, Plan, Scope};
use crate::policy::{Entry, Policy};
use crate::record::{Event, Journal};
use crate::resource::{Phase, Place, Resource};
use batch::{Batch, batches};
pub use outcome::{Failure, Outcome, Pending, Step, pending};

/// Who is told what happens: a terminal, a log, nobody.
pub trait Progress {
    /// A phase with this many steps begins.
    fn phase(&mut self, phase: Phase, steps: usize);
    /// A step begins.
    fn step(&mut self, id: &str, action: &str);
    /// The step ended well.
    fn done(&mut self, id: &str, action: &str, took: Duration, notes: &[String]);
    /// The step failed.
    fn failed(&mut self, id: &str, error: &Error);
}

/// How a run is limited and watched.
pub struct Run<'a> {
    /// The policy.
    pub policy: &'a Policy,
    /// The place that is made so.
    pub place: Place,
    /// Which entries.
    pub scope: &'a Scope,
    /// Who is told.
    pub progress: &'a mut dyn Progress,
    /// The number of a signal that asked to stop, looked at between steps.
    pub stop: &'a dyn Fn() -> Option<i32>,
    /// Called after each recorded step with the count so far; the crash tests end the process in it.
    pub after_step: &'a dyn Fn(usize),
}

impl std::fmt::Debug for Run<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Run")
            .field("place", &self.place)
            .field("scope", &self.scope)
            .finish()
    }
}

impl Run<'_> {
    /// Works through all phases. Later phases build on earlier ones, so the first phase with a failure is the last.
    /// A run that a signal or an error ends is ended in the journal here; any other by the verb, with its exit code.
    pub fn go(&mut self, host: &mut Host, journal: &mut Journal) -> Result<Outcome> {
        let mut outcome = Outcome::default();
        let Err(error) = self.phases(host, journal, &mut outcome) else {
            return Ok(outcome);
        };
        let end = Event::End {
            time: host.clock.now(),
            changes: outcome.steps.len(),
            exit: error.exit().code(),
        };
        if let Err(also) = journal.add(&end) {
            tracing::warn!("{}", also.one_line());
        }
        Err(error)
    }

    fn phases(
        &mut self,
        host: &mut Host,
        journal: &mut Journal,
        outcome: &mut Outcome,
    ) -> Result<()> {
        for phase in Phase::ALL {
            self.phase(*phase, host, journal, outcome)?;
            if !outcome.failed.is_empty() {
                break;
            }
        }
        Ok(())
    }

    fn phase(
        &mut self,
        phase: Phase,
        host: &mut Host,
        journal: &mut Journal,
        outcome: &mut Outcome,
    ) -> Result<()> {
        let before = self.look(phase, host);
        outcome.entries += before.items.len();
        let batches = batches(self.policy, &before);
        if batches.is_empty() {
            self.judge(&before, outcome);
            return Ok(());
        }
        self.progress.phase(phase, batches.len());
        for batch in &batches {
            if let Some(signal) = (self.stop)() {
                return Err(interrupted(signal));
            }
            if !self.step(batch, host, journal, outcome)? {
                return Ok(());
            }
        }
        let after = self.look(phase, host);
        self.judge(&after, outcome);
        Ok(())
    }

    fn look(&self, phase: Phase, host: &Host) -> Plan {
        let wanted = |entry: &Entry| {
            entry.at(self.place) && entry.resource.phase() == phase && self.scope.holds(entry)
        };
        Plan::new(
            self.policy,
            &observe(&self.policy.entries, wanted, host),
            self.place,
        )
    }

    /// One recorded step; false when it failed.
    fn step(
        &mut self,
        batch: &Batch<'_>,
        host: &mut Host,
        journal: &mut Journal,
        outcome: &mut Outcome,
    ) -> Result<bool> {
        let (id, action) = batch.text();
        bury(batch.tombstones(), host, journal)?;
        journal.add(&Event::Step {
            id: id.clone(),
            action: action.clone(),
        })?;
        self.progress.step(&id, &action);
        let start = host.clock.elapsed();
        let result = Resource::apply(&batch.pairs, host);
        let took = host.clock.elapsed().saturating_sub(start);
        let notes = host.notes.drain();
        if let Err(error) = result {
            journal.add(&Event::Failed {
                id: id.clone(),
                error: error.one_line(),
            })?;
            self.progress.failed(&id, &error);
            // A step that only waits ends at once when it is asked to.
            if let Kind::Interrupted(_) = error.kind() {
                return Err(error);
            }
            let hint = error.next_step().map(str::to_owned);
            outcome.failed.push(Failure {
                id,
                error: error.one_line(),
                hint,
            });
            return Ok(false);
        }
        let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        journal.add(&Event::Done {
            id: id.clone(),
            action: action.clone(),
            millis,
            notes: notes.clone(),
        })?;
        self.progress.done(&id, &action, took, &notes);
        outcome.steps.push(Step {
            id,
            action,
            seconds: took.as_secs_f64(),
            notes,
        });
        (self.after_step)(outcome.steps.len());
        Ok(true)
    }

    /// What waits for a boot, and what is still open after a phase: a failure where it was to be enforced, else drift.
    fn judge(&mut self, plan: &Plan, outcome: &mut Outcome) {
        outcome.reboot.extend(pending(plan));
        for item in plan.open() {
            if item.enforce {
                let failure = still_open(item);
                self.progress
                    .failed(&item.id, &Error::host(failure.error.clone()));
                outcome.failed.push(failure);
            } else {
                outcome.drift.push(item.id.clone());
            }
        }
    }
}

/// Records digests that are not recorded yet, and lets the next observation know of them.
fn bury(stones: Vec<crate::host::Tombstone>, host: &mut Host, journal: &mut Journal) -> Result<()> {
    for stone in stones {
        if !host.evidence.tombstones.contains(&stone) {
            journal.add(&Event::Tombstone(stone.clone()))?;
            host.evidence.tombstones.push(stone);
        }
    }
    Ok(())
}

/// The error of a run that a signal ended between two steps.
pub fn interrupted(signal: i32) -> Error {
    Error::new(
        Kind::Interrupted(signal),
        format!("stopped by signal {signal} between two steps"),
    )
    .hint("nothing is half done: run the same command again to go on")
}

fn still_open(item: &Item) -> Failure {
    let differences = item
        .differences
        .iter()
        .map(|d| format!("{}: {} instead of {}", d.what, d.have, d.want));
    let unknown = item
        .could_not_check
        .iter()
        .map(|r| format!("{}: could not check: {}", r.what, r.why));
    let error = differences.chain(unknown).collect::<Vec<_>>().join("; ");
    let next = if item.differences.is_empty() {
        "mend what keeps it from being looked at and run this again,"
    } else {
        "no step ends this: mend it by hand, change the policy,"
    };
    Failure {
        id: item.id.clone(),
        error,
        hint: Some(format!("{next} or leave it out with --skip {}", item.id)),
    }
}
