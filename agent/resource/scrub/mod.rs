//! Kind `scrub`: paths that must not be cloned are removed, truncated or rewritten before the seal.
//! It is separate because it is the one kind that leaves tombstones: proof of what a node must differ from.

mod act;
mod boot;
mod faults;
mod fields;
pub(crate) mod identifiers;
mod look;
#[cfg(test)]
mod tests;
mod writers;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::host::{Host, Tombstone, glob};
use crate::resource::schema::Field;
use crate::resource::{Claim, Diff, Fault, Kind, Phase, Place};

/// Differences shown one by one; the rest is counted.
const SHOWN: usize = 20;

/// Paths that must not be cloned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scrub {
    /// Name for the id, `--list` and `--skip`.
    pub name: String,
    /// Paths or patterns; `~/` stands for every home.
    pub paths: Vec<String>,
    /// Paths or patterns that stay.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub except: Vec<String>,
    /// `remove`, `empty-dir`, `truncate`, `write`, `symlink`, `drop-lines` or `boot-entries`.
    pub action: String,
    /// What `write` leaves, where `symlink` leads, what `drop-lines` matches, the token of `boot-entries`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// Further patterns of `drop-lines`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<String>,
    /// `write` and `symlink` also make a path that is missing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub create: bool,
    /// Mode that `truncate` and `write` leave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// Kind of identifier that the paths hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tombstone: Option<String>,
    /// Writers that are stopped first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stop: Vec<String>,
    /// `generalize` (default) or `close`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Seen {
    /// Left to the closing unit; nothing was looked at.
    pub deferred: bool,
    /// Matching paths that are not yet as wanted.
    pub found: Vec<Found>,
    /// Paths that could not be judged, with the reason.
    pub unjudged: Vec<(String, String)>,
    /// Writers that run now.
    pub writers: Vec<String>,
    /// Digests to be recorded before anything is removed.
    pub tombstones: Vec<Tombstone>,
    /// A tombstone is wanted, but the record has no salt to make one with.
    pub no_salt: bool,
}

/// A path that is not as wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Found {
    /// Path.
    pub path: String,
    /// What is there, short.
    pub is: String,
}

/// A step.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Only the digests are recorded; there was no identifier to remove.
    Record,
    /// Stops a writer, by the way that works for it.
    Stop(String),
    /// Removes a path with all it holds.
    Remove(String),
    /// Removes what a directory holds.
    Empty(String),
    /// Cuts a file to zero bytes.
    Truncate(String),
    /// Writes the content.
    Write(String),
    /// Makes a symlink.
    Link(String),
    /// Removes the lines that match.
    DropLines(String),
    /// Gives a boot entry, or what refers to one, the neutral token.
    BootEntry(String),
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Record => f.write_str("record that there was no identifier"),
            Action::Stop(unit) => write!(f, "stop {unit}"),
            Action::Remove(path) => write!(f, "remove {path}"),
            Action::Empty(path) => write!(f, "empty {path}"),
            Action::Truncate(path) => write!(f, "truncate {path}"),
            Action::Write(path) => write!(f, "write {path}"),
            Action::Link(path) => write!(f, "link {path}"),
            Action::DropLines(path) => write!(f, "drop lines of {path}"),
            Action::BootEntry(path) => write!(f, "give {path} the neutral token"),
        }
    }
}

impl Scrub {
    fn action(&self, path: &str) -> Action {
        let path = path.to_owned();
        match self.action.as_str() {
            "empty-dir" => Action::Empty(path),
            "truncate" => Action::Truncate(path),
            "write" => Action::Write(path),
            "symlink" => Action::Link(path),
            "drop-lines" => Action::DropLines(path),
            "boot-entries" => Action::BootEntry(path),
            _ => Action::Remove(path),
        }
    }

