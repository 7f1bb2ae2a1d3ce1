//! Resources: one wanted fact each. A kind is one file that answers observe, diff and apply, and no other question.
//! This file holds what all kinds share and the one list of kinds; nothing else dispatches on them.

pub mod absent;
pub mod access;
pub mod directory;
pub mod fault;
pub mod file;
pub mod identity;
pub mod image;
pub mod module;
pub mod package;
pub mod schema;
pub mod script;
pub mod scrub;
pub mod swap;
pub mod sysctl;
pub mod unit;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::host::{Host, Tombstone};
pub use fault::Fault;
use schema::Field;

/// Where an expectation holds, told by evidence: no seal, sealed and unbooted, sealed and stamped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// The build machine, before the seal.
    Build,
    /// The sealed image, not yet booted.
    Image,
    /// A node made from the image.
    Node,
}

impl Place {
    /// All places.
    pub const ALL: &'static [Place] = &[Place::Build, Place::Image, Place::Node];

    /// The word used in policies and output.
    pub fn word(self) -> &'static str {
        match self {
            Place::Build => "build",
            Place::Image => "image",
            Place::Node => "node",
        }
    }
}

/// Order of work: units, users and directories come with packages, so packages go first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Packages.
    Packages,
    /// Directories, files, and paths that must not exist.
    Files,
    /// Modules, sysctls, swap.
    Kernel,
    /// Units.
    Units,
    /// Container images.
    Images,
    /// Site scripts.
    Scripts,
    /// What must not be cloned.
    Scrub,
    /// Identity proofs; nothing is changed here.
    Identity,
}

impl Phase {
    /// All phases, in order.
    pub const ALL: &'static [Phase] = &[
        Phase::Packages,
        Phase::Files,
        Phase::Kernel,
        Phase::Units,
        Phase::Images,
        Phase::Scripts,
        Phase::Scrub,
        Phase::Identity,
    ];

    /// The word used by `--phase` and in output.
    pub fn word(self) -> &'static str {
        match self {
            Phase::Packages => "packages",
            Phase::Files => "files",
            Phase::Kernel => "kernel",
            Phase::Units => "units",
            Phase::Images => "images",
            Phase::Scripts => "scripts",
            Phase::Scrub => "scrub",
            Phase::Identity => "identity",
        }
    }
}

/// How a found value is compared with the wanted one; judged in diff.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Accept {
    /// Equal.
    #[default]
    Exact,
    /// A number not below (for modes: no bit missing).
    AtLeast,
    /// A number not above (for modes: no further bit).
    AtMost,
}

/// One difference between what is wanted and what is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// Which part of the fact: `mode`, `content`, `net.ipv4.ip_forward at runtime`, ….
    pub what: String,
    /// What was found, short; `absent` where nothing was.
    pub have: String,
    /// What is wanted, short.
    pub want: String,
}

/// The part of a remark that stands for the whole entry.
pub const ENTRY: &str = "entry";

/// A part of a fact that could not be judged, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remark {
    /// Which part; `ENTRY` for all of it.
    pub what: String,
    /// Why.
    pub why: String,
}

/// The outcome of diff: what differs, what is not applicable here, what could not be judged, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diff<A> {
    /// Differences; empty when the fact conforms.
    pub differences: Vec<Difference>,
    /// Parts that do not exist here (ruling 17).
    pub not_applicable: Vec<Remark>,
    /// Parts that could not be judged; counts as a failure for a required entry.
    pub unknown: Vec<Remark>,
    /// Steps that would end the differences, in order; empty where nothing can be done.
    pub actions: Vec<A>,
    /// Digests that must be on disk before the first action runs (ruling 23).
    pub tombstones: Vec<Tombstone>,
}

impl<A> Default for Diff<A> {
    fn default() -> Self {
        Self {
            differences: Vec::new(),
            not_applicable: Vec::new(),
            unknown: Vec::new(),
            actions: Vec::new(),
            tombstones: Vec::new(),
        }
    }
}

impl<A> Diff<A> {
    /// Notes a difference.
    pub fn differs(
        &mut self,
        what: impl Into<String>,
        have: impl Into<String>,
        want: impl Into<String>,
    ) {
        self.differences.push(Difference {
            what: what.into(),
            have: have.into(),
            want: want.into(),
        });
    }

    /// Notes a part that does not exist here.
    pub fn skip(&mut self, what: impl Into<String>, why: impl Into<String>) {
        self.not_applicable.push(Remark {
            what: what.into(),
            why: why.into(),
        });
    }

