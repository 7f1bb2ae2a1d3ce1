//! JSON Schema (2020-12) of fragments and profiles, for editors and for CI of policy repositories.
//! It is separate from reading, but made of the same fields, so that the two cannot drift apart.

use serde_json::{Map, Value as Json, json};

use super::shape::{EXCEPTION, INVENTORY, PROFILE, SCHEMA, VARIABLE};
use crate::resource::KINDS;
use crate::resource::schema::{COMMON, Check, Field, Type};

const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";
/// A text with a variable in it: its final form is checked when the policy is loaded.
const WITH_VARIABLE: &str = r"\$\{[a-z][a-z0-9_]*\}";
const VARIABLE_NAME: &str = "^[a-z][a-z0-9_]*$";

/// The schema of a fragment.
pub fn fragment_schema() -> Json {
    let mut properties = Map::new();
    properties.insert("schema".to_owned(), json!({ "const": SCHEMA }));
    properties.insert(
        "variables".to_owned(),
        json!({
            "type": "object",
            "description": "Variables that texts of the profile's fragments may use as ${name}.",
            "propertyNames": { "pattern": VARIABLE_NAME },
            "additionalProperties": table(&[VARIABLE], false),
        }),
    );
    properties.insert("inventory".to_owned(), table(&[INVENTORY], true));
    properties.insert("exception".to_owned(), list_of(&table(&[EXCEPTION], true)));
    for kind in KINDS {
        let mut entries = list_of(&table(&[kind.fields, COMMON], true));
        put(&mut entries, "description", json!(kind.doc));
        properties.insert(kind.name.to_owned(), entries);
    }
    json!({
        "$schema": DIALECT,
        "title": "nodeagent policy fragment",
        "type": "object",
        "properties": properties,
        "required": ["schema"],
        "additionalProperties": false,
    })
}

/// The schema of a profile.
pub fn profile_schema() -> Json {
    let mut schema = table(&[PROFILE], false);
    put(&mut schema, "$schema", json!(DIALECT));
    put(&mut schema, "title", json!("nodeagent policy profile"));
    schema
}

fn list_of(items: &Json) -> Json {
    json!({ "type": "array", "items": items })
}

fn put(schema: &mut Json, key: &str, value: Json) {
    if let Json::Object(map) = schema {
        map.insert(key.to_owned(), value);
    }
}

fn table(fields: &[&[Field]], variables: bool) -> Json {
    let all = || fields.iter().copied().flatten();
    let properties: Map<String, Json> = all()
        .map(|field| {
            let mut schema = of(&field.ty, variables);
            put(&mut schema, "description", json!(field.doc));
            (field.name.to_owned(), schema)
        })
        .collect();
    let required: Vec<&str> = all().filter(|f| f.required).map(|f| f.name).collect();
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

fn of(ty: &Type, variables: bool) -> Json {
    match ty {
        Type::Str(check) => text(*check, variables),
        Type::Enum(words) => or_variable(json!({ "enum": words }), variables),
        Type::Bool => or_variable(json!({ "type": "boolean" }), variables),
        Type::Int(low, high) => or_variable(integer(*low, *high), variables),
        Type::List(inner) => list_of(&of(inner, variables)),
        Type::Map(check, inner) => json!({
            "type": "object",
            "propertyNames": text(*check, false),
            "additionalProperties": of(inner, variables),
        }),
        Type::Table(fields) => table(&[fields], variables),
        Type::Either(a, b) => json!({ "anyOf": [of(a, variables), of(b, variables)] }),
    }
}

fn text(check: Check, variables: bool) -> Json {
    match check.pattern() {
        None => json!({ "type": "string" }),
        Some(pattern) if variables => json!({
            "type": "string",
            "anyOf": [{ "pattern": pattern }, { "pattern": WITH_VARIABLE }],
        }),
        Some(pattern) => json!({ "type": "string", "pattern": pattern }),
    }
}

fn integer(low: i64, high: i64) -> Json {
    let mut schema = json!({ "type": "integer" });
    if low > i64::MIN {
        put(&mut schema, "minimum", json!(low));
    }
    if high < i64::MAX {
        put(&mut schema, "maximum", json!(high));
    }
    schema
}

fn or_variable(schema: Json, variables: bool) -> Json {
    if variables {
        json!({ "anyOf": [schema, { "type": "string", "pattern": WITH_VARIABLE }] })
    } else {
        schema
    }
}
