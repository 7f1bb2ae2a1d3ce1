//! bake-record.json: the journal folded into one file that stays in the image.
//! It is separate because nodes read it: their identity is compared with its tombstones.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::journal::{Event, events, fold};
use super::seal::{self, State};
use super::{DIR, RECORD};
use crate::error::{Context as _, Result};
use crate::host::root::{Attr, Root};
use crate::host::{Evidence, Tombstone};

/// One step as it was done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// The entry.
    pub id: String,
    /// What was done.
    pub action: String,
    /// How long it took.
    pub millis: u64,
    /// Retries and fallbacks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// One run of a verb.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// `bake`, `generalize` or `close`.
    pub verb: String,
    /// When it began, seconds since 1970.
    pub began: u64,
    /// When it ended; none when it was killed.
    pub ended: Option<u64>,
    /// Version of the tool.
    pub tool: String,
    /// Digest of the policy.
    pub policy: String,
    /// Where it ran.
    pub context: String,
    /// Release of the kernel that ran.
    pub kernel: String,
    /// Its exit code; none when it was killed.
    pub exit: Option<u8>,
    /// Steps in order.
    pub steps: Vec<Step>,
    /// Errors, with the entry's id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<String>,
}

/// The whole record of a bake.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Version of this format: 1.
    pub schema: u32,
    /// Salt of the tombstones, in hex.
    pub salt: Option<String>,
    /// Keyed digests of removed identifiers.
    pub tombstones: Vec<Tombstone>,
    /// Runs in order.
    pub runs: Vec<Run>,
    /// Sockets that waited for connections at the seal, as /proc/net spells them.
    #[serde(default)]
    pub listeners: BTreeSet<String>,
}

impl Record {
    /// Folds the journal of the tree.
    pub fn from_journal(root: &Root) -> Result<Self> {
        let events = events(root)?;
        let Evidence { salt, tombstones } = fold(&events);
        Ok(Self {
            schema: 1,
            salt,
            tombstones,
            runs: runs(events),
            listeners: BTreeSet::new(),
        })
    }

    /// Writes bake-record.json, readable by root alone since the salt is in it, and returns its digest.
    pub fn write(&self, root: &Root) -> Result<String> {
        root.make_dir(DIR, Attr::root(0o755))?;
        let mut bytes = serde_json::to_vec_pretty(self).context(|| "write the record as JSON")?;
        bytes.push(b'\n');
        root.write(RECORD, &bytes, Attr::root(0o600))?;
        Ok(crate::host::root::sha256(&bytes))
    }

    /// The journal that folds to this record: for a run that goes on after the journal was folded and removed.
    pub fn to_events(&self) -> Vec<Event> {
        let salt = self
            .salt
            .iter()
            .map(|salt| Event::Salt { salt: salt.clone() });
        let stones = self.tombstones.iter().cloned().map(Event::Tombstone);
        let runs = self.runs.iter().flat_map(Run::to_events);
        salt.chain(stones).chain(runs).collect()
    }

    /// Reads bake-record.json; none when it is missing.
    pub fn read(root: &Root) -> Result<Option<Self>> {
        let Some(bytes) = root.read(RECORD)? else {
            return Ok(None);
        };
        serde_json::from_slice(&bytes)
            .map(Some)
            .context(|| format!("read {RECORD} as JSON"))
    }
}

impl Run {
    fn to_events(&self) -> Vec<Event> {
        let mut events = vec![Event::Begin {
            verb: self.verb.clone(),
            time: self.began,
            tool: self.tool.clone(),
            policy: self.policy.clone(),
            context: self.context.clone(),
            kernel: self.kernel.clone(),
        }];
        events.extend(self.steps.iter().cloned().map(|step| Event::Done {
            id: step.id,
            action: step.action,
            millis: step.millis,
            notes: step.notes,
        }));
        events.extend(self.failures.iter().map(|failure| {
            let (id, error) = failure.split_once(": ").unwrap_or((failure, ""));
            Event::Failed {
                id: id.to_owned(),
                error: error.to_owned(),
            }
        }));
        if let (Some(time), Some(exit)) = (self.ended, self.exit) {
            events.push(Event::End {
                time,
                changes: self.steps.len(),
                exit,
            });
        }
        events
    }
}

