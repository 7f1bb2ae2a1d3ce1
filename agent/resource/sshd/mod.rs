//! Kind `sshd`: settings of the SSH server by one drop-in, and the proof that it is the drop-in that wins.
//! It is separate from `file` because sshd takes the first value it meets: a file that is right may count for nothing.

pub(crate) mod config;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::host::Host;
use crate::resource::fault::{drop_in, empty};
use crate::resource::file::{self, File, comment, heading};
use crate::resource::schema::{Check, Field, Type};
use crate::resource::{Accept, Claim, Diff, Fault, Kind, Phase, Place};
pub use file::Action;

const FOLDER: &str = "/etc/ssh/sshd_config.d";

/// A wanted drop-in of sshd.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sshd {
    /// The drop-in file.
    pub path: String,
    /// Keywords and what is wanted of each.
    pub keys: BTreeMap<String, Wanted>,
}

/// What is wanted of one keyword.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Wanted {
    /// The value.
    pub value: String,
    /// Why.
    pub reason: String,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Seen {
    /// The drop-in file.
    pub file: file::Seen,
    /// By keyword, what sshd takes; none where there is no sshd.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys: Option<BTreeMap<String, Effective>>,
}

/// What sshd takes for one keyword.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Effective {
    /// The first line for every connection; none: sshd's own default.
    pub first: Option<Setting>,
    /// Lines in Match blocks, which come before that for the connections they match.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub matched: Vec<Setting>,
}

/// A line that sets a keyword.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// The value.
    pub value: String,
    /// The conditions of a Match block; none: every connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// The file.
    pub file: String,
    /// The line's number.
    pub line: usize,
}

impl std::fmt::Display for Setting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} from {}:{}", self.value, self.file, self.line)
    }
}

impl Sshd {
    fn file(&self) -> File {
        let mut text = heading(Self::NAME, &self.path);
        for (key, wanted) in &self.keys {
            text += "\n";
            text += &comment(&wanted.reason);
            text += &[key, " ", &wanted.value, "\n"].concat();
        }
        let mut file = File::generated(&self.path, text);
        "0600".clone_into(&mut file.mode);
        file.accept = Accept::AtMost;
        file
    }
}

/// What sshd takes for one keyword, of all its lines.
fn effective(lines: &[config::Line], key: &str) -> Effective {
    let keyword = config::present_name(key);
    let mine = lines.iter().filter(|line| line.keyword == keyword);
    let (matched, all): (Vec<_>, Vec<_>) = mine
        .map(|line| Setting {
            value: line.values.join(" "),
            scope: line.scope.clone(),
            file: line.file.clone(),
            line: line.number,
        })
        .partition(|setting| setting.scope.is_some());
    Effective {
        first: all.into_iter().next(),
        matched,
    }
}

impl Wanted {
    /// sshd compares its words without regard to case.
    fn is(&self, setting: &Setting) -> bool {
        let words = |text: &str| -> Vec<String> {
            let words = text.split_whitespace();
            words.map(str::to_ascii_lowercase).collect()
        };
        words(&setting.value) == words(&self.value)
    }

    fn judge(&self, key: &str, found: &Effective, diff: &mut Diff<Action>) {
        let written = diff.actions.is_empty();
        match &found.first {
            Some(setting) if self.is(setting) => {}
            // The drop-in is about to be written: whether it wins is seen afterwards.
            Some(setting) if !written => diff.differs(key, setting.to_string(), &self.value),
            None if !written => diff.differs(key, "sshd's default", &self.value),
            Some(setting) => diff.differs(
                key,
                format!("{setting}, which sshd reads first"),
                format!(
                    "{}: remove the line, or let this file sort before",
                    self.value
                ),
            ),
            None => diff.differs(
                key,
                "sshd's default: it does not read this file",
                format!("{}: sshd_config must include {FOLDER}/*.conf", self.value),
            ),
        }
        for setting in found.matched.iter().filter(|setting| !self.is(setting)) {
            let scope = setting.scope.as_deref().unwrap_or_default();
            diff.differs(
                format!("{key} for Match {scope}"),
                setting.to_string(),
                &self.value,
            );
        }
    }
}

impl Kind for Sshd {
    const NAME: &'static str = "sshd";
    const PHASE: Phase = Phase::Files;
    const DOC: &'static str =
        "Settings of the SSH server by one drop-in that comes before everything else sshd reads.";
    const FIELDS: &'static [Field] = &[
        Field::required(
            "path",
            Type::Str(Check::AbsPath),
            "The drop-in below /etc/ssh/sshd_config.d; sshd takes the first value it meets, so it sorts before all others.",
        ),
        Field::required(
            "keys",
            Type::Map(
                Check::Keyword,
                &Type::Table(&[
                    Field::required("value", Type::Str(Check::NotEmpty), "The value."),
                    Field::required("reason", Type::Str(Check::NotEmpty), "Why this value."),
                ]),
            ),
            "Keywords of sshd_config(5), each with value and reason.",
        ),
    ];
    type Seen = Seen;
    type Action = Action;

    fn key(&self) -> String {
        self.path.clone()
    }

    fn faults(&self) -> Vec<Fault> {
        let no_keys = self.keys.is_empty().then(|| empty("keys"));
        let more = |key: &str| {
            let several = [
                "match",
                "include",
                "hostkey",
                "port",
                "listenaddress",
                "acceptenv",
            ];
            several.contains(&key.to_ascii_lowercase().as_str())
        };
        let several = self.keys.keys().find(|key| more(key)).map(|key| {
            let help = "put it in a file entry; first-value-wins does not hold for it";
            Fault::new("keys", format!("`{key}` is no single value"), help)
        });
        let path = drop_in(&self.path, FOLDER);
        path.into_iter().chain(no_keys).chain(several).collect()
    }

    fn claims(&self) -> Vec<Claim> {
        let keys = self.keys.iter().map(|(key, wanted)| Claim {
            fact: format!("sshd:{}", config::present_name(key)),
            value: wanted.value.to_ascii_lowercase(),
        });
        let path = Claim {
            fact: format!("path:{}", self.path),
            value: "sshd".to_owned(),
        };
        keys.chain([path]).collect()
    }

    fn observe(&self, host: &Host) -> Result<Seen> {
        let file = self.file().observe(host)?;
        if !host.root.present(config::CONFIG)? {
            return Ok(Seen { file, keys: None });
        }
        let lines = config::lines(&host.root)?;
        let keys = self.keys.keys();
        Ok(Seen {
            file,
            keys: Some(
                keys.map(|key| (key.clone(), effective(&lines, key)))
                    .collect(),
            ),
        })
    }

    fn diff(&self, seen: &Seen, place: Place) -> Diff<Action> {
        let mut diff = self.file().diff(&seen.file, place);
        let Some(found) = &seen.keys else {
            let why = format!("there is no {}: sshd is not installed", config::CONFIG);
            diff.skip("effective values", why);
            return diff;
        };
        for (key, wanted) in &self.keys {
            match found.get(key) {
                Some(found) => wanted.judge(key, found, &mut diff),
                None => diff.unknown(key, "it was not observed"),
            }
        }
        diff
    }

    fn apply(batch: &[(&Self, &Action)], host: &Host) -> Result<()> {
        for (sshd, action) in batch {
            File::apply(&[(&sshd.file(), action)], host)?;
        }
        Ok(())
    }
}
