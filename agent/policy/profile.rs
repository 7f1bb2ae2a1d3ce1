//! A profile: which fragments make it up, what it sets, what the machine must be.
//! It is separate because a profile holds no entries and is shaped like nothing else.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};
use toml::de::DeValue;

use super::diagnostic::{Diagnostic, Position};
use super::entry::Requires;
use super::fragment::check_schema;
use super::shape::PROFILE;
use super::source::Source;
use super::syntax::Document;
use super::walk::Walk;

/// A profile file, read and checked by itself.
#[derive(Debug, Default)]
pub(crate) struct Profile {
    /// One sentence.
    pub(crate) description: String,
    /// Whether it was booted on its own OS.
    pub(crate) proven: bool,
    /// What the machine must be; none where it could not be read.
    pub(crate) requires: Option<Requires>,
    /// Names of its fragments and where they are written.
    pub(crate) fragments: Vec<(String, Position)>,
    /// Values of variables and where they are written.
    pub(crate) set: BTreeMap<String, (Json, Position)>,
    /// Mistakes.
    pub(crate) out: Vec<Diagnostic>,
}

impl Profile {
    /// Reads a profile.
    pub(crate) fn parse(source: &Source) -> Self {
        let document = Document::parse(source);
        let mut walk = Walk::new(source, None, document.torn());
        let mut fields = walk.table(&[PROFILE], &document.table, 0..0, "the profile");
        // Told better by the check that fragments share.
        walk.out.retain(|m| !m.message.contains("`schema`"));
        check_schema(&document, &mut walk.out);
        let text =
            |value: Option<&Json>| value.and_then(Json::as_str).unwrap_or_default().to_owned();
        let set = take_table(&mut fields, "set")
            .into_iter()
            .map(|(name, json)| {
                let at = walk.places.get(&format!("key:{name}")).cloned();
                let at = at.unwrap_or_else(|| Position::file(&source.shown));
                (name, (json, at))
            })
            .collect();
        let mut out: Vec<_> = std::mem::take(&mut walk.out);
        out.retain(|mistake| document.trusts(mistake));
        out.extend(document.errors.iter().cloned());
        Self {
            description: text(fields.get("description")),
            proven: fields.get("proven") == Some(&Json::Bool(true)),
            requires: fields
                .remove("requires")
                .and_then(|json| serde_json::from_value(json).ok()),
            fragments: fragments(&document),
            set,
            out,
        }
    }
}

fn take_table(fields: &mut Map<String, Json>, name: &str) -> Map<String, Json> {
    match fields.remove(name) {
        Some(Json::Object(map)) => map,
        _ => Map::new(),
    }
}

fn fragments(document: &Document<'_>) -> Vec<(String, Position)> {
    let Some(DeValue::Array(list)) = document.table.get("fragments").map(toml::Spanned::get_ref)
    else {
        return Vec::new();
    };
    list.iter()
        .filter_map(|node| {
            let name = node.get_ref().as_str()?;
            Some((name.to_owned(), document.source.at(node.span())))
        })
        .collect()
}
