//! One round: look, decide, write.
//! It is separate because `apply`, `watch`, `show` and `flush` are the same round, asked differently.

use std::net::IpAddr;

use serde::Serialize;

use super::config::Config;
use super::desired::{Desired, Leased, desired};
use super::diff::{Plan, diff};
use super::report::{Nic, State};
use super::{PROTOCOL, diff as ours};
use crate::error::Result;
pub use crate::host::lease::Leases;
use crate::host::netlink::{Change, Link, MAIN, Network, Route, Rule, Snapshot, Wanted};

/// Rounds of one `apply`: what is written may change what is to be written, but not forever.
const ROUNDS: usize = 3;

/// What a round found and did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// The NICs.
    pub nics: Vec<Nic>,
    /// Writes that were made, or that would be made.
    pub changes: Vec<Change>,
    /// Writes that failed, and why.
    pub failed: Vec<String>,
    /// Routes and rules of others where ours are. They are left alone.
    pub foreign: Vec<String>,
    /// What cannot be written because a route of another stands in its place.
    pub blocked: Vec<String>,
    /// What a person should know.
    pub problems: Vec<String>,
    /// Our routes that were found.
    pub routes: Vec<Route>,
    /// Our rules that were found.
    pub rules: Vec<Rule>,
}

impl Outcome {
    /// All that was wanted is there.
    pub fn is_right(&self) -> bool {
        let poor = |nic: &Nic| nic.state == State::Degraded;
        self.failed.is_empty()
            && self.blocked.is_empty()
            && self.problems.is_empty()
            && !self.nics.iter().any(poor)
    }

    /// Nothing more is to come by itself.
    pub fn is_settled(&self) -> bool {
        self.nics.iter().all(|nic| nic.state.settled())
    }
}

/// Looks, and decides; writes nothing.
pub fn look(
    network: &mut dyn Network,
    leases: &mut dyn Leases,
    config: &Config,
) -> Result<(Outcome, Plan)> {
    let mut tables = config.tables();
    tables.push(MAIN);
    let snapshot = network.look(&Wanted {
        tables,
        protocol: PROTOCOL,
    })?;
    let mut problems = Vec::new();
    let mut desired = desired(config, &snapshot, &Leased::new());
    let leased = ask(leases, &snapshot, &desired, &mut problems);
    if !leased.is_empty() {
        desired = self::desired(config, &snapshot, &leased);
    }
    let plan = diff(config, &desired, &snapshot);
    problems.extend(desired.problems);
    let outcome = Outcome {
        nics: desired.nics,
        foreign: plan.foreign.clone(),
        blocked: plan.blocked.clone(),
        problems,
        routes: snapshot
            .routes
            .into_iter()
            .filter(ours::is_own_route)
            .collect(),
        rules: snapshot
            .rules
            .into_iter()
            .filter(ours::is_own_rule)
            .collect(),
        ..Outcome::default()
    };
    Ok((outcome, plan))
}

/// Leases of the NICs that have no other router. A manager that fails to answer knows none.
fn ask(
    leases: &mut dyn Leases,
    snapshot: &Snapshot,
    desired: &Desired,
    problems: &mut Vec<String>,
) -> Leased {
    let mut leased = Leased::new();
    for nic in desired
        .nics
        .iter()
        .filter(|nic| !nic.without_router.is_empty())
    {
        let Some(link) = snapshot
            .links
            .iter()
            .find(|link| Some(link.index) == nic.link)
        else {
            continue;
        };
        match leases.routers(link) {
            Ok(routers) if routers.is_empty() => {}
            Ok(routers) => {
                leased.insert(link.index, routers);
            }
            Err(error) => problems.push(error.one_line()),
        }
    }
    leased
}

/// Looks, decides, writes. A write that fails does not keep the others.
pub fn reconcile(
    network: &mut dyn Network,
    leases: &mut dyn Leases,
    config: &Config,
) -> Result<Outcome> {
    let (mut outcome, plan) = look(network, leases, config)?;
    for change in plan.changes {
        match network.write(&change) {
            Ok(()) => outcome.changes.push(change),
            Err(error) => outcome.failed.push(error.one_line()),
        }
    }
    Ok(outcome)
}

/// Rounds until nothing is left to write. What the last one found is what is there.
pub fn apply(
    network: &mut dyn Network,
    leases: &mut dyn Leases,
    config: &Config,
) -> Result<Outcome> {
    let mut changes = Vec::new();
    let mut outcome = reconcile(network, leases, config)?;
    for _ in 0..ROUNDS {
        if outcome.changes.is_empty() {
            break;
        }
        changes.append(&mut outcome.changes);
        outcome = reconcile(network, leases, config)?;
    }
    changes.append(&mut outcome.changes);
    Ok(Outcome { changes, ..outcome })
}

/// No manager: whoever deletes needs no router.
struct Nobody;

impl Leases for Nobody {
    fn routers(&mut self, _: &Link) -> Result<Vec<IpAddr>> {
        Ok(Vec::new())
    }
}

/// Deletes everything that is ours, rules first.
pub fn flush(network: &mut dyn Network) -> Result<Outcome> {
    let none = Config {
        interfaces: Vec::new(),
        ..Config::default()
    };
    apply(network, &mut Nobody, &none)
}
