//! The document: its schema, its page, and that nothing on a node keeps it from being made.
//! It is separate because a reader of schema 1 must find every field, whatever state the node is in.

use nodeagent::report::verdict::Word;
use nodeagent::report::{Report, SCHEMA, journal};
use serde_json::Value;

use super::{BOOT, MACHINE_ID, node, proof, report};
use crate::support::offline::command;

/// Where a value does not fit a schema, as far as the words go that ours uses.
fn misfits(root: &Value, schema: &Value, value: &Value, at: &str) -> Vec<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        return misfits(root, root.pointer(&reference[1..]).unwrap(), value, at);
    }
    let mut wrong = Vec::new();
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let right = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().any(|k| k == kind),
        Value::Null => true,
        one => one == kind,
    };
    let listed = |word: &str| schema[word].as_array();
    if !right || listed("enum").is_some_and(|list| !list.contains(value)) {
        wrong.push(format!("{at}: {value}"));
    }
    let required = listed("required").filter(|_| value.is_object());
    for key in required.into_iter().flatten() {
        if value.get(key.as_str().unwrap()).is_none() {
            wrong.push(format!("{at}: no {key}"));
        }
    }
    for (key, part) in value.as_object().into_iter().flatten() {
        match schema["properties"].get(key) {
            Some(schema) => wrong.extend(misfits(root, schema, part, &format!("{at}.{key}"))),
            None => wrong.push(format!("{at}.{key}: not in the schema")),
        }
    }
    for part in value.as_array().into_iter().flatten() {
        wrong.extend(misfits(root, &schema["items"], part, at));
    }
    wrong
}

/// Where a document does not fit the schema.
pub(super) fn unfit(document: &Value) -> Vec<String> {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    misfits(&schema, &schema, document, "report")
}

fn value(report: &Report) -> Value {
    serde_json::to_value(report).unwrap()
}

#[test]
fn a_node_in_any_state_has_a_document_that_fits_the_schema() {
    let mini = node();
    let full = report(mini.path());
    assert_eq!(unfit(&value(&full)), Vec::<String>::new());
    assert_eq!(full.verdict.result, Word::Proved);
    assert_eq!(full.image.seal, "closed");
    assert_eq!(full.image.as_sealed, Some(true));
    assert_eq!(full.missing, []);
    let digest = format!(
        "sha256:{}",
        sealed(&mini.text("etc/packer-build/seal.json"))
    );
    assert_eq!(full.image.manifest, Some(digest));
    for (path, what) in [
        ("etc/packer-build/image-manifest.json", "image"),
        ("etc/packer-build/seal.json", "image.seal"),
        ("etc/machine-id", "machine"),
        ("run/cloud-init/status.json", "cloud_init"),
        ("run/nodeagent/firstboot.json", ""),
        ("run/nodeagent/report.json", ""),
    ] {
        mini.put(path, "{ broken");
        let broken = report(mini.path());
        assert_eq!(unfit(&value(&broken)), Vec::<String>::new(), "{path}");
        let told = broken.missing.iter().any(|missing| missing.what == what);
        assert!(told || what.is_empty(), "{path}: {:?}", broken.missing);
    }
    assert_eq!(report(mini.path()).verdict.result, Word::Unknown);
    let empty = tempfile::tempdir().unwrap();
    let bare = report(empty.path());
    assert_eq!(unfit(&value(&bare)), Vec::<String>::new());
    assert!(bare.missing.len() >= 4, "{:?}", bare.missing);
}

fn sealed(seal: &str) -> String {
    let seal: Value = serde_json::from_str(seal).unwrap();
    seal["digests"]["manifest"].as_str().unwrap().to_owned()
}

