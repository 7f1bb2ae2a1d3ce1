//! One fragment: its head, the variables it declares, and drafts of its entries.
//! It is separate from merging because a fragment is right or wrong by itself before it meets others.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use serde_json::{Map, Value as Json};
use toml::de::{DeTable, DeValue};

use super::diagnostic::{Diagnostic, Position};
use super::nearest::{list, meant};
use super::shape::{EXCEPTION, INVENTORY, SCHEMA};
use super::source::Source;
use super::syntax::{Document, Node};
use super::variables::{Env, Known};
use super::walk::Walk;
use crate::resource::schema::COMMON;
use crate::resource::{KINDS, KindInfo};

/// How far an entry could be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Completely.
    Sound,
    /// But for variables without a value.
    Open,
    /// With mistakes, but nothing that is written is missing.
    Flawed,
    /// With mistakes.
    Broken,
}

/// A table of a fragment, read and checked by itself.
#[derive(Debug)]
pub(crate) struct Draft {
    /// Its kind; none for an exception.
    pub(crate) kind: Option<&'static KindInfo>,
    /// Its values.
    pub(crate) fields: Map<String, Json>,
    /// Where they are.
    pub(crate) places: BTreeMap<String, Position>,
    /// Fields that held a variable.
    pub(crate) filled: BTreeSet<String>,
    /// Where its header is.
    pub(crate) at: Position,
    /// Layer of its fragment.
    pub(crate) layer: usize,
    /// How far it could be read.
    pub(crate) state: State,
}

impl Draft {
    /// A value that is a text.
    pub(crate) fn text(&self, field: &str) -> Option<&str> {
        self.fields.get(field)?.as_str()
    }

    /// Where a value is, or else the header.
    pub(crate) fn place(&self, field: &str) -> Position {
        self.places.get(field).unwrap_or(&self.at).clone()
    }
}

/// A fragment with its head read.
#[derive(Debug)]
pub(crate) struct Fragment<'a> {
    /// Layer that it comes from.
    pub(crate) layer: usize,
    /// Its text and tables.
    pub(crate) document: Document<'a>,
    /// Variables that it declares.
    pub(crate) declared: BTreeMap<String, Known>,
    /// All its tables were understood.
    pub(crate) whole: bool,
    /// Mistakes in its head.
    pub(crate) out: Vec<Diagnostic>,
}

/// What a fragment holds under an environment.
#[derive(Debug, Default)]
pub(crate) struct Content {
    /// Entries, in the order of the file.
    pub(crate) entries: Vec<Draft>,
    /// Exceptions.
    pub(crate) exceptions: Vec<Draft>,
    /// Inventory rules.
    pub(crate) inventory: Map<String, Json>,
    /// Variables that were used.
    pub(crate) used: BTreeSet<String>,
    /// Mistakes.
    pub(crate) out: Vec<Diagnostic>,
}

const SECTIONS: &[&str] = &["schema", "variables", "exception", "inventory"];

impl<'a> Fragment<'a> {
    /// Parses a fragment and reads its head.
    pub(crate) fn parse(layer: usize, source: &'a Source) -> Self {
        let document = Document::parse(source);
        let mut fragment = Self {
            layer,
            declared: BTreeMap::new(),
            whole: document.whole(),
            out: Vec::new(),
            document,
        };
        check_schema(&fragment.document, &mut fragment.out);
        fragment.sections();
        fragment.variables();
        let Fragment { document, out, .. } = &mut fragment;
        out.retain(|mistake| document.trusts(mistake));
        out.extend(document.errors.iter().cloned());
        fragment
    }

