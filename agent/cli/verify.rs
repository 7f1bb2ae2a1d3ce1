//! `verify`: the audit of a build machine, an unbooted tree or a node.
//! It is separate because it must never write, not even a lock.

use std::path::Path;

use clap::Args;

use super::setup::{PlaceArg, PolicyChoice, ScopeArgs};
use super::{Io, output, setup};
use crate::error::{Exit, Result};
use crate::manifest::canonical::rfc3339;
use crate::observe::observe;
use crate::plan::Plan;
use crate::record::{seal, stamp};
use crate::resource::Place;
use crate::verify::{Finding, Status, Verdict, further, judge};

/// Arguments of `verify`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  nodeagent verify                        this machine against the policy it was baked with\n  nodeagent verify --root /mnt/image      an unbooted tree\n  nodeagent verify --profile debian12-base --json\n\nExit codes: 0 conforms, 1 a required entry could not be checked, 3 drift, 5 nothing was checked,\n6 a reboot is needed, then go on."
)]
pub struct VerifyArgs {
    #[command(flatten)]
    policy: PolicyChoice,
    #[command(flatten)]
    scope: ScopeArgs,
    /// Judge for this place instead of the one that the seal and the stamp tell.
    #[arg(long, value_enum)]
    place: Option<PlaceArg>,
    /// Read the content of installed artifacts again instead of trusting sizes and times of change.
    #[arg(long)]
    deep: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Prints the verdict.
pub fn run(args: &VerifyArgs, root: Option<&Path>, io: &mut Io<'_>) -> Result<Exit> {
    let mut host = setup::host(root)?;
    setup::load_evidence(&mut host)?;
    host.deep = args.deep;
    let place = match args.place {
        Some(place) => place.into(),
        None => stamp::place(&host)?,
    };
    let policy = setup::policy(&args.policy, &host.root)?;
    setup::requires(&policy, &host)?;
    let scope = args.scope.scope(&policy)?;
    let seen = observe(
        &policy.entries,
        |entry| entry.at(place) && scope.holds(entry),
        &host,
    );
    let plan = Plan::new(&policy, &seen, place);
    let whole = scope.phases.is_empty();
    let beside = if whole {
        further(&policy, &host, place)?
    } else {
        Vec::new()
    };
    let today = rfc3339(seal::judging_time(&host.root, host.clock.now())?);
    let mut verdict = judge(&policy, &plan, beside, today.get(..10).unwrap_or_default());
    verdict.left_out = scope.left_out();
    if !whole && place != Place::Build {
        verdict.left_out.push("seal and inventory".to_owned());
    }
    if args.json {
        output::json(io, &verdict)?;
    } else {
        output::text(io, &show(&verdict))?;
    }
    Ok(verdict.exit)
}

fn show(verdict: &Verdict) -> String {
    let mut text = String::new();
    for finding in &verdict.findings {
        line(&mut text, finding);
    }
    if !verdict.findings.is_empty() {
        text.push('\n');
    }
    let c = &verdict.counts;
    let proven = if verdict.proven {
        ""
    } else {
        "  (profile not proven on its own OS)"
    };
    let figures = format!(
        "{} conform, {} drift, {} excepted, {} wait for a reboot, {} could not be checked, {} not applicable",
        c.conforms, c.drift, c.excepted, c.reboot_needed, c.could_not_check, c.not_applicable
    );
    let place = verdict.place.word();
    let profile = &verdict.profile;
    let left_out = match verdict.left_out.as_slice() {
        [] => String::new(),
        words => format!("not looked at: {}\n", words.join(", ")),
    };
    text + &format!("{left_out}{profile} at place {place}{proven}: {figures}\n")
}

/// One finding as a person reads it.
pub(super) fn line(text: &mut String, finding: &Finding) {
    let mut lines = vec![format!("{:<16}{}", finding.status.word(), finding.id)];
    lines.push(format!("    # {} ({})", finding.reason, finding.origin));
    for d in &finding.differences {
        lines.push(format!("    {}: {} instead of {}", d.what, d.have, d.want));
    }
    for remark in &finding.remarks {
        lines.push(format!("    {}: {}", remark.what, remark.why));
    }
    if let Some(e) = &finding.exception {
        let word = match finding.status {
            Status::Excepted => "accepted",
            _ => "no longer accepted: was",
        };
        lines.push(format!(
            "    {word} by {} until {}: {}",
            e.owner, e.expires, e.reason
        ));
    }
    lines.push(String::new());
    text.push_str(&lines.join("\n"));
}
