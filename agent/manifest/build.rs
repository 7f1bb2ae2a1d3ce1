//! Building the manifest: a pure function of the policy, one observation, the tree's facts and a time.
//! It is separate because it must not look at the journal: what was done is not what is.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{EntryFact, Kubernetes, Manifest, Os, Tool, canonical};
use crate::observe::Observation;
use crate::observe::facts::Facts;
use crate::observe::inventory::Inventory;
use crate::plan::{Ended, Item, Plan};
use crate::policy::{Entry, Policy};
use crate::resource::Resource;

/// All that the manifest is made of.
#[derive(Debug)]
pub struct Inputs<'a> {
    /// The policy.
    pub policy: &'a Policy,
    /// SHA-256 of policy.json.
    pub policy_digest: &'a str,
    /// The one observation at the seal, of all entries.
    pub seen: &'a Observation,
    /// The same observation judged for place `image`.
    pub plan: &'a Plan,
    /// Facts of the tree.
    pub facts: &'a Facts,
    /// What no entry names.
    pub inventory: Inventory,
    /// Seconds since 1970 to state as the time of the seal.
    pub time: u64,
}

/// Builds the manifest.
pub fn build(inputs: Inputs<'_>) -> Manifest {
    let Inputs {
        policy,
        policy_digest,
        seen,
        plan,
        facts,
        inventory,
        time,
    } = inputs;
    let none = || "none".to_owned();
    Manifest {
        schema_version: "1.0".to_owned(),
        built_by: "nodeagent".to_owned(),
        built_at: canonical::rfc3339(time),
        os: Os {
            pretty_name: facts.pretty_name.clone(),
            kernel: facts.kernel.clone().unwrap_or_else(none),
        },
        kubernetes: Kubernetes {
            distribution: "rke2".to_owned(),
            version: facts.rke2.clone().unwrap_or_else(none),
        },
        fips_enabled: facts.fips,
        prepulled_images: images(policy, plan),
        nodeagent: Tool {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            profile: policy.profile.clone(),
            proven: policy.proven,
            policy_digest: policy_digest.to_owned(),
        },
        entries: entries(policy, seen, plan),
        inventory,
        exceptions: policy.exceptions.clone(),
    }
}

/// References of the images that were seen complete in the store.
fn images(policy: &Policy, plan: &Plan) -> Vec<String> {
    let conforming = plan
        .items
        .iter()
        .filter(|item| item.ended() == Ended::Conforms);
    conforming
        .filter_map(|item| match &policy.entries.get(item.index)?.resource {
            Resource::Image(image) => Some(image.reference.clone()),
            _ => None,
        })
        .collect()
}

fn entries(policy: &Policy, seen: &Observation, plan: &Plan) -> BTreeMap<String, EntryFact> {
    let mut facts = BTreeMap::new();
    for (index, entry) in policy.entries.iter().enumerate() {
        let fact = fact(index, entry, seen, plan);
        // Two entries share an id only at disjoint places; the one that holds in the image says more.
        if fact.verdict != "other-place" || !facts.contains_key(&entry.id) {
            facts.insert(entry.id.clone(), fact);
        }
    }
    facts
}

fn fact(index: usize, entry: &Entry, seen: &Observation, plan: &Plan) -> EntryFact {
    let item = plan.items.iter().find(|item| item.index == index);
    let (observed, error) = match seen.of(index) {
        Some(Ok(observed)) => (serde_json::to_value(observed).unwrap_or(Value::Null), None),
        Some(Err(error)) => (Value::Null, Some(error.one_line())),
        None => (Value::Null, None),
    };
    let verdict = item.map_or("other-place", verdict).to_owned();
    EntryFact {
        kind: entry.resource.kind().to_owned(),
        verdict,
        observed,
        error,
    }
}

/// The verdict of one judged item, as a word.
pub fn verdict(item: &Item) -> &'static str {
    match item.ended() {
        Ended::Conforms => "conforms",
        Ended::Differs => "drift",
        Ended::Reboot => "reboot-needed",
        Ended::Unknown => "could-not-check",
        Ended::NotApplicable => "not-applicable",
    }
}
