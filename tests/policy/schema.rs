//! The JSON Schema says of files what loading says of them.
//! It is apart because it needs a reader of the few words that our schema uses.

use nodeagent::policy::Sources;
use serde_json::{Value, json};
use toml::de::{DeTable, DeValue};

use super::cases;
use super::verbs::run;

/// TOML as JSON, for the schema.
fn json(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => json!(text),
        DeValue::Integer(number) => json!(number.as_str().parse::<i64>().unwrap()),
        DeValue::Boolean(value) => json!(value),
        DeValue::Array(list) => list.iter().map(|v| json(v.get_ref())).collect(),
        DeValue::Table(table) => object(table),
        other => panic!("{other:?}"),
    }
}

fn object(table: &DeTable<'_>) -> Value {
    let pairs = table
        .iter()
        .map(|(k, v)| (k.get_ref().to_string(), json(v.get_ref())));
    Value::Object(pairs.collect())
}

/// Whether a value fits a schema, as far as the words go that ours uses; patterns are left to other validators.
fn fits(schema: &Value, value: &Value) -> bool {
    let each = |word: &str| schema[word].as_array().into_iter().flatten();
    let right_type = match schema["type"].as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("boolean") => value.is_boolean(),
        Some("integer") => value.is_i64(),
        Some(other) => panic!("{other}"),
        None => true,
    };
    let bound = |word: &str| schema[word].as_i64().zip(value.as_i64());
    right_type
        && schema.get("const").is_none_or(|c| c == value)
        && schema
            .get("enum")
            .is_none_or(|_| each("enum").any(|e| e == value))
        && schema
            .get("anyOf")
            .is_none_or(|_| each("anyOf").any(|s| fits(s, value)))
        && bound("minimum").is_none_or(|(low, v)| v >= low)
        && bound("maximum").is_none_or(|(high, v)| v <= high)
        && each("required").all(|key| value.get(key.as_str().unwrap()).is_some())
        && value
            .as_array()
            .into_iter()
            .flatten()
            .all(|v| fits(&schema["items"], v))
        && value.as_object().into_iter().flatten().all(|(key, v)| {
            match schema["properties"].get(key) {
                Some(inner) => fits(inner, v),
                None => match &schema["additionalProperties"] {
                    Value::Bool(allowed) => *allowed,
                    inner => fits(inner, v),
                },
            }
        })
}

fn toml_json(bytes: &[u8]) -> Value {
    let text = std::str::from_utf8(bytes).unwrap();
    object(DeTable::parse(text).unwrap().get_ref())
}

#[test]
fn the_json_schema_accepts_what_is_shipped() {
    let (_, fragment) = run(&["policy", "schema"]);
    let (_, profile) = run(&["policy", "schema", "profile"]);
    let fragment: Value = serde_json::from_str(&fragment).unwrap();
    let profile: Value = serde_json::from_str(&profile).unwrap();
    for kind in nodeagent::resource::KINDS {
        let items = &fragment["properties"][kind.name]["items"];
        assert!(
            items["required"]
                .as_array()
                .unwrap()
                .contains(&json!("reason"))
        );
    }
    let mut count = 0;
    for (path, bytes) in &Sources::shipped().layers[0].files {
        let schema = match path.split_once('/') {
            None if path.ends_with(".toml") => &fragment,
            Some(("profiles", _)) => &profile,
            _ => continue,
        };
        assert!(fits(schema, &toml_json(bytes)), "{path}");
        count += 1;
    }
    assert!(count >= 7, "only {count} files were checked");
}

#[test]
fn the_json_schema_refuses_what_loading_refuses() {
    let (_, schema) = run(&["policy", "schema"]);
    let schema: Value = serde_json::from_str(&schema).unwrap();
    for case in [
        "unknown-key",
        "wrong-type",
        "missing-reason",
        "missing-schema",
    ] {
        let bytes = std::fs::read(cases().join(case).join("policy/10-case.toml")).unwrap();
        assert!(!fits(&schema, &toml_json(&bytes)), "{case}");
    }
}
