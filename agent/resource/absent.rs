//! Kind `absent`: a path that must not exist.
//! It is separate because removing is the one change of files that cannot be undone by the next bake.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::host::{FileKind, Host};
use crate::resource::access::Found;
use crate::resource::schema::{Check, Field, Type};
use crate::resource::{Claim, Diff, Kind, Phase, Place};

/// A path that must not exist.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Absent {
    /// Absolute path.
    pub path: String,
}

/// Directories that a system cannot be without; an entry that names one is a mistake.
const KEPT: &[&str] = &[
    "", "usr", "bin", "boot", "dev", "etc", "home", "lib", "lib32", "lib64", "media", "mnt", "opt",
    "proc", "root", "run", "sbin", "srv", "sys", "tmp", "var",
];

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Seen {
    /// What is at the path; none when nothing is.
    #[serde(flatten)]
    pub found: Option<Found>,
    /// Another file system is mounted there.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub mounted: bool,
}

/// A step.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Removes the path: a directory with all it holds, a symlink alone.
    Remove(FileKind),
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Remove(FileKind::Directory) => f.write_str("remove it with all it holds"),
            Action::Remove(kind) => write!(f, "remove the {kind}"),
        }
    }
}

impl Absent {
    /// Why it is never removed, in the form of what a person has to do.
    fn kept(&self, seen: &Seen, found: &Found) -> Option<&'static str> {
        let top = self.path.trim_matches('/');
        if found.kind == FileKind::Directory && KEPT.contains(&top) {
            return Some("absent: never removed, the system needs it; take the entry out");
        }
        seen.mounted
            .then_some("absent: never removed while mounted; unmount it first")
    }
}

impl Kind for Absent {
    const NAME: &'static str = "absent";
    const PHASE: Phase = Phase::Files;
    const DOC: &'static str = "A path that must not exist.";
    const FIELDS: &'static [Field] = &[Field::required(
        "path",
        Type::Str(Check::AbsPath),
        "The path; a directory goes with all it holds, a symlink alone.",
    )];
    type Seen = Seen;
    type Action = Action;

    fn key(&self) -> String {
        self.path.clone()
    }

    fn claims(&self) -> Vec<Claim> {
        vec![Claim {
            fact: format!("path:{}", self.path),
            value: "absent".to_owned(),
        }]
    }

    fn observe(&self, host: &Host) -> Result<Seen> {
        let meta = host.root.meta(&self.path)?;
        Ok(Seen {
            found: meta.as_ref().map(Found::from),
            mounted: meta.is_some() && host.root.is_mount_point(&self.path)?,
        })
    }

    fn diff(&self, seen: &Seen, _place: Place) -> Diff<Action> {
        let mut diff = Diff::default();
        let Some(found) = &seen.found else {
            return diff;
        };
        let kept = self.kept(seen, found);
        diff.differs("path", found.kind.to_string(), kept.unwrap_or("absent"));
        if kept.is_none() {
            diff.actions.push(Action::Remove(found.kind));
        }
        diff
    }

    fn apply(batch: &[(&Self, &Action)], host: &Host) -> Result<()> {
        for (absent, Action::Remove(_)) in batch {
            host.root.remove(&absent.path)?;
        }
        Ok(())
    }
}
