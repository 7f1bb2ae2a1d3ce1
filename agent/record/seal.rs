//! seal.json: one fsynced file that says how far the image is: building, pending, closed.
//! It is separate because every verb asks it whether it may run at all, before anything else is looked at.

use serde::{Deserialize, Serialize};

use super::{DIR, MANIFEST, POLICY, RECORD};
use crate::error::{Context as _, Error, Result};
use crate::host::Root;
use crate::host::root::Attr;
use crate::resource::Difference;

/// Where it lies.
pub const SEAL: &str = "/etc/packer-build/seal.json";
/// Version of the file's format.
const SCHEMA: u32 = 1;

/// How far the image is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// A bake has begun.
    Building,
    /// Generalized on a running machine; the closing unit has not run yet.
    Pending,
    /// Nothing is left to do: this is an image.
    Closed,
}

impl State {
    /// The word used in output.
    pub fn word(self) -> &'static str {
        match self {
            State::Building => "building",
            State::Pending => "pending",
            State::Closed => "closed",
        }
    }
}

/// Digests of the seal's sister files, SHA-256 in hex.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digests {
    /// policy.json.
    pub policy: String,
    /// image-manifest.json.
    pub manifest: String,
    /// bake-record.json.
    pub record: String,
}

/// The seal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seal {
    /// Version of this format: 1.
    pub schema: u32,
    /// How far the image is.
    pub state: State,
    /// Version of the tool that wrote it.
    pub tool: String,
    /// The sister files; none while building.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digests: Option<Digests>,
    /// When it was generalized, seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed_at: Option<u64>,
    /// When it was closed, seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<u64>,
}

/// What wants to run, as far as the seal cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// `bake` on a build machine.
    Bake,
    /// `generalize`.
    Generalize,
    /// The closing unit.
    Close,
    /// The gate of a node, and `bake --place node`.
    Node,
}

impl Verb {
    fn word(self) -> &'static str {
        match self {
            Verb::Bake => "bake",
            Verb::Generalize => "generalize",
            Verb::Close => "close the seal",
            Verb::Node => "accept this machine as a node",
        }
    }

    fn accepts(self, state: Option<State>) -> bool {
        match self {
            Verb::Bake => matches!(state, None | Some(State::Building)),
            Verb::Generalize => state == Some(State::Building),
            Verb::Close => state == Some(State::Pending),
            Verb::Node => state == Some(State::Closed),
        }
    }

    fn hint(self, state: Option<State>) -> &'static str {
        match (self, state) {
            (Verb::Bake | Verb::Generalize, Some(State::Pending)) => {
                "power the machine off: nodeagent-close.service closes the seal at shutdown"
            }
            (Verb::Bake | Verb::Generalize, Some(State::Closed)) => {
                "this is a finished image: build a new one from a stock machine"
            }
            (Verb::Generalize, None) => "run `nodeagent bake --profile NAME` first",
            (Verb::Close, Some(State::Closed)) => "the image is finished: nothing is left to do",
            (Verb::Close, _) => "run `nodeagent generalize` first",
            (Verb::Node, Some(State::Pending)) => {
                "the build machine was not shut down in an orderly way, so nothing after generalize is proved: build the image again and power off with `systemctl poweroff`"
            }
            (Verb::Node, _) => {
                "this machine was not made from a sealed image: generalize the build machine and power it off"
            }
            (Verb::Bake | Verb::Generalize, _) => "run it again",
        }
    }
}

/// Reads the seal; none when there is none. A seal that cannot be understood is refused, never taken for none.
pub fn read(root: &Root) -> Result<Option<Seal>> {
    let Some(bytes) = root.read(SEAL)? else {
        return Ok(None);
    };
    let broken = |why: String| {
        Error::refused(format!("read {SEAL}: {why}")).hint(
            "it is written atomically, so something else changed it: restore it, or build the image again",
        )
    };
    let seal: Seal = serde_json::from_slice(&bytes).map_err(|e| broken(e.to_string()))?;
    if seal.schema != SCHEMA {
        return Err(broken(format!(
            "its schema is {}, this version knows {SCHEMA}",
            seal.schema
        )));
    }
    if (seal.state == State::Building) != seal.digests.is_none() {
        return Err(broken("its digests do not fit its state".to_owned()));
    }
    Ok(Some(seal))
}