#[test]
fn the_schema_finds_what_does_not_fit() {
    let mini = node();
    let right = value(&report(mini.path()));
    for (pointer, wrong) in [
        ("/schema", Value::Null),
        ("/image/seal", "ajar".into()),
        ("/verdict/result", "maybe".into()),
        ("/boot/milestones/0/micros", "1".into()),
        ("/boot/milestones/0", serde_json::json!({})),
        ("/image", serde_json::json!({ "surprise": 1 })),
    ] {
        let mut broken = right.clone();
        *broken.pointer_mut(pointer).unwrap() = wrong;
        let found = unfit(&broken);
        assert!(!found.is_empty() || pointer == "/schema", "{pointer}");
    }
    let out = command(&["report", "--schema"]).output().unwrap();
    assert_eq!(String::from_utf8(out.stdout).unwrap(), SCHEMA);
}

#[test]
fn an_edited_manifest_and_a_result_of_another_boot_are_told() {
    let mini = node();
    let manifest = "etc/packer-build/image-manifest.json";
    mini.put(manifest, &mini.text(manifest).replace("Debian", "Dabian"));
    mini.put("run/nodeagent/firstboot.json", &proof(true, "another"));
    let found = report(mini.path());
    assert_eq!(found.image.as_sealed, Some(false));
    assert_eq!(found.verdict.result, Word::Unknown);
    assert!(found.verdict.why.unwrap().contains("another boot"));
    mini.put("run/nodeagent/firstboot.json", &proof(false, BOOT));
    let failed = report(mini.path());
    assert_eq!(failed.verdict.why.as_deref(), Some("there is no seal"));
}

/// systemd forgets the first start of a unit that is started again.
#[test]
fn a_later_report_of_the_same_boot_keeps_the_first_times() {
    let mini = node();
    let first = report(mini.path());
    let mut earlier = first.clone();
    for point in &mut earlier.boot.milestones {
        point.micros = point.micros.map(|micros| micros - 1000);
    }
    let text = |report: &Report| serde_json::to_string(report).unwrap();
    mini.put("run/nodeagent/report.json", &text(&earlier));
    assert_eq!(report(mini.path()).boot, earlier.boot);
    earlier.boot_id = "another".to_owned();
    mini.put("run/nodeagent/report.json", &text(&earlier));
    assert_eq!(report(mini.path()).boot, first.boot);
}

#[test]
fn no_identifier_of_the_machine_is_in_it() {
    let mini = node();
    let document = value(&report(mini.path())).to_string();
    assert!(!document.contains(MACHINE_ID));
    assert!(document.contains("\"machine\""));
}

#[test]
fn the_page_names_every_field_message_metric_and_label() {
    let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/report.md");
    let page = std::fs::read_to_string(page).unwrap();
    let mini = node();
    let report = report(mini.path());
    let mut names = Vec::new();
    keys(&value(&report), "", &mut names);
    names.extend(
        [
            journal::REPORTED,
            journal::NOT_PROVED,
            journal::NOT_HANDED_ON,
        ]
        .map(str::to_owned),
    );
    names.extend(
        journal::report(&report, "")
            .into_iter()
            .map(|(name, _)| name),
    );
    names.retain(|name| !name.starts_with("NODEAGENT_BOOT_"));
    names.extend(super::metrics::names(&nodeagent::report::prometheus::text(
        &report,
    )));
    let labels = nodeagent::report::nfd::text(&report);
    names.extend(
        labels
            .lines()
            .map(|line| line.split('=').next().unwrap().to_owned()),
    );
    let points = report.boot.durations.iter().chain(&report.boot.milestones);
    names.extend(points.map(|point| point.name.clone()));
    assert!(names.len() > 70, "{}", names.len());
    names.retain(|name| !page.contains(&format!("`{name}`")));
    assert_eq!(
        names,
        Vec::<String>::new(),
        "docs/report.md does not name them"
    );
}

fn keys(value: &Value, prefix: &str, into: &mut Vec<String>) {
    for (key, part) in value.as_object().into_iter().flatten() {
        let name = format!("{prefix}{key}");
        match part {
            Value::Object(_) => keys(part, &format!("{name}."), into),
            _ => into.push(name),
        }
    }
}
