//! Words for what a field wants, what was found, and how to write it right.
//! It is separate because these are sentences for people and hold no rule.

use toml::de::DeValue;

use super::nearest::list;
use crate::resource::schema::{Field, Type};

pub(crate) fn fits(ty: &Type, found: &DeValue<'_>) -> bool {
    match ty {
        Type::Str(_) | Type::Enum(_) => found.is_str(),
        Type::Bool => found.is_bool(),
        Type::Int(..) => found.is_integer(),
        Type::List(_) => found.is_array(),
        Type::Map(..) | Type::Table(_) => found.is_table(),
        Type::Either(a, b) => fits(a, found) || fits(b, found),
    }
}

pub(crate) fn called(found: &DeValue<'_>) -> &'static str {
    match found {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a decimal number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

pub(crate) fn wants(ty: &Type) -> String {
    match ty {
        Type::Str(_) => "a text".to_owned(),
        Type::Enum(words) => format!("one of {}", list(words.iter().copied())),
        Type::Bool => "true or false".to_owned(),
        Type::Int(..) => "a whole number".to_owned(),
        Type::List(_) => "a list".to_owned(),
        Type::Map(..) | Type::Table(_) => "a table".to_owned(),
        Type::Either(a, b) => format!("{} or {}", wants(a), wants(b)),
    }
}

pub(crate) fn example(ty: &Type) -> String {
    match ty {
        Type::Str(_) => "\"…\"".to_owned(),
        Type::Enum(words) => format!("\"{}\"", words.first().copied().unwrap_or_default()),
        Type::Bool => "false".to_owned(),
        Type::Int(low, _) => low.to_string(),
        Type::List(inner) => format!("[{}]", example(inner)),
        Type::Map(..) | Type::Table(_) => "{ … }".to_owned(),
        Type::Either(a, _) => example(a),
    }
}

pub(crate) fn repair(field: &Field, ty: &Type, found: &DeValue<'_>, raw: &str) -> String {
    let name = field.name;
    let right = || format!("{name} = {}  ({})", example(ty), field.doc);
    match (ty, found) {
        (Type::Str(_), DeValue::Integer(_) | DeValue::Boolean(_) | DeValue::Float(_)) => {
            format!("write it in quotes: {name} = \"{raw}\"")
        }
        (Type::Bool, DeValue::String(text)) if text.parse::<bool>().is_err() => right(),
        (Type::Int(..), DeValue::String(text)) if text.parse::<i64>().is_err() => right(),
        (Type::Bool | Type::Int(..), DeValue::String(text)) => {
            format!("write it without quotes: {name} = {text}")
        }
        (Type::List(_), DeValue::String(_)) => format!("write a list: {name} = [{raw}]"),
        _ => right(),
    }
}
