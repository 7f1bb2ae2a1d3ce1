//! `firstboot`: the gate. Proves on every boot that this node's identity is its own, and says so in a file.
//! It is separate because it blocks the boot: it reads a handful of files, starts no child and asks nobody.

use std::path::Path;

use clap::Args;
use serde::Serialize;

use super::{Io, output, setup};
use crate::error::{Context as _, Error, Exit, Result};
use crate::host::Host;
use crate::host::root::Attr;
use crate::manifest::canonical::rfc3339;
use crate::observe::observe;
use crate::plan::Plan;
use crate::policy::Policy;
use crate::record::stamp::{Stamp, Standing};
use crate::record::{POLICY, seal, stamp};
use crate::resource::{Observed, Place, Resource};
use crate::verify::{Finding, Verdict, judge};

/// Where the result of the last proof lies; gone with the boot.
pub const RESULT: &str = "/run/nodeagent/firstboot.json";

/// What to do about an identity that is not this node's own.
const REPAIR: &str = "RKE2 stays stopped on this node. Make it again from the image, or make anew what is named above and then: systemctl start nodeagent-firstboot.service";

/// Arguments of `firstboot`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  nodeagent firstboot      what nodeagent-firstboot.service runs on every boot\n\nThe result is in /run/nodeagent/firstboot.json. It fails without a closed seal."
)]
pub struct FirstbootArgs {
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Proof<'a> {
    ok: bool,
    first: bool,
    time: String,
    boot_id: String,
    millis: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// What a person does next; none when all is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    /// What is worth knowing although it is no fault.
    notes: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<&'a Verdict>,
    observed: Vec<serde_json::Value>,
}

/// Proves, writes the result, stamps.
pub fn run(args: &FirstbootArgs, root: Option<&Path>, io: &mut Io<'_>) -> Result<Exit> {
    if root.is_some() {
        return Err(Error::usage("firstboot: --root has no meaning here")
            .hint("use `nodeagent verify --root DIR --place node`"));
    }
    let mut host = Host::live()?;
    let proved = prove(&mut host);
    let (found, error, hint) = match &proved {
        Ok(found) => (Some(found), None, None),
        Err(error) => (None, Some(error.one_line()), error.next_step()),
    };
    let verdict = found.map(|found| &found.verdict);
    let exit = verdict.map_or(Exit::Failed, |verdict| verdict.exit);
    let proof = Proof {
        ok: exit == Exit::Ok,
        first: found.is_none_or(|found| found.new_stamp.is_some()),
        time: rfc3339(host.clock.now()),
        boot_id: host.kernel.boot_id()?,
        millis: u64::try_from(host.clock.elapsed().as_millis()).unwrap_or(u64::MAX),
        error,
        next: (exit != Exit::Ok).then(|| hint.unwrap_or(REPAIR).to_owned()),
        notes: found.map(|found| found.notes.clone()).unwrap_or_default(),
        verdict,
        observed: found
            .map(|found| found.observed.clone())
            .unwrap_or_default(),
    };
    leave(&proof, &host)?;
    if let (true, Some(new)) = (proof.ok, found.and_then(|found| found.new_stamp.as_ref())) {
        stamp::write(&host.root, new)?;
    }
    if args.json {
        output::json(io, &proof)?;
    } else {
        output::text(io, &show(&proof))?;
    }
    match proved {
        Err(error) => Err(error),
        Ok(_) if exit == Exit::Ok => Ok(Exit::Ok),
        // A gate has two answers: whatever is wrong with the identity, the node must not join.
        Ok(_) => Ok(Exit::Failed),
    }
}

/// What was found out, and the stamp to leave where this machine has none of its own.
struct Found {
    verdict: Verdict,
    observed: Vec<serde_json::Value>,
    notes: Vec<String>,
    new_stamp: Option<Stamp>,
}

