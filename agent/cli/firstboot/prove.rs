//! What the gate looks at: the seal, the stamp, every identity, and on a first boot what presets may have changed.
//! It is separate from how the verdict is told because this half decides, and is the half that must be quick.

use crate::cli::setup;
use crate::error::{Error, Result};
use crate::host::systemd::Offline;
use crate::host::{Host, Root};
use crate::manifest::Manifest;
use crate::manifest::canonical::rfc3339;
use crate::observe::{Observation, observe};
use crate::plan::Plan;
use crate::policy::Policy;
use crate::record::stamp::{Stamp, Standing};
use crate::record::{MANIFEST, POLICY, seal, stamp, summary};
use crate::resource::{Observed, Place, Resource};
use crate::verify::{Finding, Verdict, inventory, judge};

/// What was found out, and the stamp to leave where this machine has none of its own.
pub(super) struct Found {
    pub(super) verdict: Verdict,
    pub(super) observed: Vec<serde_json::Value>,
    pub(super) notes: Vec<String>,
    pub(super) new_stamp: Option<Stamp>,
}

pub(super) fn prove(host: &mut Host) -> Result<Found> {
    seal::admit(&host.root, seal::Verb::Node)?;
    let baked = setup::baked_policy(&host.root)?
        .ok_or_else(|| Error::host(format!("read {POLICY}: the image carries no policy")))?;
    record_is_sealed(host)?;
    host.evidence = summary::evidence(&host.root)?;
    // Enablement is a fact of files: systemd, which waits for this gate, is not asked.
    host.units = Box::new(Offline::still(Root::open(host.root.path())?)?);
    let (copy, new_stamp) = standing(host)?;
    let policy = judged(baked, !host.stamped);
    let seen = observe(&policy.entries, |_| true, host);
    let plan = Plan::new(&policy, &seen, Place::Node);
    let today = rfc3339(seal::judging_time(&host.root, host.clock.now())?);
    let enabled = host.units.enabled()?.into_iter().collect();
    let roles = inventory::exclusive(&policy.inventory.exclusive_units, &enabled);
    let beside = copy.into_iter().chain([roles]).collect();
    let verdict = judge(&policy, &plan, beside, today.get(..10).unwrap_or_default());
    let mut notes = notes(&policy, &seen);
    if !host.stamped {
        notes.extend(enabled_since(&policy, &enabled, &host.root)?);
    }
    Ok(Found {
        verdict,
        observed: observed(&policy, &seen),
        notes,
        new_stamp,
    })
}

/// The part of the policy that the gate judges: identity on every boot, and on a first boot what systemd's presets
/// would have changed. Later, what runs on a node is its owner's choice, and the matter of verify.
fn judged(mut policy: Policy, first: bool) -> Policy {
    policy.entries.retain_mut(|entry| {
        let part = match &mut entry.resource {
            Resource::Identity(_) => true,
            Resource::Unit(unit) => {
                unit.active = None;
                first && unit.enabled.is_some()
            }
            _ => false,
        };
        part && entry.at(Place::Node)
    });
    policy
}

/// Whether this machine was stamped before, and what a copy of another node's disk still has of that node.
fn standing(host: &mut Host) -> Result<(Vec<Finding>, Option<Stamp>)> {
    let Some((standing, now)) = stamp::of(host)? else {
        return Ok((Vec::new(), None));
    };
    host.stamped = standing == Standing::Mine;
    let kept = match standing {
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

fn observed(policy: &Policy, seen: &Observation) -> Vec<serde_json::Value> {
    let entries = policy.entries.iter().enumerate();
    entries
        .filter_map(|(index, entry)| match seen.of(index)? {
            Ok(fact) => Some(serde_json::json!({ "id": entry.id, "observed": fact })),
            Err(_) => None,
        })
        .collect()
}

fn notes(policy: &Policy, seen: &Observation) -> Vec<String> {
    let seen = (0..policy.entries.len()).filter_map(|index| seen.of(index));
    seen.flatten().flat_map(note_of).collect()
}

fn note_of(seen: &Observed) -> Vec<String> {
    match seen {
        Observed::Identity(seen) => seen.notes(),
        _ => Vec::new(),
    }
}

/// Units that no entry names and that were not enabled when the image was sealed: presets enable them all.
fn enabled_since(
    policy: &Policy,
    enabled: &std::collections::BTreeSet<String>,
    root: &Root,
) -> Result<Option<String>> {
    let bytes = root.read(MANIFEST)?.unwrap_or_default();
    let Ok(manifest) = serde_json::from_slice::<Manifest>(&bytes) else {
        return Ok(None);
    };
    let may = &policy.inventory.may_enable_units;
    let new = enabled.difference(&manifest.inventory.enabled_units);
    let new: Vec<&str> = new
        .filter(|unit| !may.contains(unit))
        .map(String::as_str)
        .collect();
    let list = new.join(", ");
    Ok((!new.is_empty()).then(|| {
        format!("enabled since the image was sealed, by cloud-init or by systemd's presets: {list}")
    }))
}
