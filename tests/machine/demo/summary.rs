//! What the demo found out, as `target/demo/summary.json` has it (docs/demo.md), and its judgement.
//! Separate so that the judgement is tested without a machine.

use serde::Serialize;
use std::collections::BTreeMap;

/// What `firstboot_result` says of a gate that let the node through.
pub(crate) const PASSED: &str = "passed";

/// Everything read back from the machines; docs/demo.md explains each field.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Summary {
    pub(crate) binary_bytes: u64,
    pub(crate) plan: Plan,
    pub(crate) first_bake: Bake,
    pub(crate) second_bake: Bake,
    pub(crate) sealed: Sealed,
    pub(crate) clones: Vec<Node>,
    pub(crate) seconds: BTreeMap<String, f64>,
}

/// The exit code of `plan` before anything was baked.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Plan {
    pub(crate) exit: i32,
}

/// One run of `bake`, as its own report has it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Bake {
    pub(crate) changes: u64,
    pub(crate) seconds: f64,
}

/// The sealed tree after power-off, looked at from the host.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Sealed {
    pub(crate) state: String,
    pub(crate) verify_exit: i32,
    /// How many facts that verdict found as they should be.
    pub(crate) verify_conforming: u64,
    /// The ids of findings that speak against it.
    pub(crate) verify_findings: Vec<String>,
    /// Files of the image that still name the build machine; found without nodeagent's help.
    pub(crate) builder_traces: Vec<String>,
}

/// One booted clone.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) machine_id_differs: bool,
    pub(crate) host_keys_differ: bool,
    pub(crate) verify_exit: i32,
    /// How many facts that verdict found as they should be.
    pub(crate) verify_conforming: u64,
    /// The ids of findings that speak against it.
    pub(crate) verify_findings: Vec<String>,
    pub(crate) firstboot_blocking_ms: f64,
    pub(crate) firstboot_result: String,
    pub(crate) firstboot_unit: String,
}

impl Summary {
    /// Every fact that is not as it must be, as a sentence each; empty when all is well.
    pub(crate) fn wrong(&self) -> Vec<String> {
        let (again, sealed) = (self.second_bake.changes, &self.sealed);
        let mut facts = vec![
            (self.binary_bytes > 0, "the binary is empty".to_owned()),
            (
                self.plan.exit == 3,
                format!("plan on a fresh machine: exit {}, not 3", self.plan.exit),
            ),
            (
                self.first_bake.changes > 0,
                "the first bake changed nothing".to_owned(),
            ),
            (
                again == 0,
                format!("the second bake made {again} changes, not 0"),
            ),
            (
                self.clones.len() >= 2,
                format!("{} clones, not two", self.clones.len()),
            ),
        ];
        facts.extend(sealed.facts());
        facts.extend(self.clones.iter().flat_map(Node::facts));
        facts
            .into_iter()
            .filter(|(holds, _)| !holds)
            .map(|(_, fact)| fact)
            .collect()
    }

    /// The closing story, for somebody who has not read the code.
    pub(crate) fn told(&self) -> String {
        let (first, second, sealed) = (&self.first_bake, &self.second_bake, &self.sealed);
        let tenths = self.binary_bytes / 100_000;
        let mut lines = vec![
            (
                "binary",
                format!("one static file, {}.{} MB", tenths / 10, tenths % 10),
            ),
            (
                "bake",
                format!(
                    "{} changes in {:.1} s; baked again: {} changes in {:.2} s",
                    first.changes, first.seconds, second.changes, second.seconds
                ),
            ),
            (
                "image",
                format!(
                    "seal {}; {}; {} files name the build machine",
                    sealed.state,
                    verdict(sealed.verify_exit, sealed.verify_conforming),
                    sealed.builder_traces.len()
                ),
            ),
        ];
        lines.extend(
            self.clones
                .iter()
                .map(|node| (node.name.as_str(), node.told())),
        );
        lines.iter().fold(String::new(), |text, (name, what)| {
            format!("{text}  {name:<9}{what}\n")
        })
    }
}

impl Sealed {
    fn facts(&self) -> Vec<(bool, String)> {
        let traces = &self.builder_traces;
        vec![
            (
                self.state == "closed",
                format!("the seal is {:?}, not closed", self.state),
            ),
            (
                self.verify_exit == 0,
                format!(
                    "the image: verify: exit {}: {}",
                    self.verify_exit,
                    some(&self.verify_findings)
                ),
            ),
            (
                traces.is_empty(),
                format!("the image names the build machine: {}", some(traces)),
            ),
        ]
    }
}

impl Node {
    fn facts(&self) -> Vec<(bool, String)> {
        let (name, exit) = (&self.name, self.verify_exit);
        let gate = &self.firstboot_unit;
        vec![
            (
                self.machine_id_differs,
                format!("{name}: its machine-id is not its own"),
            ),
            (
                self.host_keys_differ,
                format!("{name}: its SSH host keys are not its own"),
            ),
            (
                exit == 0,
                format!(
                    "{name}: verify: exit {exit}: {}",
                    some(&self.verify_findings)
                ),
            ),
            (
                self.firstboot_result == PASSED,
                format!("{name}: first boot {}", self.firstboot_result),
            ),
            (
                gate == "active",
                format!("{name}: the first-boot gate is {gate:?}, not active"),
            ),
            (
                self.firstboot_blocking_ms > 0.0,
                format!("{name}: the first-boot gate took no time, so it did not run"),
            ),
        ]
    }

    fn told(&self) -> String {
        let own = match (self.machine_id_differs, self.host_keys_differ) {
            (true, true) => "own machine-id and host keys",
            (true, false) => "own machine-id, SHARED host keys",
            (false, true) => "SHARED machine-id, own host keys",
            (false, false) => "SHARED machine-id and host keys",
        };
        format!(
            "{own}; gate {} in {:.0} ms; {}",
            self.firstboot_result,
            self.firstboot_blocking_ms,
            verdict(self.verify_exit, self.verify_conforming)
        )
    }
}

/// A verdict in three words.
fn verdict(exit: i32, conforming: u64) -> String {
    if exit == 0 {
        format!("{conforming} facts hold")
    } else {
        format!("verify: exit {exit}")
    }
}

/// The first of many names; the summary file has them all.
fn some(names: &[String]) -> String {
    let shown = names
        .iter()
        .take(8)
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    if names.len() > 8 {
        format!("{shown} and {} more", names.len() - 8)
    } else {
        shown
    }
}

#[cfg(test)]
#[path = "summary_tests.rs"]
mod tests;
