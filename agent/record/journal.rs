//! The journal: append-only JSON lines, each on disk before the next effect begins.
//! It is separate because it must survive any crash: a torn last line is ended and ignored, never fatal.

use serde::{Deserialize, Serialize};

use super::{JOURNAL, Record, STATE_DIR};
use crate::error::{Context as _, Result};
use crate::host::root::{Append, Attr, Root};
use crate::host::{Evidence, Tombstone};

/// One line of the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// The salt of this image's tombstones; once, first.
    Salt {
        /// 32 random bytes, in hex.
        salt: String,
    },
    /// A verb begins.
    Begin {
        /// `bake`, `generalize` or `close`.
        verb: String,
        /// Seconds since 1970.
        time: u64,
        /// Version of this tool.
        tool: String,
        /// Digest of the policy.
        policy: String,
        /// Where it runs.
        context: String,
        /// Release of the running kernel.
        kernel: String,
        /// What `--skip` left out: the unit that closes the seal leaves out the same.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        skip: Vec<String>,
    },
    /// An identifier is about to be removed.
    Tombstone(Tombstone),
    /// A step is about to be done.
    Step {
        /// The entry.
        id: String,
        /// What is done.
        action: String,
    },
    /// The step was done.
    Done {
        /// The entry.
        id: String,
        /// What was done.
        action: String,
        /// How long it took.
        millis: u64,
        /// Retries and fallbacks.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        notes: Vec<String>,
    },
    /// The step failed.
    Failed {
        /// The entry.
        id: String,
        /// The error, on one line.
        error: String,
    },
    /// The verb ends.
    End {
        /// Seconds since 1970.
        time: u64,
        /// Steps done.
        changes: usize,
        /// Its exit code.
        exit: u8,
    },
}

/// An open journal.
#[derive(Debug)]
pub struct Journal {
    file: Append,
}

impl Journal {
    /// Opens the build's journal to append; a new one takes the salt, an old one keeps its own.
    pub fn build(root: &Root, new_salt: &str) -> Result<Self> {
        let mut journal = Self::resume(root)?;
        if evidence(root)?.salt.is_none() {
            journal.add(&Event::Salt {
                salt: new_salt.to_owned(),
            })?;
        }
        Ok(journal)
    }

    /// Opens the build's journal to go on with it. A run that was cut off after folding it into the record has
    /// removed it already: it is made again from the record, or salt and tombstones would be lost for good.
    pub fn resume(root: &Root) -> Result<Self> {
        let mut journal = Self::open(root, JOURNAL)?;
        if evidence(root)?.salt.is_none()
            && let Some(record) = Record::read(root)?
        {
            // The salt last: until it is there, a run that was cut off here in turn is made again from the start.
            root.truncate(JOURNAL)?;
            let is_salt = |event: &Event| matches!(event, Event::Salt { .. });
            let (salt, rest): (Vec<_>, Vec<_>) = record.to_events().into_iter().partition(is_salt);
            for event in rest.iter().chain(&salt) {
                journal.add(event)?;
            }
        }
        Ok(journal)
    }

    /// Opens a journal to append.
    pub fn open(root: &Root, path: &str) -> Result<Self> {
        root.make_dir(STATE_DIR, Attr::root(0o700))?;
        Ok(Self {
            file: root.append(path, 0o600)?,
        })
    }

    /// Appends one event and waits until it is on disk.
    pub fn add(&mut self, event: &Event) -> Result<()> {
        let line = serde_json::to_string(event).context(|| "write a journal event as JSON")?;
        self.file.line(&line)
    }
}

/// All events that can be read; torn and foreign lines are left out.
pub fn events(root: &Root) -> Result<Vec<Event>> {
    let bytes = root.read(JOURNAL)?.unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    Ok(text
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect())
}

/// Salt and tombstones that the journal holds.
pub fn evidence(root: &Root) -> Result<Evidence> {
    Ok(fold(&events(root)?))
}

pub(super) fn fold(events: &[Event]) -> Evidence {
    let mut evidence = Evidence::default();
    for event in events {
        match event {
            Event::Salt { salt } if evidence.salt.is_none() => evidence.salt = Some(salt.clone()),
            Event::Tombstone(stone) => evidence.tombstones.push(stone.clone()),
            _ => {}
        }
    }
    evidence.tombstones.sort();
    evidence.tombstones.dedup();
    evidence
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stone(digest: &str) -> Event {
        Event::Tombstone(Tombstone {
            kind: "machine-id".into(),
            digest: digest.into(),
        })
    }

    #[test]
    fn a_torn_last_line_loses_only_itself() {
        let dir = tempfile::tempdir().unwrap();
        let root = Root::open(dir.path()).unwrap();
        let mut journal = Journal::build(&root, "aa").unwrap();
        journal.add(&stone("1")).unwrap();
        drop(journal);
        let path = dir.path().join("var/lib/nodeagent/journal.jsonl");
        let mut text = std::fs::read_to_string(&path).unwrap();
        text.push_str("{\"event\":\"tombst");
        std::fs::write(&path, text).unwrap();
        let mut journal = Journal::build(&root, "bb").unwrap();
        journal.add(&stone("2")).unwrap();
        let found = evidence(&root).unwrap();
        assert_eq!(found.salt.as_deref(), Some("aa"));
        let digests: Vec<_> = found.tombstones.iter().map(|t| t.digest.as_str()).collect();
        assert_eq!(digests, ["1", "2"]);
    }

    #[test]
    fn cut_off_anywhere_while_it_is_made_again_it_loses_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let root = Root::open(dir.path()).unwrap();
        let mut journal = Journal::build(&root, "aa").unwrap();
        for digest in ["1", "2", "3"] {
            journal.add(&stone(digest)).unwrap();
        }
        let whole = Record::from_journal(&root).unwrap();
        let at = dir.path().join("etc/packer-build");
        std::fs::create_dir_all(&at).unwrap();
        let record = serde_json::to_vec(&whole).unwrap();
        std::fs::write(at.join("bake-record.json"), record).unwrap();
        root.remove(JOURNAL).unwrap();
        Journal::resume(&root).unwrap();
        let text = root.read_text(JOURNAL).unwrap().unwrap();
        for cut in 0..=text.len() {
            std::fs::write(dir.path().join(&JOURNAL[1..]), &text[..cut]).unwrap();
            Journal::resume(&root).unwrap();
            assert_eq!(Record::from_journal(&root).unwrap(), whole, "cut at {cut}");
        }
    }

    #[test]
    fn tombstones_are_a_union_and_the_first_salt_stays() {
        let salt = |s: &str| Event::Salt { salt: s.into() };
        let found = fold(&[salt("a"), stone("2"), stone("1"), salt("b"), stone("2")]);
        assert_eq!(
            (found.salt.as_deref(), found.tombstones.len()),
            (Some("a"), 2)
        );
    }
}
