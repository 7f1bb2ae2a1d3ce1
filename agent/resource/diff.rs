//! The outcome of diff: differences, remarks and the actions that would end them.
//! It is separate because plan, verify and the manifest are made of these values, whatever the kind.

use serde::{Deserialize, Serialize};

use crate::host::Tombstone;

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

/// The outcome of diff: what differs, what waits for a boot, what is not applicable here, what could not be judged,
/// and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diff<A> {
    /// Differences; empty when the fact conforms.
    pub differences: Vec<Difference>,
    /// Parts that are configured and take effect at the next boot; not a difference, and no step can do more.
    pub reboot: Vec<Remark>,
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
            reboot: Vec::new(),
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

    /// Notes a part that is configured and takes effect at the next boot, here and before the work goes on.
    /// Judged for place `image` it stands against the seal; a part that may wait is deferred there instead.
    pub fn reboot(&mut self, what: impl Into<String>, why: impl Into<String>) {
        self.reboot.push(Remark {
            what: what.into(),
            why: why.into(),
        });
    }

    /// Notes a part that is configured and takes effect when a machine made of this tree boots.
    pub fn defer(&mut self, what: impl Into<String>, why: &str) {
        self.skip(what, format!("at the first boot: {why}"));
    }

    /// Makes differences of what waits for a boot, where no boot is to be waited for.
    pub fn overdue(&mut self) {
        for Remark { what, why } in std::mem::take(&mut self.reboot) {
            self.differs(what, format!("not in effect ({why})"), "in effect");
        }
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

    /// Nothing differs and nothing is unknown; a boot may still be waited for.
    pub fn conforms(&self) -> bool {
        self.differences.is_empty() && self.unknown.is_empty()
    }

    pub(super) fn map<B>(self, wrap: impl Fn(A) -> B) -> Diff<B> {
        Diff {
            differences: self.differences,
            reboot: self.reboot,
            not_applicable: self.not_applicable,
            unknown: self.unknown,
            actions: self.actions.into_iter().map(wrap).collect(),
            tombstones: self.tombstones,
        }
    }
}
