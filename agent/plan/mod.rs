//! The plan: entries and one observation in, differences and ordered steps out. Pure: nothing here touches a host.
//! It is separate because a plan without effects can be tested with plain tables and shown before anything happens.

pub mod show;

use serde::Serialize;

use crate::error::{Error, Result};
use crate::observe::Observation;
use crate::policy::{Entry, Policy};
use crate::resource::{Action, Diff, Difference, ENTRY, Observed, Phase, Place, Remark};

/// Which entries a verb works on.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// Only these phases; empty: all.
    pub phases: Vec<Phase>,
    /// Not these ids, kinds or `kind:` prefixes.
    pub skip: Vec<String>,
}

impl Scope {
    /// Whether an entry is in the scope.
    pub fn holds(&self, entry: &Entry) -> bool {
        let phase = entry.resource.phase();
        let skipped = self
            .skip
            .iter()
            .any(|word| *word == entry.id || word == entry.resource.kind());
        (self.phases.is_empty() || self.phases.contains(&phase)) && !skipped
    }

    /// What is not in it, in words; empty when all is.
    pub fn left_out(&self) -> Vec<String> {
        let phases = Phase::ALL.iter();
        let others = phases.filter(|p| !self.phases.is_empty() && !self.phases.contains(p));
        others
            .map(|phase| format!("phase {}", phase.word()))
            .chain(self.skip.iter().cloned())
            .collect()
    }

    /// Words of `--skip` that name no entry and no kind: most likely typing errors.
    pub fn unknown_skips<'s>(&'s self, policy: &Policy) -> Vec<&'s str> {
        let known = |word: &str| {
            policy
                .entries
                .iter()
                .any(|entry| entry.id == word || entry.resource.kind() == word)
        };
        self.skip
            .iter()
            .map(String::as_str)
            .filter(|word| !known(word))
            .collect()
    }
}

/// What was judged of one entry.
#[derive(Debug, Clone, Serialize)]
pub struct Item {
    /// Index of the entry in the policy.
    #[serde(skip)]
    pub index: usize,
    /// The entry's id.
    pub id: String,
    /// Phase in which it is worked on.
    pub phase: Phase,
    /// The entry's reason.
    pub reason: String,
    /// Where the entry stands in the policy.
    pub origin: String,
    /// false: reported, never changed.
    pub enforce: bool,
    /// What differs, is not applicable or unknown.
    #[serde(skip)]
    pub diff: Diff<Action>,
    /// Differences, for readers of the JSON.
    pub differences: Vec<Difference>,
    /// Parts that are configured and take effect at the next boot.
    pub reboot: Vec<Remark>,
    /// Parts that do not exist here.
    pub not_applicable: Vec<Remark>,
    /// Parts that could not be judged.
    pub could_not_check: Vec<Remark>,
    /// The steps, as text.
    pub steps: Vec<String>,
    /// Entries with pending steps that bring what this one needs.
    pub after: Vec<String>,
}

/// How an item ended. One rule for plan, manifest and verify.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// As wanted.
    Conforms,
    /// Not as wanted.
    Differs,
    /// A part could not be judged.
    Unknown,
    /// Configured; a part of it takes effect at the next boot.
    Reboot,
    /// There is no such fact here: nothing was looked at.
    NotApplicable,
}

impl Item {
    /// How it ended. What is required must be known as a whole; of what is only reported, a known difference counts.
    pub fn ended(&self) -> Ended {
        let unknown = !self.could_not_check.is_empty();
        let differs = !self.differences.is_empty();
        match (unknown, differs) {
            (true, false) => Ended::Unknown,
            (true, true) if self.enforce => Ended::Unknown,
            (_, true) => Ended::Differs,
            (false, false) if !self.reboot.is_empty() => Ended::Reboot,
            (false, false) if self.not_applicable.iter().any(|r| r.what == ENTRY) => {
                Ended::NotApplicable
            }
            (false, false) => Ended::Conforms,
        }
    }
}

