//! What the demo found out, as `target/demo/summary.json` has it (docs/demo.md), and its judgement.
//! Separate so that the judgement is tested without a machine.

use serde::Serialize;
use std::{collections::BTreeMap, fmt::Write as _};

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

    /// The closing story, for somebody who has not read the code. (`verify 0` is its exit code.)
    pub(crate) fn told(&self) -> String {
        let mut text = String::new();
        let mut line = |name: &str, what: String| {
            writeln!(text, "  {name:<9}{what}").unwrap_or_default();
        };
        let megabytes = self.binary_bytes / 100_000;
        line(
            "binary",
            format!("one static file, {}.{} MB", megabytes / 10, megabytes % 10),
        );
        line(
            "bake",
            format!(
                "{} changes in {:.1} s; baked again: {} changes in {:.2} s",
                self.first_bake.changes,
                self.first_bake.seconds,
                self.second_bake.changes,
                self.second_bake.seconds
            ),
        );
        line(
            "image",
            format!(
                "seal {}; verify {}; files that name the builder: {}",
                self.sealed.state,
                self.sealed.verify_exit,
                self.sealed.builder_traces.len()
            ),
        );
        for clone in &self.clones {
            line(&clone.name, clone.told());
        }
        text
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
        let own = |differs: bool| if differs { "own" } else { "SHARED" };
        format!(
            "{} machine-id, {} host keys; first boot {} in {:.0} ms; verify {}",
            own(self.machine_id_differs),
            own(self.host_keys_differ),
            self.firstboot_result,
            self.firstboot_blocking_ms,
            self.verify_exit
        )
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
