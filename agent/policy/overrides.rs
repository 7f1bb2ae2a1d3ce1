//! Site entries that replace shipped ones.
//! It is separate because only here the layer of an entry matters.

use std::collections::BTreeSet;

use super::diagnostic::Diagnostic;
use super::merge::{Merge, Placed, overlap};
use super::nearest::nearest;
use crate::resource::Place;

impl Merge {
    /// Lets site entries replace those below them.
    pub(crate) fn overrides(&mut self) {
        let (mut over, kept): (Vec<_>, Vec<_>) = std::mem::take(&mut self.entries)
            .into_iter()
            .partition(|p| p.overrides);
        self.entries = kept;
        over.sort_by_key(|p| p.draft.layer);
        for placed in over {
            self.replace(placed);
        }
    }

    fn replace(&mut self, mut new: Placed) {
        let hits = |old: &Placed| {
            old.entry.id == new.entry.id
                && old.draft.layer < new.draft.layer
                && overlap(&old.entry, &new.entry).is_some()
        };
        let Some(first) = self.entries.iter().position(&hits) else {
            if !self.ghosts.contains(&new.entry.id) {
                let mistake = self.no_target(&new);
                self.out.push(mistake);
            }
            return;
        };
        let mut rest: Vec<Placed> = Vec::new();
        let mut lost: BTreeSet<Place> = BTreeSet::new();
        let mut origin = None;
        for old in std::mem::take(&mut self.entries) {
            if hits(&old) {
                lost.extend(old.entry.places.iter().filter(|p| !new.entry.at(**p)));
                origin = origin.or(Some(old.entry.origin));
            } else {
                rest.push(old);
            }
        }
        if !lost.is_empty() {
            let words: Vec<&str> = lost.iter().map(|p| p.word()).collect();
            let message = format!(
                "this override leaves nothing expected of {} at {}",
                new.entry.id,
                words.join(", ")
            );
            let help = "add these places, or a second override for them, if that is not meant";
            self.out
                .push(Diagnostic::warning(new.draft.place("place"), message).help(help));
        }
        new.entry.overrides = origin;
        rest.insert(first.min(rest.len()), new);
        self.entries = rest;
    }

    fn no_target(&self, new: &Placed) -> Diagnostic {
        let id = &new.entry.id;
        let ids = self.entries.iter().map(|p| p.entry.id.as_str());
        let same = self.entries.iter().find(|p| p.entry.id == *id);
        let help = match (same, nearest(id, ids)) {
            (Some(other), _) if other.draft.layer >= new.draft.layer => {
                "the entry with this id is in the same folder: edit it there".to_owned()
            }
            (Some(_), _) => "the entry with this id is expected at other places".to_owned(),
            (None, Some(near)) => format!("did you mean {near}?"),
            (None, None) => "remove `override` to add a new entry".to_owned(),
        };
        let at = new.draft.place("override");
        Diagnostic::error(at, format!("there is no {id} to override")).help(help)
    }
}
