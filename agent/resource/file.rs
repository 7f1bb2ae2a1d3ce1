//! Kind `file`: a regular file with its content, mode and owner.
//! It is separate because content is compared and recorded by digest and written atomically.

mod step;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::host::binary::self_binary;
use crate::host::root::sha256;
use crate::host::{FileKind, Host};
use crate::resource::access::{Found, Ids, Wanted, unknown_names};
use crate::resource::schema::{Check, Field, Type};
use crate::resource::validate::{Validate, Validity};
use crate::resource::{Accept, Claim, Diff, Fault, Kind, Phase, Place};
pub use step::Action;

/// A wanted regular file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct File {
    /// Absolute path.
    pub path: String,
    /// SHA-256 of the content, in hex. The policy layer fills it; for `self` it is the running binary's.
    pub sha256: String,
    /// The content; none for the binary itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// The source it was taken from, as the policy names it; `self` is the running binary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Mode as octal digits.
    #[serde(default = "default_mode")]
    pub mode: String,
    /// Owner, name or number.
    #[serde(default = "root_name")]
    pub owner: String,
    /// Group, name or number.
    #[serde(default = "root_name")]
    pub group: String,
    /// How the mode compares.
    #[serde(default)]
    pub accept: Accept,
    /// The program that must accept the content before it is put in place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validate: Option<Validate>,
}

fn default_mode() -> String {
    "0644".to_owned()
}

pub(crate) fn root_name() -> String {
    "root".to_owned()
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Seen {
    /// What is at the path; none when nothing is.
    #[serde(flatten)]
    pub found: Option<Found>,
    /// Bytes of a regular file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// SHA-256 of a regular file's content, in hex.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Numbers that the wanted owner has in the tree.
    #[serde(skip)]
    pub ids: Ids,
    /// What the validating program says of the wanted content.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validity: Option<Validity>,
}

/// The first lines of a file that a kind generates.
pub(crate) fn heading(kind: &str, path: &str) -> String {
    format!("# Written by nodeagent for the policy entry {kind}:{path}; changes here are lost.\n")
}

/// A reason as comment lines.
pub(crate) fn comment(reason: &str) -> String {
    let lines = reason.lines().map(|line| format!("# {}\n", line.trim()));
    lines.collect()
}

/// A digest short enough for a person.
pub(crate) fn short(sha256: &str) -> String {
    format!("sha256:{}…", sha256.get(..12).unwrap_or(sha256))
}

impl File {
    /// A file that another kind generates: root:root 0644.
    pub(crate) fn generated(path: &str, content: String) -> Self {
        Self {
            path: path.to_owned(),
            sha256: sha256(content.as_bytes()),
            content: Some(content),
            source: None,
            mode: default_mode(),
            owner: root_name(),
            group: root_name(),
            accept: Accept::Exact,
            validate: None,
        }
    }

    fn wanted(&self) -> Wanted<'_> {
        Wanted {
            mode: &self.mode,
            owner: &self.owner,
            group: &self.group,
            accept: self.accept,
        }
    }

    /// The bytes to write, which must be those that the policy states by digest.
    fn bytes(&self) -> Result<Vec<u8>> {
        let bytes = match (&self.content, self.source.as_deref()) {
            (Some(content), _) => content.clone().into_bytes(),
            (None, Some("self")) => self_binary()?,
            (None, _) => {
                return Err(Error::host(format!(
                    "write {}: the policy holds no content for it",
                    self.path
                ))
                .hint("take the policy from its fragments again"));
            }
        };
        let digest = sha256(&bytes);
        if digest == self.sha256 {
            return Ok(bytes);
        }
        Err(Error::host(format!(
            "write {}: the content at hand is {}, the policy wants {}",
            self.path,
            short(&digest),
            short(&self.sha256)
        ))
        .hint("for source \"self\", run the binary that the policy was made with"))
    }
}