/// Whether a verb may run: refuses (4) in the wrong state and says what to do.
pub fn admit(root: &Root, verb: Verb) -> Result<Option<Seal>> {
    let seal = read(root)?;
    let state = seal.as_ref().map(|seal| seal.state);
    if verb.accepts(state) {
        return Ok(seal);
    }
    let have = state.map_or("there is no seal", State::word);
    Err(
        Error::refused(format!("{}: the state in {SEAL} is: {have}", verb.word()))
            .hint(verb.hint(state)),
    )
}

/// none, building → building.
pub fn begin_build(root: &Root) -> Result<()> {
    if admit(root, Verb::Bake)?.is_some() {
        return Ok(());
    }
    write(root, &new(State::Building))
}

/// building → pending, with the digests of what was written before.
pub fn to_pending(root: &Root, digests: Digests, now: u64) -> Result<()> {
    admit(root, Verb::Generalize)?;
    let mut seal = new(State::Pending);
    seal.digests = Some(digests);
    seal.sealed_at = Some(now);
    write(root, &seal)
}

/// pending → closed. The closing run adds to the record, and may have to state other facts in the manifest.
pub fn to_closed(root: &Root, digests: Digests, now: u64) -> Result<()> {
    let pending = admit(root, Verb::Close)?;
    let mut seal = new(State::Closed);
    seal.sealed_at = pending.and_then(|seal| seal.sealed_at);
    seal.digests = Some(digests);
    seal.closed_at = Some(now);
    write(root, &seal)
}

/// The time by which exceptions are judged: never before the seal, so that a clock that has lost its battery does not
/// bring expired ones back.
pub fn judging_time(root: &Root, now: u64) -> Result<u64> {
    let sealed = read(root)?.and_then(|seal| seal.closed_at.max(seal.sealed_at));
    Ok(now.max(sealed.unwrap_or(0)))
}

/// Digests of the sister files as they are now.
pub fn digests(root: &Root) -> Result<Digests> {
    let digest = |path: &str| {
        root.digest(path)?
            .ok_or_else(|| Error::host(format!("digest {path}: it is missing")))
    };
    Ok(Digests {
        policy: digest(POLICY)?,
        manifest: digest(MANIFEST)?,
        record: digest(RECORD)?,
    })
}

/// Sister files that are not as the seal says: edited after the fact, or missing.
pub fn changed(root: &Root, seal: &Seal) -> Result<Vec<Difference>> {
    let Some(digests) = &seal.digests else {
        return Ok(Vec::new());
    };
    let mut changed = Vec::new();
    for (path, want) in [
        (POLICY, &digests.policy),
        (MANIFEST, &digests.manifest),
        (RECORD, &digests.record),
    ] {
        let have = root.digest(path)?.unwrap_or_else(|| "absent".to_owned());
        if have != *want {
            changed.push(Difference {
                what: path.to_owned(),
                have,
                want: want.clone(),
            });
        }
    }
    Ok(changed)
}

fn new(state: State) -> Seal {
    Seal {
        schema: SCHEMA,
        state,
        tool: env!("CARGO_PKG_VERSION").to_owned(),
        digests: None,
        sealed_at: None,
        closed_at: None,
    }
}

fn write(root: &Root, seal: &Seal) -> Result<()> {
    let doing = || format!("write the state {} to {SEAL}", seal.state.word());
    let mut bytes = serde_json::to_vec_pretty(seal).context(doing)?;
    bytes.push(b'\n');
    root.make_dir(DIR, Attr::root(0o755)).context(doing)?;
    root.write(SEAL, &bytes, Attr::root(0o644)).context(doing)
}
