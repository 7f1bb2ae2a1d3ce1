//! docs/output.md against what the verbs print: every field is documented, and nothing else is.
//! It is separate because a page that nobody compares is wrong after the next change.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{run, with};
use crate::support::offline::{Mini, json};

/// The fields of the tables of a section: the first for the value, the second for its items.
fn documented(section: &str) -> Vec<BTreeSet<String>> {
    let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/output.md");
    let page = std::fs::read_to_string(page).unwrap();
    let (_, rest) = page.split_once(&format!("\n## {section}\n")).unwrap();
    let text = rest.split("\n## ").next().unwrap();
    let mut tables: Vec<BTreeSet<String>> = Vec::new();
    for line in text.lines() {
        if line == "| field | what |" {
            tables.push(BTreeSet::new());
        } else if let Some(field) = line.strip_prefix("| `").or(line.strip_prefix("| [`")) {
            let name = field.split('`').next().unwrap();
            tables.last_mut().unwrap().insert(name.to_owned());
        }
    }
    tables
}

/// The keys of an object, or of all objects of a list together.
fn keys(value: &Value) -> BTreeSet<String> {
    let one = |v: &Value| -> Vec<String> { v.as_object().unwrap().keys().cloned().collect() };
    match value {
        Value::Array(list) => list.iter().flat_map(one).collect(),
        value => one(value).into_iter().collect(),
    }
}

#[test]
fn the_page_names_every_field_and_no_other() {
    let mini = Mini::new();
    let dir = with(
        "[[exception]]\nid = \"file:/etc/motd\"\nreason = \"known\"\nowner = \"ops\"\nexpires = \"2020-01-01\"\n",
    );
    let plan = json(&run(&mini, &dir, &["plan", "--json"]));
    assert_eq!(documented("plan"), [keys(&plan), keys(&plan["items"])]);
    let bake = json(&run(&mini, &dir, &["bake", "--json"]));
    assert_eq!(documented("bake"), [keys(&bake)]);
    let sealed = json(&mini.run(&["generalize", "--json"]));
    assert_eq!(documented("generalize"), [keys(&sealed)]);
    mini.put("etc/motd", "drifted\n");
    let verdict = json(&mini.run(&["verify", "--max-age", "1d", "--json"]));
    let found = keys(&verdict["findings"]);
    assert_eq!(documented("verify"), [keys(&verdict), found]);
}
