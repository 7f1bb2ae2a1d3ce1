//! Reads a TOML table by a list of fields and collects every mistake with its place.
//! It is separate so that entries, variables, profiles and all that follows are checked by one piece of code.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use serde_json::{Map, Value as Json};
use toml::de::{DeTable, DeValue};

use super::advice::{called, example, fits, repair, wants};
use super::diagnostic::{Diagnostic, Position};
use super::nearest::{list, meant, nearest};
use super::source::Source;
use super::syntax::Node;
use super::variables::Env;
use crate::resource::schema::{Check, Field, Type};

/// One walk over one table.
#[derive(Debug)]
pub(crate) struct Walk<'a> {
    /// The file.
    pub(crate) source: &'a Source,
    /// Variables that may be used; none where texts are taken as they are.
    pub(crate) env: Option<&'a Env>,
    /// Fields whose text is taken as it is all the same.
    pub(crate) literal: &'a [&'a str],
    /// A missing key may only have been lost to a syntax error.
    pub(crate) torn: bool,
    /// Names of variables that were used.
    pub(crate) used: BTreeSet<String>,
    /// Mistakes.
    pub(crate) out: Vec<Diagnostic>,
    /// Places of the values, by field name; of the keys of maps by `key:NAME`.
    pub(crate) places: BTreeMap<String, Position>,
    /// Names of fields whose text held a variable.
    pub(crate) filled: BTreeSet<String>,
    /// A variable without a value was met: what was read is not complete.
    pub(crate) open: bool,
    /// Something that is written was not understood and is missing in what was read.
    pub(crate) lost: bool,
    depth: usize,
}

impl<'a> Walk<'a> {
    /// A walk.
    pub(crate) fn new(source: &'a Source, env: Option<&'a Env>, torn: bool) -> Self {
        Self {
            source,
            env,
            literal: &[],
            torn,
            used: BTreeSet::new(),
            out: Vec::new(),
            places: BTreeMap::new(),
            filled: BTreeSet::new(),
            open: false,
            lost: false,
            depth: 0,
        }
    }

    /// Notes a mistake.
    pub(crate) fn wrong(&mut self, span: Range<usize>, message: String, help: String) {
        let at = self.source.at(span);
        self.out.push(Diagnostic::error(at, message).help(help));
    }

    /// Reads a table; `name` is how it is called in messages.
    pub(crate) fn table(
        &mut self,
        fields: &[&[Field]],
        table: &DeTable<'_>,
        header: Range<usize>,
        name: &str,
    ) -> Map<String, Json> {
        let known = || fields.iter().copied().flatten();
        let mut map = Map::new();
        let mut meant = BTreeSet::new();
        for (key, node) in table {
            let word = key.get_ref().as_ref();
            match known().find(|f| f.name == word) {
                Some(field) => self.field(field, node, &mut map),
                None => meant.extend(self.unknown_key(word, key.span(), known(), name)),
            }
        }
        let lacking =
            |f: &&Field| f.required && !table.contains_key(f.name) && !meant.contains(f.name);
        for field in known().filter(lacking) {
            self.lost = true;
            if !self.torn {
                let message = format!("{name} lacks the key `{}`", field.name);
                let value = example(&field.ty);
                let help = format!("add: {} = {value}  ({})", field.name, field.doc);
                self.wrong(header.clone(), message, help);
            }
        }
        map
    }

    fn field(&mut self, field: &Field, node: &Node<'_>, map: &mut Map<String, Json>) {
        if self.depth == 0 {
            let at = self.source.at(node.span());
            self.places.insert(field.name.to_owned(), at);
            let items = node.get_ref().as_array().into_iter().flat_map(|a| a.iter());
            for (index, item) in items.enumerate() {
                let at = self.source.at(item.span());
                self.places.insert(format!("{}[{index}]", field.name), at);
            }
        }
        self.depth += 1;
        match self.value(field, &field.ty, node) {
            Some(value) => {
                map.insert(field.name.to_owned(), value);
            }
            None => self.lost = true,
        }
        self.depth -= 1;
    }

