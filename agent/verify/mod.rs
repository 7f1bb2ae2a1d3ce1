//! The audit: the plan made again, with no apply. Drift is a plan that is not empty.
//! It is separate because findings also come from the seal's digests and from the inventory, and exceptions apply to all.

pub mod finding;
pub mod integrity;
pub mod inventory;
pub mod rebake;

use serde::Serialize;

use crate::error::{Exit, Result};
use crate::host::Host;
use crate::plan::{Ended, Item, Plan};
use crate::policy::Policy;
use crate::resource::{Diff, Place};

pub use finding::{Counts, Finding, Status, Urgency};

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
    let mut all: Vec<Finding> = plan
        .items
        .iter()
        .map(|item| finding_of(item, plan.place))
        .collect();
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
    if counts.reboot_needed > 0 {
        exit = exit.and(Exit::Reboot);
    }
    if all
        .iter()
        .any(|f| f.status == Status::CouldNotCheck && f.required)
    {
        exit = exit.and(Exit::Failed);
    }
    if counts.conforms + counts.drift + counts.reboot_needed + counts.excepted == 0 {
        exit = exit.and(Exit::Nothing);
    }
    exit
}

/// One judged entry. A node has booted, so what still waits for a boot there is drift.
fn finding_of(item: &Item, place: Place) -> Finding {
    let overdue = place == Place::Node;
    let (mut differences, mut remarks) = (item.differences.clone(), Vec::new());
    if overdue {
        let mut diff = Diff::<()>::default();
        diff.reboot.clone_from(&item.reboot);
        diff.overdue();
        differences.append(&mut diff.differences);
    } else {
        remarks.clone_from(&item.reboot);
    }
    remarks.extend(item.could_not_check.iter().cloned());
    remarks.extend(item.not_applicable.iter().cloned());
    let status = match item.ended() {
        Ended::Conforms => Status::Conforms,
        Ended::Differs => Status::Drift,
        Ended::Reboot if overdue => Status::Drift,
        Ended::Reboot => Status::RebootNeeded,
        Ended::Unknown => Status::CouldNotCheck,
        Ended::NotApplicable => Status::NotApplicable,
    };
    Finding {
        id: item.id.clone(),
        status,
        required: item.enforce,
        reason: item.reason.clone(),
        origin: item.origin.clone(),
        differences,
        remarks,
        urgency: None,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::Phase;

    fn waiting(enforce: bool) -> Item {
        let mut diff = Diff::default();
        diff.reboot("active", "fips=1 is in the boot entry");
        Item {
            index: 0,
            id: "fips:mode".into(),
            phase: Phase::Kernel,
            reason: "r".into(),
            origin: "o".into(),
            enforce,
            differences: Vec::new(),
            reboot: diff.reboot.clone(),
            not_applicable: Vec::new(),
            could_not_check: Vec::new(),
            steps: Vec::new(),
            after: Vec::new(),
            diff,
        }
    }

    #[test]
    fn what_waits_for_a_boot_is_drift_where_the_boot_is_over() {
        for (place, status, code) in [
            (Place::Build, Status::RebootNeeded, Exit::Reboot),
            (Place::Image, Status::RebootNeeded, Exit::Reboot),
            (Place::Node, Status::Drift, Exit::Drift),
        ] {
            let finding = finding_of(&waiting(true), place);
            assert_eq!(finding.status, status);
            assert_eq!(finding.differences.len(), usize::from(place == Place::Node));
            assert_eq!(finding.remarks.len(), usize::from(place != Place::Node));
            assert!(finding.fails() && finding.is_worth_a_line());
            let counts = Counts::of(std::slice::from_ref(&finding));
            assert_eq!(exit(&[finding], &counts), code);
        }
    }
}
