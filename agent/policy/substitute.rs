//! Puts the values of variables where `${name}` stands.
//! It is separate from the walk because a variable's own type decides what it may fill.

use std::ops::Range;

use serde_json::Value as Json;
use toml::de::{DeArray, DeValue};

use super::advice::wants;
use super::diagnostic::Diagnostic;
use super::nearest::{list, nearest};
use super::syntax::Node;
use super::variables::{Known, Piece, Value, VarType, pieces};
use super::walk::Walk;
use crate::resource::schema::{Check, Field, Type};

const NO_NAME: &str =
    "a variable is written ${name}, in lower case; for the characters themselves write $${";

impl Walk<'_> {
    /// The text with its variables replaced; none after a mistake or when a variable has no value.
    pub(crate) fn text(&mut self, field: &str, span: Range<usize>, raw: &str) -> Option<String> {
        if self.env.is_none() || self.literal.contains(&field) || !raw.contains("${") {
            return Some(raw.to_owned());
        }
        self.filled.insert(field.to_owned());
        let mut text = String::with_capacity(raw.len());
        let mut complete = true;
        for piece in pieces(raw) {
            let value = match piece {
                Piece::Text(plain) => Some(plain.to_owned()),
                Piece::Variable(name, offset) => self.scalar(name, &span, offset),
                Piece::Bad(part, offset) => {
                    let at = self.inside(&span, part, offset);
                    let message = "a `${` that names no variable".to_owned();
                    self.wrong(at, message, NO_NAME.to_owned());
                    None
                }
            };
            complete &= value.is_some();
            text.push_str(&value.unwrap_or_default());
        }
        complete.then_some(text)
    }

    /// The variables with a value in a text.
    pub(crate) fn values(&self, raw: &str) -> Vec<(String, Known)> {
        let mut list = Vec::new();
        for piece in pieces(raw) {
            if let (Piece::Variable(name, _), Some(env)) = (piece, self.env) {
                list.extend(env.known.get(name).map(|k| (name.to_owned(), k.clone())));
            }
        }
        list
    }

    /// The value of a variable inside a text.
    fn scalar(&mut self, name: &str, span: &Range<usize>, offset: usize) -> Option<String> {
        let at = self.inside(span, &format!("${{{name}}}"), offset);
        let known = self.variable(name, at.clone())?;
        if known.kind == VarType::List {
            self.wrong(
                at,
                format!("`{name}` is a list and cannot stand inside a text"),
                format!("a list variable fills a whole list: [\"${{{name}}}\"]"),
            );
            return None;
        }
        known.value.as_ref().map(Value::text)
    }

    /// Checks a text and says where it comes from when variables made it what it is.
    pub(crate) fn check(
        &mut self,
        name: &str,
        check: Check,
        span: Range<usize>,
        (raw, text): (&str, &str),
    ) -> bool {
        let Err(advice) = check.test(text) else {
            return true;
        };
        let at = self.source.at(span);
        let mut mistake = Diagnostic::error(at, format!("`{name}` cannot be {text:?}"))
            .help(format!("right is {advice}"));
        for (variable, known) in self.values(raw) {
            let at = known.set.as_ref().unwrap_or(&known.declared);
            mistake = mistake.note(at.clone(), format!("`{variable}` has its value from here"));
        }
        self.out.push(mistake);
        false
    }

    /// Looks up a variable and notes its use; a mistake when it is not declared.
    fn variable(&mut self, name: &str, at: Range<usize>) -> Option<Known> {
        let env = self.env?;
        if let Some(known) = env.known.get(name) {
            self.used.insert(name.to_owned());
            self.open |= known.value.is_none();
            return Some(known.clone());
        }
        let help = if let Some(file) = env.elsewhere.get(name) {
            format!("it is declared in {file}, which the profile does not name")
        } else if let Some(near) = nearest(name, env.known.keys().map(String::as_str)) {
            format!("did you mean `{near}`?")
        } else {
            format!(
                "declare it: [variables.{name}]; for the characters themselves write $${{{name}}}"
            )
        };
        self.wrong(at, format!("the variable `{name}` is not declared"), help);
        None
    }

    /// `"${name}"` as the whole value of a field that is no text.
    pub(crate) fn whole_variable(
        &mut self,
        field: &Field,
        ty: &Type,
        node: &Node<'_>,
        raw: &str,
    ) -> Option<Json> {
        let Some(name) = sole(raw) else {
            let whole = self.values(raw);
            self.used.extend(whole.into_iter().map(|(name, _)| name));
            let message = format!("`{}` must be {}", field.name, wants(ty));
            let help = format!(
                "a variable is the whole value here: {} = \"${{name}}\"",
                field.name
            );
            self.wrong(node.span(), message, help);
            return None;
        };
        let known = self.variable(name, node.span())?;
        match (ty, &known.value) {
            (_, None) => None,
            (Type::Bool, Some(Value::Bool(value))) => Some(Json::Bool(*value)),
            (Type::Int(low, high), Some(Value::Int(value))) => {
                self.number(field, (*low, *high), node, Some(*value))
            }
            _ => {
                let wanted = if matches!(ty, Type::Bool) {
                    "bool"
                } else {
                    "int"
                };
                let message = format!(
                    "`{}` needs a variable of type {wanted}; `{name}` is of type {}",
                    field.name,
                    known.kind.word()
                );
                let at = self.source.at(node.span());
                self.out
                    .push(Diagnostic::error(at, message).note(known.declared, "declared here"));
                None
            }
        }
    }

    /// `["${name}"]` with a list variable; none when the list is an ordinary one.
    #[expect(
        clippy::option_option,
        reason = "not a list variable, or one without a value"
    )]
    pub(crate) fn list_variable(
        &mut self,
        field: &Field,
        inner: &Type,
        array: &DeArray<'_>,
    ) -> Option<Option<Json>> {
        let mut items = array.iter();
        let (Some(node), None) = (items.next(), items.next()) else {
            return None;
        };
        let DeValue::String(raw) = node.get_ref() else {
            return None;
        };
        let name = sole(raw)?;
        let known = self.env?.known.get(name)?;
        if known.kind != VarType::List {
            return None;
        }
        let known = self.variable(name, node.span())?;
        let Some(Value::List(values)) = &known.value else {
            return Some(None);
        };
        let mut right = true;
        for value in values {
            right &= self.element(field, inner, node, (raw, value));
        }
        let json = values.iter().cloned().map(Json::String).collect();
        Some(right.then_some(Json::Array(json)))
    }

    fn element(
        &mut self,
        field: &Field,
        inner: &Type,
        node: &Node<'_>,
        (raw, value): (&str, &str),
    ) -> bool {
        match inner {
            Type::Str(check) => self.check(field.name, *check, node.span(), (raw, value)),
            Type::Enum(words) if words.contains(&value) => true,
            Type::Enum(words) => {
                let help = format!("right is one of: {}", list(words.iter().copied()));
                let message = format!("`{}` cannot be {value:?}", field.name);
                self.wrong(node.span(), message, help);
                false
            }
            _ => {
                let help = "write the list here".to_owned();
                let message = format!("`{}` is no list of texts", field.name);
                self.wrong(node.span(), message, help);
                false
            }
        }
    }

    /// The span of `part` in the source of a text; `hint` is its offset in the text itself.
    fn inside(&self, span: &Range<usize>, part: &str, hint: usize) -> Range<usize> {
        let raw = self.source.slice(span.clone());
        // Escapes only make the source longer than the text, so the part cannot start before its offset.
        let found = raw
            .get(hint..)
            .and_then(|rest| rest.find(part))
            .map(|at| span.start + hint + at);
        match found {
            Some(start) => start..start + part.len(),
            None => span.clone(),
        }
    }
}

/// The name when a text is one `${name}` and nothing else.
fn sole(raw: &str) -> Option<&str> {
    match pieces(raw).as_slice() {
        [Piece::Variable(name, _)] => Some(name),
        _ => None,
    }
}
