//! Drafts become entries; entries of all fragments become one list in which no two disagree.
//! It is separate from reading because these rules are about entries together.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json};

use super::diagnostic::Diagnostic;
use super::entry::{Entry, Exception, InventoryRules};
use super::fragment::{Draft, State};
use crate::resource::schema::COMMON;
use crate::resource::{KindInfo, Place, Resource};

/// An entry that still knows where it was written.
#[derive(Debug)]
pub(crate) struct Placed {
    /// The entry.
    pub(crate) entry: Entry,
    /// What it was read from.
    pub(crate) draft: Draft,
    /// It replaces one below.
    pub(crate) overrides: bool,
}

/// Entries so far, ids that exist even so, and mistakes.
#[derive(Debug, Default)]
pub(crate) struct Merge {
    /// Entries in order.
    pub(crate) entries: Vec<Placed>,
    /// Ids of entries that could not be built.
    pub(crate) ghosts: BTreeSet<String>,
    /// Mistakes.
    pub(crate) out: Vec<Diagnostic>,
}

impl Merge {
    /// Builds an entry and adds it; overrides wait for [`Merge::overrides`].
    pub(crate) fn add(&mut self, draft: Draft) {
        let ghost = ghost_id(&draft);
        match self.build(draft) {
            Some(placed) => self.entries.push(placed),
            None => self.ghosts.extend(ghost),
        }
    }

    /// Builds an entry. One with mistakes is only asked what is wrong with it as a whole.
    fn build(&mut self, mut draft: Draft) -> Option<Placed> {
        let kind = draft.kind?;
        if matches!(draft.state, State::Open | State::Broken) {
            return None;
        }
        let mut fields = std::mem::take(&mut draft.fields);
        let common: Map<String, Json> = COMMON
            .iter()
            .filter_map(|f| fields.remove_entry(f.name))
            .collect();
        fields.insert("kind".to_owned(), Json::String(kind.name.to_owned()));
        let resource: Resource = match serde_json::from_value(Json::Object(fields)) {
            Ok(resource) => resource,
            Err(_) if draft.state != State::Sound => return None,
            Err(error) => {
                let message = format!("this entry cannot be understood: {error}");
                let help = "the tool's own description of this kind is wrong; please report it";
                self.out
                    .push(Diagnostic::error(draft.at.clone(), message).help(help));
                return None;
            }
        };
        let faults = resource.faults();
        for fault in &faults {
            let at = draft.place(fault.field);
            self.out
                .push(Diagnostic::error(at, fault.message.clone()).help(fault.help.clone()));
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
        (faults.is_empty() && draft.state == State::Sound).then_some(Placed {
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
}

/// Exceptions as data.
pub(crate) fn exceptions(drafts: Vec<Draft>) -> Vec<Exception> {
    drafts
        .into_iter()
        .filter_map(|d| serde_json::from_value(Json::Object(d.fields)).ok())
        .collect()
}

/// Adds what a fragment says may appear on a node.
pub(crate) fn add_rules(rules: &mut InventoryRules, found: &Map<String, Json>) {
    for word in words(found.get("may-add-accounts")) {
        if !rules.may_add_accounts.contains(&word) {
            rules.may_add_accounts.push(word);
        }
    }
    for word in words(found.get("may-enable-units")) {
        if !rules.may_enable_units.contains(&word) {
            rules.may_enable_units.push(word);
        }
    }
    for word in words(found.get("exclusive-units")) {
        if !rules.exclusive_units.contains(&word) {
            rules.exclusive_units.push(word);
        }
    }
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

/// A place where both are expected.
pub(crate) fn overlap(a: &Entry, b: &Entry) -> Option<Place> {
    a.places.iter().copied().find(|p| b.at(*p))
}
