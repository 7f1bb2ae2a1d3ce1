//! Resources: one wanted fact each. A kind is one file that answers observe, diff and apply, and no other question.
//! This file holds the trait that all kinds share; the list of kinds is in `kinds`.

pub mod absent;
pub mod access;
pub mod account;
mod armor;
pub mod artifact;
pub mod build_account;
pub mod cloud_init;
pub mod diff;
pub mod directory;
pub mod fault;
pub mod file;
pub mod fips;
pub mod forbidden;
pub mod identity;
pub mod image;
pub mod image_archive;
mod image_store;
pub mod kargs;
pub mod kinds;
pub mod module;
pub mod need;
pub mod package;
pub mod place;
pub(crate) mod program;
pub mod repository;
pub mod schema;
pub mod script;
pub mod scrub;
pub mod selinux;
pub mod sshd;
pub mod swap;
pub mod sysctl;
pub mod trim;
pub mod trust;
pub mod unit;
pub mod upgrade;
pub mod validate;

use serde::Serialize;

use crate::error::Result;
use crate::host::Host;
pub use diff::{Accept, Diff, Difference, ENTRY, Remark};
pub use fault::Fault;
pub use kinds::{Action, KINDS, Observed, Resource};
pub use place::{Phase, Place};
use schema::Field;

/// A value that one entry demands of one shared fact; two entries that demand different values disagree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The fact, such as `path:/etc/motd` or `sysctl:net.ipv4.ip_forward`.
    pub fact: String,
    /// The value demanded of it.
    pub value: String,
}

/// A kind of resource. `observe` never writes, `diff` never looks, `apply` never decides.
pub trait Kind: Sized + Serialize {
    /// The table's name in a policy and the id's first part.
    const NAME: &'static str;
    /// When it is worked on.
    const PHASE: Phase;
    /// Places where an entry without `place` is expected.
    const PLACES: &'static [Place] = Place::ALL;
    /// The fields of its policy table, beside `schema::COMMON`.
    const FIELDS: &'static [Field];
    /// One sentence about the kind, for the schema and the documentation.
    const DOC: &'static str;
    /// Several actions of different entries go in one `apply` (a package transaction).
    const BATCH: bool = false;
    /// What observe found.
    type Seen: Serialize;
    /// One step.
    type Action: std::fmt::Display;

    /// The id's second part: the natural key of the fact.
    fn key(&self) -> String;
    /// What is wrong with it as a whole; policy loading reports it.
    fn faults(&self) -> Vec<Fault> {
        Vec::new()
    }
    /// Shared facts that it demands a value of.
    fn claims(&self) -> Vec<Claim>;
    /// Looks.
    fn observe(&self, host: &Host) -> Result<Self::Seen>;
    /// Judges what was seen, for one place; pure.
    fn diff(&self, seen: &Self::Seen, place: Place) -> Diff<Self::Action>;
    /// Performs one action, or for `BATCH` kinds all of them at once. Idempotent.
    fn apply(batch: &[(&Self, &Self::Action)], host: &Host) -> Result<()>;
}

/// A kind as data.
#[derive(Debug, Clone, Copy)]
pub struct KindInfo {
    /// Name of the table in a policy.
    pub name: &'static str,
    /// One sentence about it.
    pub doc: &'static str,
    /// Its fields beside the common ones.
    pub fields: &'static [Field],
    /// Its default places.
    pub places: &'static [Place],
    /// When it is worked on.
    pub phase: Phase,
}