fn prove(host: &mut Host) -> Result<Found> {
    seal::admit(&host.root, seal::Verb::Node)?;
    let policy = setup::baked_policy(&host.root)?
        .ok_or_else(|| Error::host(format!("read {POLICY}: the image carries no policy")))?;
    record_is_sealed(host)?;
    setup::load_evidence(host)?;
    let identity = |entry: &crate::policy::Entry| {
        entry.at(Place::Node) && matches!(entry.resource, Resource::Identity(_))
    };
    let seen = observe(&policy.entries, identity, host);
    let plan = Plan::new(&policy, &seen, Place::Node);
    let today = rfc3339(seal::judging_time(&host.root, host.clock.now())?);
    let (copy, new_stamp) = standing(host)?;
    let verdict = judge(&policy, &plan, copy, today.get(..10).unwrap_or_default());
    Ok(Found {
        verdict,
        observed: observed(&policy, &seen),
        notes: notes(&policy, &seen),
        new_stamp,
    })
}

/// Whether this machine was stamped before, and what a copy of another node's disk still has of that node.
fn standing(host: &Host) -> Result<(Vec<Finding>, Option<Stamp>)> {
    let Some(now) = stamp::now(
        &host.root,
        &host.evidence,
        host.kernel.product_uuid()?.as_deref(),
        host.clock.now(),
    )?
    else {
        return Ok((Vec::new(), None));
    };
    let before = stamp::read(&host.root)?;
    let kept = match stamp::standing(before.as_ref(), &now) {
        Standing::Mine => return Ok((Vec::new(), None)),
        Standing::Fresh => Vec::new(),
        Standing::Foreign(kept) => kept,
    };
    let mut finding = Finding::check(
        "stamp",
        "a copy of a node's disk must not run as that node; if this is the node itself and only its cloud instance changed, remove /var/lib/nodeagent/firstboot.json",
    );
    for d in kept {
        finding = finding.differs(d.what, d.have, d.want);
    }
    Ok((vec![finding], Some(now)))
}

/// The tombstones are only as good as the record that holds them.
fn record_is_sealed(host: &Host) -> Result<()> {
    let sealed = seal::read(&host.root)?
        .and_then(|seal| seal.digests)
        .map(|d| d.record);
    let now = host.root.digest(crate::record::RECORD)?;
    if sealed.is_none() || sealed != now {
        return Err(Error::host(format!(
            "use {}: it is not the record that was sealed",
            crate::record::RECORD
        ))
        .hint("the tombstones in it cannot be trusted: make the node again from the image"));
    }
    Ok(())
}

fn observed(policy: &Policy, seen: &crate::observe::Observation) -> Vec<serde_json::Value> {
    let entries = policy.entries.iter().enumerate();
    entries
        .filter_map(|(index, entry)| match seen.of(index)? {
            Ok(fact) => Some(serde_json::json!({ "id": entry.id, "observed": fact })),
            Err(_) => None,
        })
        .collect()
}

fn notes(policy: &Policy, seen: &crate::observe::Observation) -> Vec<String> {
    let seen = (0..policy.entries.len()).filter_map(|index| seen.of(index));
    seen.flatten().flat_map(note_of).collect()
}

fn note_of(seen: &Observed) -> Vec<String> {
    match seen {
        Observed::Identity(seen) => seen.notes(),
        _ => Vec::new(),
    }
}

fn leave(proof: &Proof<'_>, host: &Host) -> Result<()> {
    host.root.make_dir("/run/nodeagent", Attr::root(0o755))?;
    let mut bytes = serde_json::to_vec_pretty(proof).context(|| "write the proof as JSON")?;
    bytes.push(b'\n');
    host.root.write(RESULT, &bytes, Attr::root(0o644))
}

fn show(proof: &Proof<'_>) -> String {
    let mut lines = Vec::new();
    if let Some(verdict) = proof.verdict {
        for finding in &verdict.findings {
            for d in &finding.differences {
                lines.push(format!(
                    "failed  {}: {}: {} instead of {}",
                    finding.id, d.what, d.have, d.want
                ));
            }
            for r in &finding.remarks {
                lines.push(format!("failed  {}: {}: {}", finding.id, r.what, r.why));
            }
        }
    }
    lines.extend(proof.notes.iter().map(|note| format!("note    {note}")));
    // An error's own next step is printed with the error.
    let next = proof.next.iter().filter(|_| proof.error.is_none());
    lines.extend(next.map(|next| format!("next    {next}")));
    let word = if proof.ok {
        "identity proved"
    } else {
        "identity NOT proved"
    };
    let boot = if proof.first {
        "first boot"
    } else {
        "later boot"
    };
    lines.push(format!("{word} ({boot}, {} ms)", proof.millis));
    lines.push(String::new());
    lines.join("\n")
}