/// Salt and tombstones of the tree: from the journal while building, else from the record.
/// A closed seal vouches for the record alone, so a journal that somebody left or put beside it is no evidence.
pub fn evidence(root: &Root) -> Result<Evidence> {
    let closed = seal::read(root)?.is_some_and(|seal| seal.state == State::Closed);
    if !closed {
        let building = super::journal::evidence(root)?;
        if building.salt.is_some() {
            return Ok(building);
        }
    }
    Ok(
        Record::read(root)?.map_or_else(Evidence::default, |record| Evidence {
            salt: record.salt,
            tombstones: record.tombstones,
        }),
    )
}

fn runs(events: Vec<Event>) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for event in events {
        match (event, runs.last_mut()) {
            (
                Event::Begin {
                    verb,
                    time,
                    tool,
                    policy,
                    context,
                    kernel,
                },
                _,
            ) => runs.push(Run {
                verb,
                began: time,
                ended: None,
                tool,
                policy,
                context,
                kernel,
                exit: None,
                steps: Vec::new(),
                failures: Vec::new(),
            }),
            (
                Event::Done {
                    id,
                    action,
                    millis,
                    notes,
                },
                Some(run),
            ) => {
                run.steps.push(Step {
                    id,
                    action,
                    millis,
                    notes,
                });
            }
            (Event::Failed { id, error }, Some(run)) => run.failures.push(format!("{id}: {error}")),
            (Event::End { time, exit, .. }, Some(run)) => {
                run.ended = Some(time);
                run.exit = Some(exit);
            }
            _ => {}
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_killed_run_has_no_end() {
        let begin = |verb: &str| Event::Begin {
            verb: verb.into(),
            time: 1,
            tool: "0".into(),
            policy: "p".into(),
            context: "root".into(),
            kernel: "k".into(),
        };
        let done = Event::Done {
            id: "file:/a".into(),
            action: "write".into(),
            millis: 2,
            notes: vec![],
        };
        let end = Event::End {
            time: 9,
            changes: 0,
            exit: 0,
        };
        let all = runs(vec![begin("bake"), done, begin("bake"), end]);
        assert_eq!((all[0].ended, all[0].steps.len()), (None, 1));
        assert_eq!((all[1].ended, all[1].exit), (Some(9), Some(0)));
    }

    #[test]
    fn a_record_gives_back_the_journal_that_it_was_folded_from() {
        let dir = tempfile::tempdir().unwrap();
        let root = Root::open(dir.path()).unwrap();
        let run = |verb: &str, ended: Option<u64>, exit| Run {
            verb: verb.into(),
            began: 1,
            ended,
            tool: "0".into(),
            policy: "p".into(),
            context: "c".into(),
            kernel: "k".into(),
            exit,
            steps: vec![Step {
                id: "file:/a".into(),
                action: "write".into(),
                millis: 2,
                notes: vec!["n".into()],
            }],
            failures: vec!["package:x: no: such".into()],
        };
        let record = Record {
            schema: 1,
            salt: Some("aa".into()),
            tombstones: vec![Tombstone {
                kind: "machine-id".into(),
                digest: "1".into(),
            }],
            runs: vec![run("bake", None, None), run("close", Some(9), Some(0))],
            listeners: BTreeSet::new(),
        };
        record.write(&root).unwrap();
        drop(super::super::Journal::build(&root, "other").unwrap());
        assert_eq!(Record::from_journal(&root).unwrap(), record);
        assert_eq!(evidence(&root).unwrap().salt.as_deref(), Some("aa"));
    }
}
