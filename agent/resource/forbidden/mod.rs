//! Kind `forbidden`: what must not be in an image, found by its path or by a line of its content.
//! It is separate from `scrub` because nothing is removed here: a secret at an unknown place is a mistake of the build.

mod pattern;
mod sweep;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::host::Host;
use crate::resource::fault::empty;
use crate::resource::schema::{Check, Field, Type};
use crate::resource::{Claim, Diff, ENTRY, Fault, Kind, Phase, Place};

/// Differences shown one by one; the rest is counted.
const SHOWN: usize = 20;

/// Files that must not be in an image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Forbidden {
    /// Name for the id, `--list` and `--skip`.
    pub name: String,
    /// Paths or patterns of the files that are looked at.
    pub paths: Vec<String>,
    /// Paths or patterns that are not, with what lies below them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub except: Vec<String>,
    /// Names of rules and patterns of forbidden lines; none: the file itself is forbidden.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub contents: BTreeMap<String, String>,
    /// Exact files that are fine, with the reason.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub accept: BTreeMap<String, String>,
    /// `generalize` (default) or `close`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
}

/// What was found. Never what stands in a line: it may be the secret.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Seen {
    /// Left to the closing unit; nothing was looked at.
    pub deferred: bool,
    /// There is nothing to look for.
    pub void: bool,
    /// Violations.
    pub found: Vec<Found>,
    /// Accepted files that hold what is otherwise forbidden.
    pub accepted: Vec<String>,
    /// Files that are too large to be read.
    pub large: usize,
    /// Paths that could not be judged, with the reason.
    pub unjudged: Vec<(String, String)>,
}

/// A violation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Found {
    /// The file.
    pub path: String,
    /// Number of the first line that matches; none: the file itself is forbidden.
    pub line: Option<usize>,
    /// The rule; empty: the file itself is forbidden.
    pub rule: String,
}

/// A step. There is none: whoever built the image has to say what becomes of a secret.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {}

impl fmt::Display for Action {
    fn fmt(&self, _f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

impl Kind for Forbidden {
    const NAME: &'static str = "forbidden";
    const PHASE: Phase = Phase::Identity;
    const DOC: &'static str = "What must not be in an image, by path or by a line of content: generalize does not seal while it is there.";
    const PLACES: &'static [Place] = &[Place::Image];
    const FIELDS: &'static [Field] = FIELDS;
    type Seen = Seen;
    type Action = Action;

    fn key(&self) -> String {
        self.name.clone()
    }

    fn faults(&self) -> Vec<Fault> {
        match self.paths.is_empty() {
            true => vec![empty("paths")],
            false => Vec::new(),
        }
    }

    fn claims(&self) -> Vec<Claim> {
        vec![Claim {
            fact: format!("forbidden:{}", self.name),
            value: format!("{self:?}"),
        }]
    }

    fn observe(&self, host: &Host) -> Result<Seen> {
        let close = self.when.as_deref() == Some("close");
        if close && host.context.has_manager() && !host.closing {
            return Ok(Seen {
                deferred: true,
                ..Seen::default()
            });
        }
        sweep::sweep(self, &host.root)
    }

    fn diff(&self, seen: &Seen, _place: Place) -> Diff<Action> {
        let mut diff = Diff::default();
        if seen.deferred {
            let why = "left to the closing unit, which runs at shutdown after sshd and the network";
            diff.skip(ENTRY, why);
        }
        if seen.void {
            diff.skip(
                ENTRY,
                "its patterns name nothing: set the variable that they use",
            );
        }
        for found in seen.found.iter().take(SHOWN) {
            match found.line {
                Some(line) => diff.differs(
                    format!("{} line {line}", found.path),
                    format!("looks like {}", found.rule),
                    "nothing of the kind in an image",
                ),
                None => diff.differs(&found.path, "present", "absent in an image"),
            }
        }
        let more = seen.found.len().saturating_sub(SHOWN);
        if more > 0 {
            diff.differs(
                "further files",
                format!("{more} more"),
                "absent in an image",
            );
        }
        for path in &seen.accepted {
            let why = self.accept.get(path).map_or("", String::as_str);
            diff.skip(path, format!("accepted: {why}"));
        }
        if seen.large > 0 {
            let why = format!("{} files were not read", seen.large);
            diff.skip(format!("files over {} bytes", sweep::LIMIT), why);
        }
        for (path, why) in &seen.unjudged {
            diff.unknown(path, why);
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

const FIELDS: &[Field] = &[
    Field::required(
        "name",
        Type::Str(Check::Word),
        "A name for the id, --list and --skip.",
    ),
    Field::required(
        "paths",
        Type::List(&Type::Str(Check::Glob)),
        "Files or patterns; ~/ stands for every home in /etc/passwd, ** for any depth. Symlinks are not followed.",
    ),
    Field::optional(
        "except",
        Type::List(&Type::Str(Check::Glob)),
        "Files or directories that are not looked at, with what lies below them.",
    ),
    Field::optional(
        "contents",
        Type::Map(Check::Word, &Type::Str(Check::NotEmpty)),
        "Rules by name: the pattern (*, ?, […]) of a forbidden line. Without them the file itself is forbidden. Text files of at most 1 MiB are read.",
    ),
    Field::optional(
        "accept",
        Type::Map(Check::AbsPath, &Type::Str(Check::NotEmpty)),
        "Exact files that are fine, each with the reason, which every output shows.",
    ),
    Field::optional(
        "when",
        Type::Enum(&["generalize", "close"]),
        "close: on a running machine it is left to the closing unit, as is what scrub leaves to it. Default: generalize.",
    ),
];