/// How many items ended how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// As wanted.
    pub conforms: usize,
    /// Not as wanted.
    pub differs: usize,
    /// Configured, and waiting for a boot.
    pub reboot: usize,
    /// Could not be judged.
    pub could_not_check: usize,
    /// No such fact here.
    pub not_applicable: usize,
}

/// Judged entries in the order of work.
#[derive(Debug, Clone, Serialize)]
pub struct Plan {
    /// The place that was judged for.
    pub place: Place,
    /// One item an entry that was observed.
    pub items: Vec<Item>,
}

impl Plan {
    /// Judges what was observed for one place.
    pub fn new(policy: &Policy, seen: &Observation, place: Place) -> Self {
        let entries = policy.entries.iter().enumerate();
        let mut items: Vec<Item> = entries
            .filter(|(_, entry)| entry.at(place))
            .filter_map(|(index, entry)| Some(item(index, entry, seen.of(index)?, place)))
            .collect();
        items.sort_by_key(|item| (item.phase, item.index));
        let pending: Vec<String> = items
            .iter()
            .filter(|i| !i.steps.is_empty())
            .map(|i| i.id.clone())
            .collect();
        for item in &mut items {
            let entry = policy.entries.get(item.index);
            item.after = entry.map(|e| e.after.clone()).unwrap_or_default();
            item.after.retain(|id| pending.contains(id));
        }
        Self { place, items }
    }

    /// How many items ended how.
    pub fn tally(&self) -> Tally {
        let count = |how| self.items.iter().filter(|i| i.ended() == how).count();
        Tally {
            conforms: count(Ended::Conforms),
            differs: count(Ended::Differs),
            reboot: count(Ended::Reboot),
            could_not_check: count(Ended::Unknown),
            not_applicable: count(Ended::NotApplicable),
        }
    }

    /// Number of steps that would be done.
    pub fn changes(&self) -> usize {
        self.items.iter().map(|item| item.steps.len()).sum()
    }

    /// Items that do not conform, whether or not something can be done about it.
    pub fn open(&self) -> impl Iterator<Item = &Item> {
        self.items.iter().filter(|item| !item.diff.conforms())
    }

    /// Items with a part that waits for a boot.
    pub fn waiting(&self) -> impl Iterator<Item = &Item> {
        self.items.iter().filter(|item| !item.reboot.is_empty())
    }

    /// Items of one phase that have steps.
    pub fn steps_in(&self, phase: Phase) -> impl Iterator<Item = &Item> {
        self.items
            .iter()
            .filter(move |item| item.phase == phase && !item.diff.actions.is_empty())
    }
}

fn item(index: usize, entry: &Entry, seen: &Result<Observed>, place: Place) -> Item {
    let mut diff = match seen {
        Ok(observed) => entry.resource.diff(observed, place),
        Err(error) => could_not_look(error),
    };
    if !entry.enforce {
        diff.actions.clear();
        // What is only reported stops no work.
        diff.overdue();
    }
    Item {
        index,
        id: entry.id.clone(),
        phase: entry.resource.phase(),
        reason: entry.reason.clone(),
        origin: entry.origin.clone(),
        enforce: entry.enforce,
        differences: diff.differences.clone(),
        reboot: diff.reboot.clone(),
        not_applicable: diff.not_applicable.clone(),
        could_not_check: diff.unknown.clone(),
        steps: diff.actions.iter().map(ToString::to_string).collect(),
        diff,
        after: Vec::new(),
    }
}

/// The reason, and what a person can do about it.
fn could_not_look(error: &Error) -> Diff<Action> {
    let mut diff = Diff::default();
    let next = error.next_step().map(|next| format!(" (next: {next})"));
    diff.unknown("observation", error.one_line() + &next.unwrap_or_default());
    diff
}

#[cfg(test)]
mod tests;
