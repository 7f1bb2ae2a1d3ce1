//! Sealing: one observation, manifest, record, digests, state; then a read-only look that it holds.
//! It is separate because generalize, its closing unit and `--root` end in the same way.

use crate::error::{Context as _, Error, Kind, Result};
use crate::host::Host;
use crate::host::root::{Attr, Lock, Root, sha256};
use crate::manifest::build::{Inputs, build};
use crate::manifest::{Manifest, canonical};
use crate::observe::{facts, inventory, observe};
use crate::plan::{Item, Plan, Scope};
use crate::policy::{Entry, Policy};
use crate::record::seal::State;
use crate::record::{DIR, JOURNAL, LOCK, MANIFEST, POLICY, Record, marker, seal};
use crate::resource::{Place, Remark};
use crate::verify::{Finding, judge};

/// The unit that closes the seal at power off.
pub const CLOSE_UNIT: &str = "nodeagent-close.service";

/// How sealing ended.
#[derive(Debug)]
pub struct Sealed {
    /// State that was reached.
    pub state: State,
    /// SHA-256 of the manifest; none where this run wrote none.
    pub manifest: Option<String>,
    /// What did not hold when everything was read once more.
    pub findings: Vec<Finding>,
}

impl Sealed {
    /// Nothing was written: a step before it failed, or another run has done it.
    pub fn not(state: State) -> Self {
        Self {
            state,
            manifest: None,
            findings: Vec::new(),
        }
    }
}

/// Writes policy.json and returns its digest.
pub fn write_policy(root: &Root, policy: &Policy) -> Result<String> {
    root.make_dir(DIR, Attr::root(0o755))?;
    let bytes = policy.to_json()?;
    let digest = sha256(&bytes);
    if root.digest(POLICY)?.as_deref() != Some(digest.as_str()) {
        root.write(POLICY, &bytes, Attr::root(0o644))?;
    }
    Ok(digest)
}

/// Refuses while something waits for a boot: what was never seen in effect must not be sealed as if it had been.
/// A part that may wait until the first boot of the image is deferred where it is judged for place `image`.
pub fn nothing_waits(host: &Host, policy: &Policy, scope: &Scope) -> Result<()> {
    let wanted = |entry: &Entry| entry.at(Place::Build) && scope.holds(entry);
    let seen = observe(&policy.entries, wanted, host);
    let plan = Plan::new(policy, &seen, Place::Build);
    let image = Plan::new(policy, &seen, Place::Image);
    let deferred = |item: &&Item| {
        let mut later = image.items.iter().filter(|other| other.index == item.index);
        later.any(|other| other.reboot.is_empty())
    };
    let waiting: Vec<String> = plan
        .waiting()
        .filter(|item| !deferred(item))
        .flat_map(|item| {
            let part = |r: &Remark| format!("{}: {}: {}", item.id, r.what, r.why);
            item.reboot.iter().map(part)
        })
        .collect();
    if waiting.is_empty() {
        return Ok(());
    }
    Err(Error::new(
        Kind::Reboot,
        format!("generalize: this machine must reboot first: {}", waiting.join("; ")),
    )
    .hint("reboot it, run the same bake again, then generalize; --skip ID seals without having seen it in effect"))
}

/// Seals a running machine: `pending`, and the closing unit is started so that its stop closes the seal.
pub fn pending(host: &Host, policy: &Policy, scope: &Scope, lock: Lock) -> Result<Sealed> {
    let mut sealed = write(host, policy, scope)?;
    if sealed.findings.is_empty() {
        seal::to_pending(&host.root, seal::digests(&host.root)?, host.clock.now())?;
        drop(lock);
        hand_over(host)?;
        sealed.state = State::Pending;
    }
    Ok(sealed)
}

/// Removes the marker and starts the closing unit. Already so: no change.
pub fn hand_over(host: &Host) -> Result<()> {
    marker::remove(&host.root)?;
    host.units.start(CLOSE_UNIT).context(|| {
        format!("start {CLOSE_UNIT}: without it the seal stays pending and no node passes its gate")
    })
}

/// Closes the seal. Nothing may write to the tree after this.
/// A kill may come between any two stages, and the next run goes on: `pending` comes before the journal goes,
/// so that no bake begins another one. `stage` is called after each.
pub fn close(
    host: &Host,
    policy: &Policy,
    scope: &Scope,
    lock: Lock,
    stage: &dyn Fn(),
) -> Result<Sealed> {
    let mut sealed = write(host, policy, scope)?;
    if !sealed.findings.is_empty() {
        return Ok(sealed);
    }
    stage();
    let digests = seal::digests(&host.root)?;
    if seal::read(&host.root)?.is_some_and(|seal| seal.state == State::Building) {
        seal::to_pending(&host.root, digests.clone(), host.clock.now())?;
    }
    stage();
    marker::remove(&host.root)?;
    stage();
    host.root.remove(JOURNAL)?;
    stage();
    drop(lock);
    host.root.remove(LOCK)?;
    stage();
    // A closed seal on disk says that all else is on disk too.
    host.root.sync()?;
    seal::to_closed(&host.root, digests, host.clock.now())?;
    host.root.sync()?;
    sealed.state = State::Closed;
    Ok(sealed)
}

/// One observation of the tree as an unbooted image, the manifest made of it, and the verdict over it.
fn write(host: &Host, policy: &Policy, scope: &Scope) -> Result<Sealed> {
    let mut view = Host::at_root(host.root.path())?;
    view.evidence = host.evidence.clone();
    view.closing = host.closing;
    view.deep = true;
    if !host.closing {
        // What is left to the closing unit of a running machine is not judged yet.
        view.context = host.context.clone();
    }
    let seen = observe(&policy.entries, |_| true, &view);
    let plan = Plan::new(policy, &seen, Place::Image);
    let digest = write_policy(&host.root, policy)?;
    let facts = facts::facts(host)?;
    let inputs = Inputs {
        policy,
        policy_digest: &digest,
        seen: &seen,
        plan: &plan,
        facts: &facts,
        inventory: inventory::take(&view)?,
        time: host.clock.stamp(),
    };
    let mut manifest = build(inputs);
    if host.closing
        && let Some(at) = stated_time(&host.root)?
    {
        manifest.built_at = at;
    }
    let bytes = manifest.bytes()?;
    host.root.write(MANIFEST, &bytes, Attr::root(0o644))?;
    let mut record = Record::from_journal(&host.root)?;
    record.listeners = inventory::listeners(&host.root)?;
    record.write(&host.root)?;
    let today = canonical::rfc3339(host.clock.now());
    let verdict = judge(
        policy,
        &plan,
        Vec::new(),
        today.get(..10).unwrap_or_default(),
    );
    // What the caller left out by name stands in the manifest as it is, and verify tells it; all else must hold.
    let left_out = |id: &str| policy.entries.iter().any(|e| e.id == id && !scope.holds(e));
    let findings = verdict
        .findings
        .into_iter()
        .filter(|finding| finding.fails() && !left_out(&finding.id))
        .collect();
    Ok(Sealed {
        state: State::Building,
        manifest: Some(sha256(&bytes)),
        findings,
    })
}

/// The time that `generalize` stated: a unit at shutdown has no SOURCE_DATE_EPOCH, and the seal is that of generalize.
fn stated_time(root: &Root) -> Result<Option<String>> {
    let bytes = root.read(MANIFEST)?.unwrap_or_default();
    let manifest: Option<Manifest> = serde_json::from_slice(&bytes).ok();
    Ok(manifest.map(|manifest| manifest.built_at))
}
