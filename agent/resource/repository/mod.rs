//! Kind `repository`: a package source with its key, pinned by the key's fingerprint.
//! It is separate from packages because it must be there, and proved, before any of them is asked for.

mod files;
mod openpgp;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::host::root::Attr;
use crate::host::{FileKind, Host, Manager};
use crate::resource::schema::Field;
use crate::resource::{Claim, Diff, Fault, Kind, Phase, Place};
use openpgp::PublicKey;

/// A wanted package source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Repository {
    /// Name of its files.
    pub name: String,
    /// apt: where it is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub uris: Vec<String>,
    /// apt: suites, or folders that end in `/`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suites: Vec<String>,
    /// apt: components of the suites.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub components: Vec<String>,
    /// dnf: where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseurl: Option<String>,
    /// dnf: the metadata is signed, too.
    #[serde(default)]
    pub signed_metadata: bool,
    /// The key, as armoured text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// A file with the key, in the tree that is built.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_file: Option<String>,
    /// Fingerprint of the primary key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// Nothing is signed, by explicit word.
    #[serde(default)]
    pub unsigned: bool,
}

/// A file of ours, or its absence.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Text {
    /// Content.
    pub text: String,
    /// A regular file that root owns and nobody else may write.
    pub safe: bool,
}

/// What a key file holds.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeySeen {
    /// There is none.
    Absent,
    /// One key, with this fingerprint.
    Key(String),
    /// Anything else.
    Unusable(String),
}

impl fmt::Display for KeySeen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeySeen::Absent => write!(f, "absent"),
            KeySeen::Key(fingerprint) => write!(f, "{fingerprint}"),
            KeySeen::Unusable(why) => write!(f, "{why}"),
        }
    }
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Seen {
    /// Whose files are written.
    pub manager: Manager,
    /// The source file.
    pub source: Option<Text>,
    /// The key that the source names.
    pub key: KeySeen,
    /// The key that the policy gives.
    pub given: KeySeen,
}

/// A step.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Writes the key that the policy gives.
    Key(Manager),
    /// Writes the source file.
    Source(Manager),
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Key(_) => write!(f, "write the pinned key"),
            Action::Source(_) => write!(f, "write the source"),
        }
    }
}

impl Kind for Repository {
    const NAME: &'static str = "repository";
    const PHASE: Phase = Phase::Repositories;
    const DOC: &'static str = "A package source of apt or dnf; its key is pinned by fingerprint.";
    const FIELDS: &'static [Field] = files::FIELDS;
    type Seen = Seen;
    type Action = Action;

    fn key(&self) -> String {
        self.name.clone()
    }

    fn faults(&self) -> Vec<Fault> {
        files::faults(self)
    }

    fn claims(&self) -> Vec<Claim> {
        [Manager::Apt, Manager::Dnf]
            .map(|manager| self.source_path(manager))
            .map(|path| Claim {
                fact: format!("path:{path}"),
                value: "repository".to_owned(),
            })
            .to_vec()
    }

    fn observe(&self, host: &Host) -> Result<Seen> {
        let manager = host.packages.manager()?;
        let key = match text(&self.key_path(manager), host)? {
            None => KeySeen::Absent,
            Some(Text { safe: false, .. }) => {
                KeySeen::Unusable("a file that not only root may write".to_owned())
            }
            Some(file) => judged(PublicKey::read(file.text.as_bytes())),
        };
        Ok(Seen {
            manager,
            source: text(&self.source_path(manager), host)?,
            key,
            given: match self.given(host)? {
                None => KeySeen::Absent,
                Some(read) => judged(read),
            },
        })
    }

    fn diff(&self, seen: &Seen, _place: Place) -> Diff<Action> {
        let mut diff = Diff::default();
        let Some(text) = self.source_text(seen.manager) else {
            let why = format!("it names no source for {}", seen.manager.word());
            diff.skip(crate::resource::ENTRY, why);
            return diff;
        };
        if self.unsigned {
            diff.skip(
                "signature",
                "unsigned, as the policy says: nothing proves what comes from here",
            );
        } else if !self.diff_key(seen, &mut diff) {
            return diff;
        }
        let state = match &seen.source {
            None => "absent",
            Some(Text { safe: false, .. }) => "not only root may write it",
            Some(file) if file.text != text => "other content",
            Some(_) => return diff,
        };
        let path = self.source_path(seen.manager);
        diff.differs(path, state, "as the policy says");
        diff.actions.push(Action::Source(seen.manager));
        diff
    }

    fn apply(batch: &[(&Self, &Action)], host: &Host) -> Result<()> {
        for (repository, action) in batch {
            match action {
                Action::Key(manager) => repository.write_key(*manager, host)?,
                Action::Source(manager) => {
                    let path = repository.source_path(*manager);
                    let text = repository.source_text(*manager).unwrap_or_default();
                    write(&path, &text, host)?;
                }
            }
        }
        Ok(())
    }
}

impl Repository {
    fn pinned(&self) -> String {
        self.fingerprint.clone().unwrap_or_default().to_uppercase()
    }

    /// Judges the key; false when none is there or can be had, and then nothing at all is to be written.
    fn diff_key(&self, seen: &Seen, diff: &mut Diff<Action>) -> bool {
        let right = KeySeen::Key(self.pinned());
        if seen.key == right {
            return true;
        }
        let path = self.key_path(seen.manager);
        diff.differs(path, seen.key.to_string(), self.pinned());
        if seen.given == right {
            diff.actions.push(Action::Key(seen.manager));
            return true;
        }
        let from = self.key_file.as_deref().unwrap_or("key");
        diff.differs(
            format!("the key in {from}"),
            seen.given.to_string(),
            self.pinned(),
        );
        false
    }

    /// The key of the policy: the text, or the file in the tree; none when the file is missing.
    fn given(&self, host: &Host) -> Result<Option<std::result::Result<PublicKey, String>>> {
        let bytes = match (&self.key, &self.key_file) {
            (Some(text), _) => Some(text.clone().into_bytes()),
            (None, Some(path)) => host.root.read(path)?,
            (None, None) => None,
        };
        Ok(bytes.map(|bytes| PublicKey::read(&bytes)))
    }

    /// Writes the key again armoured by us, so that what was counted is all that the package manager reads.
    fn write_key(&self, manager: Manager, host: &Host) -> Result<()> {
        let path = self.key_path(manager);
        match self.given(host)? {
            Some(Ok(key)) if key.fingerprint == self.pinned() => {
                write(&path, &key.armoured(), host)
            }
            _ => Err(
                Error::host(format!("write {path}: the key changed since it was judged"))
                    .hint("see who writes to it, and run this again"),
            ),
        }
    }
}

/// One of our files as it is.
fn text(path: &str, host: &Host) -> Result<Option<Text>> {
    let Some(meta) = host.root.meta(path)? else {
        return Ok(None);
    };
    let safe = meta.kind == FileKind::File && meta.uid == 0 && meta.mode & 0o022 == 0;
    let text = match meta.kind {
        FileKind::File => host.root.read(path)?.unwrap_or_default(),
        _ => Vec::new(),
    };
    Ok(Some(Text {
        text: String::from_utf8_lossy(&text).into_owned(),
        safe,
    }))
}

fn judged(read: std::result::Result<PublicKey, String>) -> KeySeen {
    match read {
        Ok(key) => KeySeen::Key(key.fingerprint),
        Err(why) => KeySeen::Unusable(why),
    }
}

fn write(path: &str, text: &str, host: &Host) -> Result<()> {
    host.root.make_parent(path)?;
    host.root.write(path, text.as_bytes(), Attr::root(0o644))
}
