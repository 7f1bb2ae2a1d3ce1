//! Variables as fragments declare them: name, type, default, description.
//! It is separate from entries because declarations are read first, without any variable's value.

use std::ops::Range;

use serde_json::Value as Json;
use toml::de::DeValue;

use super::fragment::Fragment;
use super::shape::VARIABLE;
use super::syntax::Node;
use super::variables::{Known, Value, VarType, is_name};
use super::walk::Walk;

impl Fragment<'_> {
    /// Reads `[variables.NAME]`.
    pub(crate) fn variables(&mut self) {
        let Some(DeValue::Table(table)) = self
            .document
            .table
            .get("variables")
            .map(toml::Spanned::get_ref)
        else {
            return;
        };
        for (key, node) in table {
            let name = key.get_ref().as_ref();
            let mut walk = Walk::new(self.document.source, None, self.document.torn());
            if !is_name(name) {
                let help = "lower-case letters, digits and _, beginning with a letter".to_owned();
                walk.wrong(
                    key.span(),
                    format!("a variable cannot be called {name:?}"),
                    help,
                );
            }
            let known = variable(&mut walk, name, key.span(), node);
            self.out.append(&mut walk.out);
            if let Some(known) = known {
                self.declared.insert(name.to_owned(), known);
            }
        }
    }
}

fn variable(walk: &mut Walk<'_>, name: &str, key: Range<usize>, node: &Node<'_>) -> Option<Known> {
    let header = format!("[variables.{name}]");
    let Some(table) = node.get_ref().as_table() else {
        let help = format!("write {header} with type, description and perhaps default");
        walk.wrong(node.span(), format!("`{name}` has the wrong shape"), help);
        return None;
    };
    let fields = walk.table(&[VARIABLE], table, key.clone(), &header);
    let kind = VarType::from_word(fields.get("type")?.as_str()?)?;
    let value = fields.get("default").and_then(|json| {
        let value = typed(kind, json);
        if value.is_none() {
            let span = table
                .get("default")
                .map_or(key.clone(), toml::Spanned::span);
            let message = format!("the default of `{name}` must be {}", kind.wants());
            walk.wrong(span, message, format!("its type is {}", kind.word()));
        }
        value
    });
    let broken = fields.contains_key("default") && value.is_none();
    let declared = walk.source.at(key);
    Some(Known {
        kind,
        value,
        from: "default".to_owned(),
        // A wrong value was reported; that there is none would be said twice.
        set: broken.then(|| declared.clone()),
        declared,
        description: fields
            .get("description")
            .and_then(Json::as_str)
            .unwrap_or_default()
            .to_owned(),
    })
}

/// A value as written in a file, when it is of the variable's type.
pub(crate) fn typed(kind: VarType, json: &Json) -> Option<Value> {
    match (kind, json) {
        (VarType::Bool, Json::Bool(value)) => Some(Value::Bool(*value)),
        (VarType::Int, Json::Number(number)) => number.as_i64().map(Value::Int),
        (VarType::String, Json::String(text)) => Some(Value::Text(text.clone())),
        (VarType::SecretFile, Json::String(text)) => kind.parse(text),
        (VarType::List, Json::Array(items)) => items
            .iter()
            .map(|item| item.as_str().map(str::to_owned))
            .collect::<Option<Vec<_>>>()
            .map(Value::List),
        _ => None,
    }
}
