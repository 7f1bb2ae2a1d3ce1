//! The least writes from what is there to what should be, in an order in which nothing leaks on the way.
//! It is separate because here it is decided what is ours to delete: our protocol number, and the shape that we write.

use std::collections::BTreeMap;

use super::config::Config;
use super::desired::Desired;
use super::{PROTOCOL, SOURCE_STEP};
use crate::host::netlink::{Action, Change, Prefix, Route, Rule, Snapshot};

/// What would be written, and what is in the way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Writes, in their order.
    pub changes: Vec<Change>,
    /// Routes and rules of others in our tables and at our priorities. They are left alone.
    pub foreign: Vec<String>,
    /// What cannot be written because a route of another stands in its place.
    pub blocked: Vec<String>,
}

/// Whether a route is ours.
pub fn is_own_route(route: &Route) -> bool {
    let shape = matches!(route.action, Action::Unicast | Action::Unreachable)
        && !route.more
        && route.source.is_none()
        && route.nexthop.is_none()
        && route.ways.is_empty();
    route.protocol == PROTOCOL && shape
}

/// Whether a rule is ours.
pub fn is_own_rule(rule: &Rule) -> bool {
    rule.protocol == PROTOCOL && !rule.more
}

/// The least writes.
pub fn diff(config: &Config, desired: &Desired, found: &Snapshot) -> Plan {
    let mut plan = Plan::default();
    plan.changes.extend(
        desired
            .loosen
            .iter()
            .map(|link| Change::LoosenReversePath { link: *link }),
    );
    let gone = routes(config, desired, found, &mut plan);
    rules(config, desired, found, &mut plan);
    plan.changes.extend(gone);
    plan
}

/// Adds and replaces routes; gives the deletions, which come after those of the rules that led to them.
fn routes(config: &Config, desired: &Desired, found: &Snapshot, plan: &mut Plan) -> Vec<Change> {
    let (own, others): (Vec<&Route>, Vec<&Route>) =
        found.routes.iter().partition(|r| is_own_route(r));
    let tables = config.tables();
    let others: Vec<&Route> = others
        .into_iter()
        .filter(|r| tables.contains(&r.table))
        .collect();
    plan.foreign.extend(
        others
            .iter()
            .map(|route| format!("route {route} protocol {}", route.protocol)),
    );
    let mut there: BTreeMap<(u32, Prefix, u32), Vec<&Route>> = BTreeMap::new();
    for route in &own {
        there.entry(route.key()).or_default().push(*route);
    }
    let mut wanted: Vec<&Route> = desired.routes.iter().collect();
    // What stops leaks first; then what is on the link, because the kernel looks routers up in it.
    wanted.sort_by_key(|r| (r.action == Action::Unicast, r.gateway.is_some()));
    for route in wanted {
        let same = there.remove(&route.key()).unwrap_or_default();
        if same.contains(&route) && same.len() == 1 {
            continue;
        }
        if let Some(other) = others.iter().find(|other| other.key() == route.key()) {
            plan.blocked.push(format!(
                "{route}: {other} protocol {} is in its place",
                other.protocol
            ));
        } else if same.is_empty() {
            plan.changes.push(Change::AddRoute(route.clone()));
        } else {
            plan.changes.push(Change::ReplaceRoute(route.clone()));
        }
    }
    there
        .into_values()
        .flatten()
        .map(|route| Change::DeleteRoute(route.clone()))
        .collect()
}

/// Adds rules, then deletes those that are too many: one that is there twice is deleted once.
fn rules(config: &Config, desired: &Desired, found: &Snapshot, plan: &mut Plan) {
    let mut missing: Vec<&Rule> = desired.rules.iter().collect();
    let mut gone = Vec::new();
    for rule in &found.rules {
        if !is_own_rule(rule) {
            if is_ours_to_watch(config, rule) {
                plan.foreign
                    .push(format!("rule {rule} protocol {}", rule.protocol));
            }
        } else if let Some(at) = missing.iter().position(|wanted| *wanted == rule) {
            missing.remove(at);
        } else {
            gone.push(Change::DeleteRule(rule.clone()));
        }
    }
    plan.changes.extend(
        missing
            .into_iter()
            .map(|rule| Change::AddRule(rule.clone())),
    );
    plan.changes.extend(gone);
}

/// A rule of another between ours, or into our tables.
fn is_ours_to_watch(config: &Config, rule: &Rule) -> bool {
    let ours = config.priority..=config.priority.saturating_add(SOURCE_STEP);
    ours.contains(&rule.priority) || config.tables().contains(&rule.table)
}
