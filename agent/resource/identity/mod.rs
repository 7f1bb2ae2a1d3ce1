//! Kind `identity`: proof that an identifier was made anew on this machine and differs from what was baked.
//! It is separate because it only ever judges: an identity that is wrong cannot be repaired here.

pub(crate) mod blob;
mod hostkeys;
mod machine;
pub(crate) mod sshd;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::host::{Evidence, Host};
use crate::resource::schema::{Field, Type};
use crate::resource::{Claim, Diff, Kind, Phase, Place};

pub use hostkeys::{HostKey, HostKeys};
pub(crate) use hostkeys::{companions, identifiers as host_key_identifiers};
pub use machine::{DbusId, Form, MachineId, TRANSIENT};

/// An identifier that must be this machine's own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    /// Which identifier.
    pub what: String,
}

/// What was found. No identifier is kept here, only what follows from it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Seen {
    /// /etc/machine-id.
    MachineId(MachineId),
    /// /var/lib/dbus/machine-id.
    DbusId(DbusId),
    /// The keys that sshd would load.
    SshHostKeys(HostKeys),
}

impl Seen {
    /// What is worth telling although it is no fault.
    pub fn notes(&self) -> Vec<String> {
        match self {
            Seen::MachineId(seen) => seen.notes(),
            Seen::DbusId(_) | Seen::SshHostKeys(_) => Vec::new(),
        }
    }
}

/// How an identifier compares with those removed from the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Baked {
    /// The record has no salt: nothing can be compared.
    NoSalt,
    /// The record has no tombstone of this kind: nobody looked at the build.
    NoTombstone,
    /// It is one that was removed from the image.
    Same,
    /// It is none of those.
    Other,
}

impl Baked {
    /// Compares values with all tombstones of a kind; one equal value decides.
    pub(crate) fn of(evidence: &Evidence, kind: &str, values: &[Vec<u8>]) -> Self {
        if evidence.salt.is_none() {
            return Baked::NoSalt;
        }
        let known = evidence.of_kind(kind);
        if known.is_empty() {
            return Baked::NoTombstone;
        }
        let same = values
            .iter()
            .filter_map(|value| evidence.tombstone(kind, value))
            .any(|tombstone| known.contains(&&tombstone));
        if same { Baked::Same } else { Baked::Other }
    }

    /// Puts the verdict in a diff.
    fn judge<A>(self, what: &str, diff: &mut Diff<A>) {
        match self {
            Baked::Other => {}
            Baked::Same => diff.differs(
                what,
                "the one that the build machine had",
                "made anew on this machine",
            ),
            Baked::NoSalt => diff.unknown(
                what,
                "cannot be compared with the build machine's: bake-record.json has no salt",
            ),
            Baked::NoTombstone => diff.unknown(
                what,
                "cannot be compared with the build machine's: bake-record.json has no tombstone of it",
            ),
        }
    }
}

/// A step. There is none: identity is judged, never repaired.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {}

impl fmt::Display for Action {
    fn fmt(&self, _f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

impl Kind for Identity {
    const NAME: &'static str = "identity";
    const PHASE: Phase = Phase::Identity;
    const DOC: &'static str =
        "An identifier that must be present and different from what was baked.";
    const PLACES: &'static [Place] = &[Place::Node];
    const FIELDS: &'static [Field] = &[Field::required(
        "what",
        Type::Enum(&["machine-id", "dbus-id", "ssh-host-keys"]),
        "Which identifier.",
    )];
    type Seen = Seen;
    type Action = Action;

    fn key(&self) -> String {
        self.what.clone()
    }

    fn claims(&self) -> Vec<Claim> {
        vec![Claim {
            fact: format!("identity:{}", self.what),
            value: String::new(),
        }]
    }

    fn observe(&self, host: &Host) -> Result<Seen> {
        match self.what.as_str() {
            "machine-id" => machine::observe(host).map(Seen::MachineId),
            "dbus-id" => machine::observe_dbus(&host.root).map(Seen::DbusId),
            "ssh-host-keys" => hostkeys::observe(host).map(Seen::SshHostKeys),
            other => Err(Error::new(
                crate::error::Kind::Policy,
                format!("prove the identity '{other}': there is no such proof"),
            )),
        }
    }

    fn diff(&self, seen: &Seen, _place: Place) -> Diff<Action> {
        let mut diff = Diff::default();
        match seen {
            Seen::MachineId(seen) => seen.judge(&mut diff),
            Seen::DbusId(seen) => seen.judge(&mut diff),
            Seen::SshHostKeys(seen) => seen.judge(&mut diff),
        }
        diff
    }

    fn apply(batch: &[(&Self, &Action)], _host: &Host) -> Result<()> {
        match batch.first() {
            None => Ok(()),
            Some((_, action)) => match **action {},
        }
    }
}
