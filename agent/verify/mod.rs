//! The audit: the plan made again, with no apply. Drift is a plan that is not empty.
//! It is separate because findings also come from the seal's digests and from the inventory, and exceptions apply to all.

pub mod finding;
pub mod integrity;
pub mod inventory;

use serde::Serialize;

use crate::error::{Exit, Result};
use crate::host::Host;
use crate::plan::{Ended, Item, Plan};
use crate::policy::Policy;
use crate::resource::Place;

pub use finding::{Counts, Finding, Status};

/// The verdict over a machine or tree.
#[derive(Debug, Serialize)]
pub struct Verdict {
    /// The place that was judged for.
    pub place: Place,
    /// The profile.
    pub profile: String,
    /// Whether the profile was booted on its own OS.
    pub proven: bool,
    /// The exit code of `verify`.
    #[serde(serialize_with = "code")]
    pub exit: Exit,
    /// What the caller left out by `--phase` and `--skip`; empty for a whole audit.
    pub left_out: Vec<String>,
    /// How many checks ended how.
    pub counts: Counts,
    /// Everything that does not simply conform.
    pub findings: Vec<Finding>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes fields by reference"
)]
fn code<S: serde::Serializer>(exit: &Exit, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serializer.serialize_u8(exit.code())
}

/// Turns a judged plan and further findings into a verdict; `today` is YYYY-MM-DD.
pub fn judge(policy: &Policy, plan: &Plan, further: Vec<Finding>, today: &str) -> Verdict {
    let mut all: Vec<Finding> = plan.items.iter().map(finding_of).collect();
    all.extend(further);
    for finding in &mut all {
        finding.except(&policy.exceptions, today);
    }
    let counts = Counts::of(&all);
    let exit = exit(&all, &counts);
    let findings = all.into_iter().filter(Finding::is_worth_a_line).collect();
    Verdict {
        place: plan.place,
        profile: policy.profile.clone(),
        proven: policy.proven,
        exit,
        left_out: Vec::new(),
        counts,
        findings,
    }
}

fn exit(all: &[Finding], counts: &Counts) -> Exit {
    let mut exit = Exit::Ok;
    if counts.drift > 0 {
        exit = exit.and(Exit::Drift);
    }
    if all
        .iter()
        .any(|f| f.status == Status::CouldNotCheck && f.required)
    {
        exit = exit.and(Exit::Failed);
    }
    if counts.conforms + counts.drift + counts.excepted == 0 {
        exit = exit.and(Exit::Nothing);
    }
    exit
}

fn finding_of(item: &Item) -> Finding {
    let status = match item.ended() {
        Ended::Conforms => Status::Conforms,
        Ended::Differs => Status::Drift,
        Ended::Unknown => Status::CouldNotCheck,
        Ended::NotApplicable => Status::NotApplicable,
    };
    Finding {
        id: item.id.clone(),
        status,
        required: item.enforce,
        reason: item.reason.clone(),
        origin: item.origin.clone(),
        differences: item.differences.clone(),
        remarks: item
            .could_not_check
            .iter()
            .chain(&item.not_applicable)
            .cloned()
            .collect(),
        exception: None,
    }
}

/// Findings beside the entries: the seal's digests and what no entry names.
pub fn further(policy: &Policy, host: &Host, place: Place) -> Result<Vec<Finding>> {
    if place == Place::Build {
        return integrity::lost_seal(&host.root);
    }
    let mut findings = integrity::check(&host.root)?;
    findings.extend(inventory::check(policy, host, place)?);
    Ok(findings)
}
