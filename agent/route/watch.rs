//! Keeps it so: whatever changes, everything is looked at anew.
//! It is separate because it is the only part that lasts; killed at any moment, the next one goes on from the kernel.

use std::time::Duration;

use super::config::Config;
use super::reconcile::{Leases, Outcome, reconcile};
use super::report::Nic;
use crate::error::Result;
use crate::host::Clock;
use crate::host::netlink::{Network, Wake};
use crate::host::notify::Notify;

/// Times.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// Quiet that ends a burst of events.
    pub debounce: Duration,
    /// A burst is not waited for longer than this.
    pub longest: Duration,
    /// A look at everything although nothing was heard.
    pub resync: Duration,
    /// Whoever waits for this service waits at most so long for a NIC that is there but has no address or router yet.
    pub patience: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Self {
            debounce: Duration::from_millis(100),
            longest: Duration::from_secs(1),
            resync: Duration::from_secs(60),
            patience: Duration::from_secs(10),
        }
    }
}

/// After a failure the next look comes soon, and later with each further one.
const RETRY: Duration = Duration::from_secs(1);

/// Looks that fail one after the other until it is better to start anew.
const PATIENT: u32 = 8;

/// What a watcher works with.
pub struct Watcher<'a> {
    /// The kernel.
    pub network: &'a mut dyn Network,
    /// The network managers.
    pub leases: &'a mut dyn Leases,
    /// Time.
    pub clock: &'a dyn Clock,
    /// The service manager.
    pub notify: &'a Notify,
    /// What is to be routed how.
    pub config: &'a Config,
    /// Times.
    pub times: Times,
}

impl std::fmt::Debug for Watcher<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watcher")
            .field("config", self.config)
            .finish_non_exhaustive()
    }
}

/// What the watcher remembers: only what it said, never what the kernel has.
#[derive(Debug, Default)]
struct Said {
    ready: bool,
    status: String,
    failures: u32,
}

impl Watcher<'_> {
    /// Runs until `stop` says so; every round ends with a call of `seen`.
    pub fn run(&mut self, stop: &dyn Fn() -> bool, seen: &mut dyn FnMut(&Outcome)) -> Result<()> {
        let mut said = Said::default();
        let begin = self.clock.elapsed();
        while !stop() {
            match reconcile(self.network, self.leases, self.config) {
                Ok(outcome) => {
                    self.tell(&outcome, &mut said, begin);
                    seen(&outcome);
                }
                Err(error) => {
                    said.failures += 1;
                    tracing::warn!("{}", error.one_line());
                    if said.failures > PATIENT {
                        return Err(error);
                    }
                }
            }
            self.pause(&said, begin)?;
        }
        Ok(())
    }

    fn tell(&self, outcome: &Outcome, said: &mut Said, begin: Duration) {
        for change in &outcome.changes {
            tracing::info!("{change}");
        }
        for failed in &outcome.failed {
            tracing::warn!("failed: {failed}");
        }
        said.failures = match outcome.failed.is_empty() {
            true => 0,
            false => said.failures.saturating_add(1).min(PATIENT),
        };
        let status = status(outcome);
        let new = status != said.status;
        if new {
            tracing::info!("{status}");
            for line in outcome
                .blocked
                .iter()
                .chain(&outcome.problems)
                .chain(&outcome.foreign)
            {
                tracing::warn!("{line}");
            }
        }
        let late = self.clock.elapsed().saturating_sub(begin) >= self.times.patience;
        let (due, ready) = (outcome.is_settled() || late, said.ready);
        let told = match (ready, new) {
            (false, _) if due => self.notify.ready(&status),
            (_, true) => self.notify.status(&status),
            (_, false) => self.notify.alive(),
        };
        // Routing goes on, whatever becomes of the manager.
        match told {
            Ok(told) => said.ready = ready || (due && told),
            Err(error) => tracing::warn!("{}", error.one_line()),
        }
        said.status = status;
    }

    /// Waits for something to happen, then for the end of the burst.
    fn pause(&mut self, said: &Said, begin: Duration) -> Result<()> {
        let alive = self
            .notify
            .watchdog()
            .map_or(Duration::MAX, |time| time / 2);
        let mut rest = self.times.resync.min(alive);
        if said.failures > 0 {
            rest = rest.min(RETRY.saturating_mul(2u32.saturating_pow(said.failures - 1)));
        }
        if !said.ready {
            let left = (begin + self.times.patience).saturating_sub(self.clock.elapsed());
            rest = rest.min(left.max(self.times.debounce));
        }
        match self.network.wait(rest)? {
            Wake::Quiet => Ok(()),
            wake => self.settle(wake),
        }
    }

    fn settle(&mut self, first: Wake) -> Result<()> {
        let begin = self.clock.elapsed();
        let mut wake = first;
        while wake != Wake::Quiet {
            if wake == Wake::Overrun {
                tracing::debug!(
                    "the kernel had more events than room for them; everything is looked at anyway"
                );
            }
            let left = (begin + self.times.longest).saturating_sub(self.clock.elapsed());
            if left.is_zero() {
                break;
            }
            wake = self.network.wait(self.times.debounce.min(left))?;
        }
        Ok(())
    }
}

/// One line for the service manager and the log.
fn status(outcome: &Outcome) -> String {
    let nic = |nic: &Nic| match &nic.name {
        Some(name) if *name != nic.interface => {
            format!("{} ({name}) {}", nic.interface, nic.state.word())
        }
        _ => format!("{} {}", nic.interface, nic.state.word()),
    };
    let mut parts: Vec<String> = outcome.nics.iter().map(nic).collect();
    let counts = [
        (outcome.failed.len(), "writes failed"),
        (outcome.blocked.len(), "blocked by routes of others"),
        (outcome.problems.len(), "problems"),
        (
            outcome.foreign.len(),
            "objects of others in our table or at our priority",
        ),
    ];
    let counts = counts.iter().filter(|(count, _)| *count > 0);
    parts.extend(counts.map(|(count, what)| format!("{count} {what}")));
    match parts.is_empty() {
        true => "no interface to route".to_owned(),
        false => parts.join("; "),
    }
}