    fn source(&self) -> &'a Source {
        self.document.source
    }

    fn sections(&mut self) {
        let known = || SECTIONS.iter().copied().chain(KINDS.iter().map(|k| k.name));
        for (key, node) in &self.document.table {
            let word = key.get_ref().as_ref();
            let at = self.source().at(key.span());
            if !known().any(|k| k == word) {
                self.whole = false;
                let kinds = list(KINDS.iter().map(|k| k.name));
                let help = meant(word, known(), || {
                    format!(
                        "entries are [[…]] tables of these kinds: {kinds}; beside them [variables.NAME], [[exception]], [inventory]"
                    )
                });
                self.out.push(
                    Diagnostic::error(at, format!("unknown table or key `{word}`")).help(help),
                );
                continue;
            }
            let right = match word {
                "schema" => true,
                "variables" | "inventory" => node.get_ref().is_table(),
                _ => is_tables(node),
            };
            if !right {
                self.whole = false;
                let shape = match word {
                    "variables" => "[variables.NAME]".to_owned(),
                    "inventory" => "[inventory]".to_owned(),
                    _ => format!("[[{word}]], with two brackets, once for each entry"),
                };
                let at = self.source().at(node.span());
                self.out.push(
                    Diagnostic::error(at, format!("`{word}` has the wrong shape"))
                        .help(format!("write {shape}")),
                );
            }
        }
    }

    /// Reads entries, exceptions and inventory rules under an environment.
    pub(crate) fn content(&self, env: &Env) -> Content {
        let mut content = Content::default();
        let mut headers = Vec::new();
        for (key, node) in &self.document.table {
            let word = key.get_ref().as_ref();
            let kind = KINDS.iter().find(|k| k.name == word);
            match node.get_ref() {
                DeValue::Array(array) if kind.is_some() || word == "exception" => {
                    let tables = array
                        .iter()
                        .filter_map(|n| Some((n, n.get_ref().as_table()?)));
                    headers.extend(tables.map(|(n, table)| (n.span(), kind, table)));
                }
                DeValue::Table(table) if word == "inventory" => {
                    let mut walk = Walk::new(self.source(), Some(env), self.document.torn());
                    content.inventory = walk.table(&[INVENTORY], table, node.span(), "[inventory]");
                    content.used.append(&mut walk.used);
                    content.out.append(&mut walk.out);
                }
                _ => {}
            }
        }
        headers.sort_by_key(|(span, ..)| span.start);
        for (span, kind, table) in headers {
            self.draft(env, (span, kind, table), &mut content);
        }
        content.out.retain(|mistake| self.document.trusts(mistake));
        content
    }

    fn draft(
        &self,
        env: &Env,
        (span, kind, table): (Range<usize>, Option<&'static KindInfo>, &DeTable<'_>),
        content: &mut Content,
    ) {
        let mut walk = Walk::new(self.source(), Some(env), self.document.torn());
        let name = kind.map_or("exception", |k| k.name);
        let templated = table.get("template").and_then(|n| n.get_ref().as_bool());
        if name == "file" {
            walk.literal = if templated == Some(true) {
                &["source"]
            } else {
                &["source", "content"]
            };
        }
        let shape = kind.map_or([EXCEPTION, &[]], |k| [k.fields, COMMON]);
        let fields = walk.table(&shape, table, span.clone(), &format!("[[{name}]]"));
        let state = match (walk.out.is_empty(), walk.open, walk.lost) {
            (true, false, false) => State::Sound,
            (true, true, _) => State::Open,
            (false, false, false) => State::Flawed,
            _ => State::Broken,
        };
        let draft = Draft {
            kind,
            fields,
            places: walk.places,
            filled: walk.filled,
            at: self.source().at(span),
            layer: self.layer,
            state,
        };
        content.out.append(&mut walk.out);
        content.used.append(&mut walk.used);
        match kind {
            Some(_) => content.entries.push(draft),
            None => content.exceptions.push(draft),
        }
    }
}

fn is_tables(node: &Node<'_>) -> bool {
    node.get_ref()
        .as_array()
        .is_some_and(|list| list.iter().all(|n| n.get_ref().is_table()))
}

/// Every file names the version of the format.
pub(crate) fn check_schema(document: &Document<'_>, out: &mut Vec<Diagnostic>) {
    let source = document.source;
    let Some(node) = document.table.get("schema") else {
        let mistake = Diagnostic::error(source.at(0..0), "the file lacks the key `schema`")
            .help("begin the file with the line: schema = 1");
        out.extend((!document.torn()).then_some(mistake));
        return;
    };
    let version = node.get_ref().as_integer().map(ToString::to_string);
    if version != Some(SCHEMA.to_string()) {
        let at = source.at(node.span());
        let message = format!("schema {} is not known here", source.slice(node.span()));
        out.push(Diagnostic::error(at, message).help("this version reads: schema = 1"));
    }
}