impl Kind for File {
    const NAME: &'static str = "file";
    const PHASE: Phase = Phase::Files;
    const DOC: &'static str = "A regular file with its content, mode and owner.";
    const FIELDS: &'static [Field] = &[
        Field::required("path", Type::Str(Check::AbsPath), "Where it goes."),
        Field::optional("content", Type::Str(Check::Any), "The content, inline."),
        Field::optional(
            "source",
            Type::Str(Check::NotEmpty),
            "Where the content comes from: \"rootfs/…\" in the policy folder, \"units/…\" of this tool, or \"self\", the running binary. Default without content: rootfs and the path.",
        ),
        Field::optional(
            "template",
            Type::Bool,
            "true: ${name} in the content is replaced. Default: false.",
        ),
        Field::optional(
            "mode",
            Type::Str(Check::Mode),
            "Mode, as a string. Default: \"0644\".",
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
        Field::optional(
            "validate",
            Type::Table(Validate::FIELDS),
            "The program that must accept the content; a file that it refuses is never put in place.",
        ),
    ];
    type Seen = Seen;
    type Action = Action;

    fn key(&self) -> String {
        self.path.clone()
    }

    fn faults(&self) -> Vec<Fault> {
        self.validate.iter().filter_map(Validate::faults).collect()
    }

    fn claims(&self) -> Vec<Claim> {
        vec![Claim {
            fact: format!("path:{}", self.path),
            value: format!("file {}", self.sha256),
        }]
    }

    fn observe(&self, host: &Host) -> Result<Seen> {
        let meta = host.root.meta(&self.path)?;
        let regular = meta.filter(|m| m.kind == FileKind::File);
        Ok(Seen {
            found: meta.as_ref().map(Found::from),
            size: regular.map(|m| m.size),
            sha256: match regular {
                Some(_) => host.root.digest(&self.path)?,
                None => None,
            },
            ids: Ids::find(&host.root, &self.owner, &self.group)?,
            validity: match (&self.validate, &self.content) {
                (Some(program), Some(content)) => Some(program.ask(content, host)?),
                _ => None,
            },
        })
    }

    fn diff(&self, seen: &Seen, _place: Place) -> Diff<Action> {
        let mut diff = Diff::default();
        let wanted = self.wanted();
        let found = seen.found.as_ref();
        let regular = found.filter(|f| f.kind == FileKind::File);
        let Some(access) = wanted.access(regular, &mut diff) else {
            return diff;
        };
        let write = Action::Write {
            size: self.content.as_ref().map(|c| c.len() as u64),
            access: access.clone(),
        };
        match (found, regular) {
            (None, _) => {
                diff.differs("content", "absent", short(&self.sha256));
                unknown_names(&wanted, seen.ids, &mut diff);
                diff.actions.push(write);
            }
            (Some(other), None) if other.kind == FileKind::Directory => {
                let want = "a file: remove the directory first, it may hold what is still needed";
                diff.differs("kind", "directory", want);
            }
            (Some(other), None) => {
                diff.differs("kind", other.kind.to_string(), "file");
                unknown_names(&wanted, seen.ids, &mut diff);
                diff.actions.push(write);
            }
            (Some(_), Some(file)) => {
                wanted.judge(&access, seen.ids, file, &mut diff);
                let have = seen.sha256.as_deref().unwrap_or_default();
                if have != self.sha256 {
                    diff.differs("content", short(have), short(&self.sha256));
                    diff.actions.push(write);
                } else if !diff.conforms() {
                    diff.actions.push(Action::SetAttr(access));
                }
            }
        }
        if let Some(validity) = &seen.validity
            && !validity.judge(&mut diff)
        {
            diff.actions.retain(|a| matches!(a, Action::SetAttr(_)));
        }
        diff
    }

    fn apply(batch: &[(&Self, &Action)], host: &Host) -> Result<()> {
        for (file, action) in batch {
            match action {
                Action::Write { access, .. } => {
                    let bytes = file.bytes()?;
                    let attr = access.resolve(&host.root)?;
                    host.root.make_parent(&file.path)?;
                    host.root.write(&file.path, &bytes, attr)?;
                }
                Action::SetAttr(access) => {
                    host.root
                        .set_attr(&file.path, access.resolve(&host.root)?)?;
                }
            }
        }
        Ok(())
    }
}
