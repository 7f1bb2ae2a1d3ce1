//! Drafts become entries; entries of all fragments become one list in which no two disagree.
//! It is separate from reading because these rules are about entries together.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json};

use super::diagnostic::{Diagnostic, Position};
use super::entry::{Entry, Exception};
use super::fragment::{Draft, State};
use super::nearest::nearest;
use crate::resource::schema::COMMON;
use crate::resource::{KindInfo, Place, Resource};

/// An entry that still knows where it was written.
#[derive(Debug)]
pub(crate) struct Placed {
    /// The entry.
    pub(crate) entry: Entry,
    draft: Draft,
    overrides: bool,
}

/// Entries so far, ids that exist even so, and mistakes.
#[derive(Debug, Default)]
pub(crate) struct Merge {
    /// Entries in order.
    pub(crate) entries: Vec<Placed>,
    /// Ids of entries that could not be built.
    ghosts: BTreeSet<String>,
    /// Mistakes.
    pub(crate) out: Vec<Diagnostic>,
}

impl Merge {
    /// Builds an entry and adds it; overrides wait for [`Merge::overrides`].
    pub(crate) fn add(&mut self, draft: Draft) {
        let ghost = ghost_id(&draft);
        if draft.state == State::Sound
            && let Some(placed) = self.build(draft)
        {
            self.entries.push(placed);
        } else {
            self.ghosts.extend(ghost);
        }
    }

    fn build(&mut self, mut draft: Draft) -> Option<Placed> {
        let kind = draft.kind?;
        let mut fields = std::mem::take(&mut draft.fields);
        let common: Map<String, Json> = COMMON
            .iter()
            .filter_map(|f| fields.remove_entry(f.name))
            .collect();
        fields.insert("kind".to_owned(), Json::String(kind.name.to_owned()));
        let resource: Resource = match serde_json::from_value(Json::Object(fields)) {
            Ok(resource) => resource,
            Err(error) => {
                let message = format!("this entry cannot be understood: {error}");
                self.out
                    .push(Diagnostic::error(draft.at.clone(), message).help(
                        "the tool's own description of this kind is wrong; please report it",
                    ));
                return None;
            }
        };
        let faults = resource.faults();
        for fault in &faults {
            self.out.push(
                Diagnostic::error(draft.place(fault.field), fault.message.clone())
                    .help(fault.help.clone()),
            );
        }
        let places = self.places(&common, &draft, kind)?;
        let text = |name: &str| common.get(name).and_then(Json::as_str);
        let flag = |name: &str| common.get(name).and_then(Json::as_bool);
        let entry = Entry {
            id: resource.id(),
            reason: text("reason").unwrap_or_default().to_owned(),
            places,
            enforce: flag("enforce").unwrap_or(true),
            after: words(common.get("after")),
            origin: draft.at.origin(),
            overrides: None,
            resource,
        };
        faults.is_empty().then_some(Placed {
            entry,
            overrides: flag("override").unwrap_or(false),
            draft,
        })
    }

    fn places(
        &mut self,
        common: &Map<String, Json>,
        draft: &Draft,
        kind: &KindInfo,
    ) -> Option<Vec<Place>> {
        let Some(json) = common.get("place") else {
            return Some(kind.places.to_vec());
        };
        let mut list: Vec<Place> = serde_json::from_value(json.clone()).unwrap_or_default();
        list.sort_unstable();
        list.dedup();
        if list.is_empty() {
            self.out.push(
                Diagnostic::error(draft.place("place"), "`place` is empty")
                    .help("name at least one of build, image, node; or leave it out"),
            );
            return None;
        }
        Some(list)
    }

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