    /// Reports a key that no field has; gives the field that was meant.
    fn unknown_key<'b>(
        &mut self,
        word: &str,
        span: Range<usize>,
        known: impl Iterator<Item = &'b Field>,
        name: &str,
    ) -> Option<&'b str> {
        self.lost = true;
        let names: Vec<&'b str> = known.map(|f| f.name).collect();
        let near = nearest(word, names.iter().copied());
        let help = near.map_or_else(
            || format!("known keys: {}", list(names.iter().copied())),
            |near| format!("did you mean `{near}`?"),
        );
        self.wrong(span, format!("unknown key `{word}` in {name}"), help);
        near
    }

    fn value(&mut self, field: &Field, ty: &Type, node: &Node<'_>) -> Option<Json> {
        match (ty, node.get_ref()) {
            (Type::Str(check), DeValue::String(text)) => self.string(field, *check, node, text),
            (Type::Enum(words), DeValue::String(text)) => self.word(field, words, node, text),
            (Type::Bool, DeValue::Boolean(value)) => Some(Json::Bool(*value)),
            (Type::Int(low, high), DeValue::Integer(number)) => {
                let value = i64::from_str_radix(number.as_str(), number.radix()).ok();
                self.number(field, (*low, *high), node, value)
            }
            (Type::Bool | Type::Int(..), DeValue::String(text)) if text.contains("${") => {
                self.whole_variable(field, ty, node, text)
            }
            (Type::List(inner), DeValue::Array(_)) => self.list(field, inner, node),
            (Type::Map(check, inner), DeValue::Table(table)) => {
                self.map(field, *check, inner, table)
            }
            (Type::Table(fields), DeValue::Table(table)) => {
                let name = format!("`{}`", field.name);
                Some(Json::Object(self.table(
                    &[fields],
                    table,
                    node.span(),
                    &name,
                )))
            }
            (Type::Either(a, b), found) => {
                let ty = if fits(a, found) { a } else { b };
                self.value(field, ty, node)
            }
            (_, found) => {
                let help = repair(field, ty, found, self.source.slice(node.span()));
                let message = format!(
                    "`{}` must be {}, this is {}",
                    field.name,
                    wants(ty),
                    called(found)
                );
                self.wrong(node.span(), message, help);
                None
            }
        }
    }

    fn string(&mut self, field: &Field, check: Check, node: &Node<'_>, raw: &str) -> Option<Json> {
        let text = self.text(field.name, node.span(), raw)?;
        // A wrong text is kept: what is wrong with the entry as a whole is told in the same run.
        self.check(field.name, check, node.span(), (raw, &text));
        Some(Json::String(text))
    }

    fn word(
        &mut self,
        field: &Field,
        words: &[&'static str],
        node: &Node<'_>,
        raw: &str,
    ) -> Option<Json> {
        let text = self.text(field.name, node.span(), raw)?;
        if words.contains(&text.as_str()) {
            return Some(Json::String(text));
        }
        let known = list(words.iter().copied());
        let help = meant(&text, words.iter().copied(), || {
            format!("right is one of: {known}")
        });
        self.wrong(
            node.span(),
            format!("`{}` cannot be {text:?}", field.name),
            help,
        );
        None
    }

    /// Checks the range of a number.
    pub(crate) fn number(
        &mut self,
        field: &Field,
        (low, high): (i64, i64),
        node: &Node<'_>,
        value: Option<i64>,
    ) -> Option<Json> {
        match value {
            Some(value) if (low..=high).contains(&value) => Some(Json::from(value)),
            _ => {
                self.wrong(
                    node.span(),
                    format!("`{}` is out of range", field.name),
                    format!("right is a whole number from {low} to {high}"),
                );
                None
            }
        }
    }

    fn list(&mut self, field: &Field, inner: &Type, node: &Node<'_>) -> Option<Json> {
        let DeValue::Array(array) = node.get_ref() else {
            return None;
        };
        if let Some(values) = self.list_variable(field, inner, array) {
            return values;
        }
        let count = array.iter().count();
        let values: Vec<Json> = array
            .iter()
            .filter_map(|item| self.value(field, inner, item))
            .collect();
        (values.len() == count).then_some(Json::Array(values))
    }

    fn map(
        &mut self,
        field: &Field,
        check: Check,
        inner: &Type,
        table: &DeTable<'_>,
    ) -> Option<Json> {
        let mut map = Map::new();
        for (key, node) in table {
            let word = key.get_ref().as_ref();
            self.places
                .insert(format!("key:{word}"), self.source.at(key.span()));
            if let Err(advice) = check.test(word) {
                let dots = check == Check::SysctlKey && node.get_ref().is_table();
                let quotes = if dots { ", in quotes" } else { "" };
                let message = format!("a key of `{}` cannot be {word:?}", field.name);
                self.wrong(key.span(), message, format!("right is {advice}{quotes}"));
                continue;
            }
            let named = Field::optional("", *inner, field.doc);
            if let Some(value) = self.value_named(word, &named, node) {
                map.insert(word.to_owned(), value);
            }
        }
        (map.len() == table.len()).then_some(Json::Object(map))
    }

    fn value_named(&mut self, name: &str, field: &Field, node: &Node<'_>) -> Option<Json> {
        match (&field.ty, node.get_ref()) {
            (Type::Table(fields), DeValue::Table(table)) => {
                let before = self.out.len();
                let map = self.table(&[fields], table, node.span(), &format!("`{name}`"));
                (self.out.len() == before).then_some(Json::Object(map))
            }
            _ => self.value(field, &field.ty, node),
        }
    }
}
