//! The only read loop: looks at every entry and keeps per entry what was seen or why it could not be.
//! It is separate so that plan, manifest and verify all judge the very same observation.

pub mod facts;
pub mod inventory;

use std::collections::BTreeMap;

use crate::error::Error;
use crate::host::Host;
use crate::policy::Entry;
use crate::resource::Observed;

/// What one pass saw: by entry index in the policy, the fact or the reason why it could not be looked at.
#[derive(Debug, Default)]
pub struct Observation {
    seen: BTreeMap<usize, Result<Observed, Error>>,
}

impl Observation {
    /// What was seen of the entry at this index; none when the entry was not asked for.
    pub fn of(&self, index: usize) -> Option<&Result<Observed, Error>> {
        self.seen.get(&index)
    }

    /// How many entries were looked at.
    pub fn len(&self) -> usize {
        self.seen.len()
    }

    /// Nothing was looked at.
    pub fn is_empty(&self) -> bool {
        self.seen.is_empty()
    }
}

/// Looks at the entries that `wanted` picks; an entry that cannot be looked at never stops the rest.
pub fn observe(entries: &[Entry], wanted: impl Fn(&Entry) -> bool, host: &Host) -> Observation {
    let seen = entries
        .iter()
        .enumerate()
        .filter(|(_, entry)| wanted(entry))
        .map(|(index, entry)| (index, entry.resource.observe(host)))
        .collect();
    Observation { seen }
}