    /// Reports entries with one id, and entries that want different values of one fact, at the same place.
    pub(crate) fn disagreements(&mut self) {
        let mut facts: BTreeMap<String, Vec<(usize, String)>> = BTreeMap::new();
        let mut ids: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (index, placed) in self.entries.iter().enumerate() {
            ids.entry(&placed.entry.id).or_default().push(index);
            for claim in placed.entry.resource.claims() {
                facts
                    .entry(claim.fact)
                    .or_default()
                    .push((index, claim.value));
            }
        }
        let mut out = Vec::new();
        for (id, list) in ids {
            self.pairs(&list, |a, b, place| out.push(duplicate(id, a, b, place)));
        }
        for (fact, list) in facts {
            let value = |index: usize| list.iter().find(|(i, _)| *i == index).map(|(_, v)| v);
            let indexes: Vec<usize> = list.iter().map(|(i, _)| *i).collect();
            self.pairs(&indexes, |a, b, place| {
                let (va, vb) = (value(a.index), value(b.index));
                if va != vb && a.placed.entry.id != b.placed.entry.id {
                    out.push(disagree(&fact, (a.placed, va), (b.placed, vb), place));
                }
            });
        }
        self.out.append(&mut out);
    }

    fn pairs(&self, list: &[usize], mut each: impl FnMut(Indexed<'_>, Indexed<'_>, Place)) {
        let get = |index: usize| {
            self.entries
                .get(index)
                .map(|placed| Indexed { index, placed })
        };
        for (number, second) in list.iter().enumerate() {
            for first in list.iter().take(number) {
                let (Some(a), Some(b)) = (get(*first), get(*second)) else {
                    continue;
                };
                if let Some(place) = overlap(&a.placed.entry, &b.placed.entry) {
                    each(a, b, place);
                }
            }
        }
    }

    /// Reports ids that no entry has.
    pub(crate) fn dangling(&mut self, exceptions: &[Draft]) {
        let mut out = Vec::new();
        for placed in &self.entries {
            for id in placed.entry.after.iter().filter(|id| !self.has(id)) {
                out.push(self.no_entry(id, placed.draft.place("after")));
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

#[derive(Clone, Copy)]
struct Indexed<'a> {
    index: usize,
    placed: &'a Placed,
}

/// Exceptions as data.
pub(crate) fn exceptions(drafts: Vec<Draft>) -> Vec<Exception> {
    drafts
        .into_iter()
        .filter_map(|d| serde_json::from_value(Json::Object(d.fields)).ok())
        .collect()
}

/// The texts of a list.
pub(crate) fn words(json: Option<&Json>) -> Vec<String> {
    let list = json.and_then(Json::as_array).into_iter().flatten();
    list.filter_map(|j| j.as_str().map(str::to_owned)).collect()
}

fn ghost_id(draft: &Draft) -> Option<String> {
    let kind = draft.kind?;
    let key = draft.text(kind.fields.first()?.name)?;
    Some(format!("{}:{key}", kind.name))
}

fn overlap(a: &Entry, b: &Entry) -> Option<Place> {
    a.places.iter().copied().find(|p| b.at(*p))
}

fn duplicate(id: &str, a: Indexed<'_>, b: Indexed<'_>, place: Place) -> Diagnostic {
    let above = a.placed.draft.layer != b.placed.draft.layer;
    let help = if above {
        "to replace the entry below, add: override = true"
    } else {
        "remove one of them, or give them different places"
    };
    Diagnostic::error(
        key_place(b.placed),
        format!("{id} is there twice at place {}", place.word()),
    )
    .note(key_place(a.placed), "first here")
    .help(help)
}

fn disagree(
    fact: &str,
    (a, wants_a): (&Placed, Option<&String>),
    (b, wants_b): (&Placed, Option<&String>),
    place: Place,
) -> Diagnostic {
    let show = |value: Option<&String>| value.cloned().unwrap_or_default();
    let message = format!(
        "two entries disagree about {fact} at place {}: {:?} and {:?}",
        place.word(),
        show(wants_a),
        show(wants_b)
    );
    Diagnostic::error(fact_place(b, fact), message)
        .note(fact_place(a, fact), format!("wants {:?}", show(wants_a)))
        .help("remove one of them, give them different places, or make them equal")
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
