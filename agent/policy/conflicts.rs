//! Entries that cannot stand together: one id twice, two values for one fact, ids that nobody has.
//! It is separate because these rules look at all entries at once.

use std::collections::BTreeMap;

use super::diagnostic::{Diagnostic, Position};
use super::fragment::Draft;
use super::merge::{Merge, Placed, overlap};
use super::nearest::nearest;
use crate::resource::Place;

impl Merge {
    /// Reports entries with one id, and entries that want different values of one fact, at the same place.
    /// Each is compared with those before it and reported once.
    pub(crate) fn disagreements(&mut self) {
        let mut ids: BTreeMap<&str, Vec<&Placed>> = BTreeMap::new();
        let mut facts: BTreeMap<String, Vec<(&Placed, String)>> = BTreeMap::new();
        let mut out = Vec::new();
        for new in &self.entries {
            let same = ids.entry(&new.entry.id).or_default();
            let twice = same
                .iter()
                .find_map(|old| Some(duplicate(old, new, meet(old, new)?)));
            same.push(new);
            if let Some(mistake) = twice {
                out.push(mistake);
                continue;
            }
            for claim in new.entry.resource.claims() {
                let others = facts.entry(claim.fact.clone()).or_default();
                let other = others.iter().find_map(|(old, value)| {
                    let place = meet(old, new).filter(|_| *value != claim.value)?;
                    Some((*old, value, place))
                });
                if let Some((old, value, place)) = other {
                    out.push(disagree(
                        &claim.fact,
                        (old, value),
                        (new, &claim.value),
                        place,
                    ));
                }
                others.push((new, claim.value));
            }
        }
        self.out.append(&mut out);
    }

    /// Reports ids that no entry has.
    pub(crate) fn dangling(&mut self, exceptions: &[Draft]) {
        let mut out = Vec::new();
        for placed in &self.entries {
            for (index, id) in placed.entry.after.iter().enumerate() {
                if !self.has(id) {
                    out.push(self.no_entry(id, placed.draft.place(&format!("after[{index}]"))));
                }
            }
        }
        for draft in exceptions {
            if let Some(id) = draft
                .text("id")
                .filter(|id| !self.has(id) && !id.starts_with("inventory:"))
            {
                out.push(self.no_entry(id, draft.place("id")));
            }
        }
        self.out.append(&mut out);
    }

    fn has(&self, id: &str) -> bool {
        self.ghosts.contains(id) || self.entries.iter().any(|p| p.entry.id == *id)
    }

    fn no_entry(&self, id: &str, at: Position) -> Diagnostic {
        let ids = || self.entries.iter().map(|p| p.entry.id.as_str());
        let tail = id.split_once(':').map_or(id, |(_, tail)| tail);
        let other_kind = || ids().find(|i| i.split_once(':').is_some_and(|(_, t)| t == tail));
        let help = nearest(id, ids()).or_else(other_kind).map_or_else(
            || "an id is KIND:KEY, such as package:chrony; `policy show` lists them".to_owned(),
            |near| format!("did you mean \"{near}\"?"),
        );
        Diagnostic::error(at, format!("no entry of the profile has the id {id:?}")).help(help)
    }
}

fn meet(a: &Placed, b: &Placed) -> Option<Place> {
    overlap(&a.entry, &b.entry)
}

fn duplicate(old: &Placed, new: &Placed, place: Place) -> Diagnostic {
    let help = if old.draft.layer == new.draft.layer {
        "remove one of them, or give them different places"
    } else {
        "to replace the shipped entry, add: override = true"
    };
    let message = format!("{} is there twice at place {}", new.entry.id, place.word());
    Diagnostic::error(key_place(new), message)
        .note(key_place(old), "first here")
        .help(help)
}

fn disagree(fact: &str, old: (&Placed, &str), new: (&Placed, &str), place: Place) -> Diagnostic {
    let (was, wants) = (short(old.1), short(new.1));
    let message = format!(
        "two entries disagree about {fact} at place {}: {was} and {wants}",
        place.word()
    );
    Diagnostic::error(fact_place(new.0, fact), message)
        .note(fact_place(old.0, fact), format!("wants {was}"))
        .help("remove one of them, give them different places, or make them equal")
}

/// A value as it is shown: digests are longer than a line.
fn short(value: &str) -> String {
    let cut: String = value.chars().take(24).collect();
    if cut.len() < value.len() {
        format!("`{cut}…`")
    } else {
        format!("`{value}`")
    }
}

fn fact_place(placed: &Placed, fact: &str) -> Position {
    let key = fact.split_once(':').map_or(fact, |(_, key)| key);
    let at = placed.draft.places.get(&format!("key:{key}"));
    at.cloned().unwrap_or_else(|| key_place(placed))
}

fn key_place(placed: &Placed) -> Position {
    let field = placed.draft.kind.and_then(|k| k.fields.first());
    placed.draft.place(field.map_or("", |f| f.name))
}
