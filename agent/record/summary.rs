//! bake-record.json: the journal folded into one file that stays in the image.
//! It is separate because nodes read it: their identity is compared with its tombstones.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::journal::{Event, events, fold};
use super::runs::{Run, runs};
use super::seal::{self, State};
use super::{DIR, RECORD};
use crate::error::{Context as _, Result};
use crate::host::root::{Attr, Root};
use crate::host::{Evidence, Tombstone};

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

#[cfg(test)]
mod tests {
    use super::super::runs::Step;
    use super::*;

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
            skip: vec!["unit:a".into()],
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