    /// Notes a part that could not be judged.
    pub fn unknown(&mut self, what: impl Into<String>, why: impl Into<String>) {
        self.unknown.push(Remark {
            what: what.into(),
            why: why.into(),
        });
    }

    /// Nothing differs and nothing is unknown.
    pub fn conforms(&self) -> bool {
        self.differences.is_empty() && self.unknown.is_empty()
    }

    fn map<B>(self, wrap: impl Fn(A) -> B) -> Diff<B> {
        Diff {
            differences: self.differences,
            not_applicable: self.not_applicable,
            unknown: self.unknown,
            actions: self.actions.into_iter().map(wrap).collect(),
            tombstones: self.tombstones,
        }
    }
}

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

macro_rules! kinds {
    ($($kind:ident = $module:ident),+ $(,)?) => {
        /// A wanted fact of any kind, as the policy states it and as policy.json keeps it.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "kind", rename_all = "kebab-case")]
        pub enum Resource { $(#[doc = concat!("See the module `", stringify!($module), "`.")] $kind($module::$kind)),+ }

        /// What was seen of a resource.
        #[derive(Debug, Clone, PartialEq, Serialize)]
        #[serde(untagged)]
        pub enum Observed { $(#[doc = concat!("See the module `", stringify!($module), "`.")] $kind($module::Seen)),+ }

        /// One step that changes the host.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Action { $(#[doc = concat!("See the module `", stringify!($module), "`.")] $kind($module::Action)),+ }

        impl std::fmt::Display for Action {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match self { $(Action::$kind(action) => action.fmt(f)),+ }
            }
        }

        /// The kinds as data: name, documentation, fields, default places.
        pub const KINDS: &[KindInfo] = &[$(KindInfo {
            name: <$module::$kind as Kind>::NAME,
            doc: <$module::$kind as Kind>::DOC,
            fields: <$module::$kind as Kind>::FIELDS,
            places: <$module::$kind as Kind>::PLACES,
            phase: <$module::$kind as Kind>::PHASE,
        }),+];

        impl Resource {
            /// The stable id: kind and natural key.
            pub fn id(&self) -> String {
                match self { $(Resource::$kind(r) => format!("{}:{}", <$module::$kind as Kind>::NAME, r.key())),+ }
            }
            /// The kind's name.
            pub fn kind(&self) -> &'static str {
                match self { $(Resource::$kind(_) => <$module::$kind as Kind>::NAME),+ }
            }
            /// When it is worked on.
            pub fn phase(&self) -> Phase {
                match self { $(Resource::$kind(_) => <$module::$kind as Kind>::PHASE),+ }
            }
            /// Whether its actions go together with those of other entries.
            pub fn batch(&self) -> bool {
                match self { $(Resource::$kind(_) => <$module::$kind as Kind>::BATCH),+ }
            }
            /// What is wrong with it as a whole.
            pub fn faults(&self) -> Vec<Fault> {
                match self { $(Resource::$kind(r) => r.faults()),+ }
            }
            /// Shared facts that it demands a value of.
            pub fn claims(&self) -> Vec<Claim> {
                match self { $(Resource::$kind(r) => r.claims()),+ }
            }
            /// Looks; never writes.
            pub fn observe(&self, host: &Host) -> Result<Observed> {
                match self { $(Resource::$kind(r) => r.observe(host).map(Observed::$kind)),+ }
            }
            /// Judges; pure. An observation of another kind is a fault of the caller and judged unknown.
            pub fn diff(&self, seen: &Observed, place: Place) -> Diff<Action> {
                match (self, seen) {
                    $((Resource::$kind(r), Observed::$kind(s)) => r.diff(s, place).map(Action::$kind),)+
                    _ => {
                        let mut diff = Diff::default();
                        diff.unknown(self.kind(), "observed as another kind");
                        diff
                    }
                }
            }
            /// Performs actions of one kind; the caller groups them.
            pub fn apply(batch: &[(&Resource, &Action)], host: &Host) -> Result<()> {
                $({
                    let mine: Vec<_> = batch.iter().filter_map(|(r, a)| match (r, a) {
                        (Resource::$kind(r), Action::$kind(a)) => Some((r, a)),
                        _ => None,
                    }).collect();
                    if !mine.is_empty() {
                        <$module::$kind as Kind>::apply(&mine, host)?;
                    }
                })+
                Ok(())
            }
        }
    };
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

// A new kind is one file, one line here, one case folder and one policy example.
kinds! {
    Package = package,
    Directory = directory,
    File = file,
    Absent = absent,
    Module = module,
    Sysctl = sysctl,
    Swap = swap,
    Unit = unit,
    Image = image,
    Script = script,
    Scrub = scrub,
    Identity = identity,
}