    fn want(&self) -> String {
        match self.action.as_str() {
            "empty-dir" => "an empty directory".to_owned(),
            "truncate" => "an empty file".to_owned(),
            "write" if self.content().is_empty() => "an empty file".to_owned(),
            "write" => format!("a file with {:?}", self.content()),
            "symlink" => format!("a symlink to {}", self.content()),
            "drop-lines" => format!("no line like {}", self.patterns()),
            "boot-entries" => format!("the token {:?} in place of a machine-id", self.content()),
            _ => "absent".to_owned(),
        }
    }

    fn content(&self) -> &str {
        self.content.as_deref().unwrap_or_default()
    }

    /// Whether `drop-lines` takes a line away.
    fn drops(&self, line: &str) -> bool {
        let mut patterns = self.content.iter().chain(&self.lines);
        patterns.any(|pattern| glob::matches(pattern, line))
    }

    fn patterns(&self) -> String {
        let patterns = self.content.iter().chain(&self.lines);
        let quoted: Vec<String> = patterns.map(|pattern| format!("{pattern:?}")).collect();
        quoted.join(" or ")
    }

    fn mode(&self) -> Option<u32> {
        u32::from_str_radix(self.mode.as_deref()?, 8).ok()
    }

    fn left_to_close(&self, host: &Host) -> bool {
        self.when.as_deref() == Some("close") && host.context.has_manager() && !host.closing
    }

    fn judge_found(&self, seen: &Seen, diff: &mut Diff<Action>) {
        for found in seen.found.iter().take(SHOWN) {
            diff.differs(&found.path, &found.is, self.want());
        }
        let more = seen.found.len().saturating_sub(SHOWN);
        if more > 0 {
            diff.differs("further paths", format!("{more} more"), self.want());
        }
        diff.actions
            .extend(seen.writers.iter().cloned().map(Action::Stop));
        let paths = seen.found.iter().map(|found| self.action(&found.path));
        diff.actions.extend(paths);
    }

    /// That nothing was there to remove is evidence too: without it a node could not tell "never looked".
    fn judge_tombstones(&self, seen: &Seen, diff: &mut Diff<Action>) {
        let kind = self.tombstone.as_deref().unwrap_or_default();
        if seen.no_salt {
            diff.unknown(
                format!("tombstone of {kind}"),
                "the record has no salt: bake writes it to bake-record.json",
            );
        }
        if seen.found.is_empty() && !seen.tombstones.is_empty() {
            diff.differs(format!("tombstone of {kind}"), "not recorded", "recorded");
            diff.actions.push(Action::Record);
        }
        diff.tombstones.clone_from(&seen.tombstones);
    }
}

impl Kind for Scrub {
    const NAME: &'static str = "scrub";
    const PHASE: Phase = Phase::Scrub;
    const DOC: &'static str =
        "Paths that must not be cloned: removed, emptied, truncated or rewritten before the seal.";
    const PLACES: &'static [Place] = &[Place::Image];
    const FIELDS: &'static [Field] = fields::FIELDS;
    type Seen = Seen;
    type Action = Action;

    fn key(&self) -> String {
        self.name.clone()
    }

    fn faults(&self) -> Vec<Fault> {
        faults::faults(self)
    }

    fn claims(&self) -> Vec<Claim> {
        vec![Claim {
            fact: format!("scrub:{}", self.name),
            value: format!("{self:?}"),
        }]
    }

    fn observe(&self, host: &Host) -> Result<Seen> {
        if self.left_to_close(host) {
            return Ok(Seen {
                deferred: true,
                ..Seen::default()
            });
        }
        look::look(self, host)
    }

    fn diff(&self, seen: &Seen, _place: Place) -> Diff<Action> {
        let mut diff = Diff::default();
        if seen.deferred {
            let why = "left to the closing unit, which runs at shutdown after sshd and the network";
            diff.skip("paths", why);
            return diff;
        }
        for (path, why) in &seen.unjudged {
            diff.unknown(path, why);
        }
        self.judge_found(seen, &mut diff);
        self.judge_tombstones(seen, &mut diff);
        diff
    }

    fn apply(batch: &[(&Self, &Action)], host: &Host) -> Result<()> {
        batch
            .iter()
            .try_for_each(|(scrub, action)| act::act(scrub, action, host))
    }
}
