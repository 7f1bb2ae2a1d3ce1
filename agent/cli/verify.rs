//! `verify`: the audit of a build machine, an unbooted tree or a node.
//! It is separate because it must never write, not even a lock.

use std::path::Path;

use clap::Args;

use super::setup::{PlaceArg, PolicyChoice, ScopeArgs};
use super::{Io, output, setup};
use crate::error::{Context as _, Error, Exit, Result};
use crate::host::Host;
use crate::manifest::Manifest;
use crate::manifest::canonical::rfc3339;
use crate::observe::observe;
use crate::plan::Plan;
use crate::policy::Policy;
use crate::record::{MANIFEST, seal, stamp};
use crate::resource::Place;
use crate::verify::rebake::Asked;
use crate::verify::{Finding, Status, Verdict, further, judge};

/// Arguments of `verify`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  nodeagent verify                        this machine against the policy it was baked with\n  nodeagent verify --root /mnt/image      an unbooted tree\n  nodeagent verify --profile rke2-debian12 --json\n  nodeagent verify --max-age 30d          and whether the image is due to be baked anew\n\nExit codes: 0 conforms, 1 a required entry could not be checked, 3 drift, 5 nothing was checked,\n6 a reboot is needed, then go on."
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
    /// Tell as well whether the image is due to be baked anew: older than this, behind the policy at hand in
    /// RKE2 or rules, or with package updates waiting. Such as 30d, 4w or 12h.
    #[arg(long, value_name = "AGE", value_parser = age)]
    max_age: Option<u64>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Seconds of an age such as 30d.
fn age(text: &str) -> std::result::Result<u64, String> {
    let unit = |unit: char| match unit {
        'h' => Some(3600),
        'd' => Some(86_400),
        'w' => Some(604_800),
        _ => None,
    };
    let parsed = text.chars().last().and_then(unit).and_then(|unit: u64| {
        let number: u64 = text.get(..text.len().checked_sub(1)?)?.parse().ok()?;
        number.checked_mul(unit)
    });
    parsed.ok_or_else(|| "a number with h, d or w, such as 30d".to_owned())
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
    let mut beside = if whole {
        further(&policy, &host, place)?
    } else {
        Vec::new()
    };
    let now = seal::judging_time(&host.root, host.clock.now())?;
    if let Some(max_age) = args.max_age {
        beside.extend(rebake(&policy, &host, now, max_age)?);
    }
    let today = rfc3339(now);
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

/// Reasons to bake the image anew.
fn rebake(policy: &Policy, host: &Host, now: u64, max_age: u64) -> Result<Vec<Finding>> {
    let bytes = host.root.read(MANIFEST)?;
    let (Some(bytes), Some(baked)) = (bytes, setup::baked_policy(&host.root)?) else {
        return Err(
            Error::usage("verify --max-age: there is no sealed image here, and so no age")
                .hint("leave --max-age out on a build machine"),
        );
    };
    let manifest: Manifest =
        serde_json::from_slice(&bytes).context(|| format!("read {MANIFEST} as a manifest"))?;
    let asked = Asked {
        policy,
        baked: &baked,
        manifest: &manifest,
        now,
        max_age,
    };
    Ok(asked.findings(host))
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
    let urgency = finding.urgency.filter(|_| finding.status == Status::Drift);
    let urgency = urgency.map_or_else(String::new, |u| {
        format!("  (bake anew, urgency {})", u.word())
    });
    let mut lines = vec![format!(
        "{:<16}{}{urgency}",
        finding.status.word(),
        finding.id
    )];
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
