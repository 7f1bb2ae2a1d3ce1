//! Kind `directory`: a directory with its mode and owner.
//! It is separate because directories come before the files in them and are never replaced by one.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::host::{FileKind, Host};
use crate::resource::access::{Access, Found, Ids, Wanted, unknown_names};
use crate::resource::schema::{Check, Field, Type};
use crate::resource::{Accept, Claim, Diff, Kind, Phase, Place};

/// A wanted directory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Directory {
    /// Absolute path.
    pub path: String,
    /// Mode as octal digits.
    #[serde(default = "default_mode")]
    pub mode: String,
    /// Owner, name or number.
    #[serde(default = "super::file::root_name")]
    pub owner: String,
    /// Group, name or number.
    #[serde(default = "super::file::root_name")]
    pub group: String,
    /// How the mode compares.
    #[serde(default)]
    pub accept: Accept,
}

fn default_mode() -> String {
    "0755".to_owned()
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Seen {
    /// What is at the path; none when nothing is.
    #[serde(flatten)]
    pub found: Option<Found>,
    /// Numbers that the wanted owner has in the tree.
    #[serde(skip)]
    pub ids: Ids,
}

/// A step.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Makes the directory and its missing parents.
    Make(Access),
    /// Sets mode and owner of the directory, not of what it holds.
    SetAttr(Access),
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Make(access) => write!(f, "make the directory, {access}"),
            Action::SetAttr(access) => write!(f, "set {access}"),
        }
    }
}

impl Kind for Directory {
    const NAME: &'static str = "directory";
    const PHASE: Phase = Phase::Files;
    const DOC: &'static str = "A directory with its mode and owner.";
    const FIELDS: &'static [Field] = &[
        Field::required(
            "path",
            Type::Str(Check::AbsPath),
            "The directory; missing parents are made root:root 0755.",
        ),
        Field::optional(
            "mode",
            Type::Str(Check::Mode),
            "Mode, as a string. Default: \"0755\".",
        ),
        Field::optional(
            "owner",
            Type::Str(Check::Owner),
            "User, name or number. Default: \"root\".",
        ),
        Field::optional(
            "group",
            Type::Str(Check::Owner),
            "Group, name or number. Default: \"root\".",
        ),
        Field::optional(
            "accept",
            Type::Enum(&["exact", "at-most"]),
            "How the mode compares: exact, or at-most (stricter is fine).",
        ),
    ];
    type Seen = Seen;
    type Action = Action;

    fn key(&self) -> String {
        self.path.clone()
    }

    fn claims(&self) -> Vec<Claim> {
        vec![Claim {
            fact: format!("path:{}", self.path),
            value: "directory".to_owned(),
        }]
    }

    fn observe(&self, host: &Host) -> Result<Seen> {
        Ok(Seen {
            found: host.root.meta(&self.path)?.as_ref().map(Found::from),
            ids: Ids::find(&host.root, &self.owner, &self.group)?,
        })
    }

    fn diff(&self, seen: &Seen, _place: Place) -> Diff<Action> {
        let mut diff = Diff::default();
        let wanted = Wanted {
            mode: &self.mode,
            owner: &self.owner,
            group: &self.group,
            accept: self.accept,
        };
        let found = seen.found.as_ref();
        let directory = found.filter(|f| f.kind == FileKind::Directory);
        let Some(access) = wanted.access(directory, &mut diff) else {
            return diff;
        };
        match (found, directory) {
            (None, _) => {
                diff.differs("directory", "absent", access.to_string());
                unknown_names(&wanted, seen.ids, &mut diff);
                diff.actions.push(Action::Make(access));
            }
            (Some(other), None) => {
                let want = format!("a directory: move the {} away first", other.kind);
                diff.differs("kind", other.kind.to_string(), want);
            }
            (Some(_), Some(directory)) => {
                wanted.judge(&access, seen.ids, directory, &mut diff);
                if !diff.conforms() {
                    diff.actions.push(Action::SetAttr(access));
                }
            }
        }
        diff
    }

    fn apply(batch: &[(&Self, &Action)], host: &Host) -> Result<()> {
        for (directory, action) in batch {
            match action {
                Action::Make(access) => {
                    let attr = access.resolve(&host.root)?;
                    host.root.make_dir(&directory.path, attr)?;
                }
                Action::SetAttr(access) => {
                    let attr = access.resolve(&host.root)?;
                    host.root.set_attr(&directory.path, attr)?;
                }
            }
        }
        Ok(())
    }
}
