//! Each rule of what must not be in an image, broken in a sealed tree: verify must tell path, line and rule, never the secret.
//! It is separate because its table has to cover the policy: a rule without a violation fails, so none is there that cannot fail.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::support::offline::{Mini, code, json};

const TABLE: &str = include_str!("forbidden.txt");
/// Stands for each secret in the table.
const SECRETS: [&str; 2] = ["hunter2", "aHVudGVyMg"];

struct Violation {
    entry: &'static str,
    rule: &'static str,
    path: &'static str,
    text: &'static str,
}

fn table() -> Vec<Violation> {
    let lines = TABLE.lines().filter(|line| !line.starts_with('#'));
    let one = |line: &'static str| {
        let (head, text) = line.split_once(" = ").unwrap();
        let [entry, rule, path] = head.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{line}");
        };
        Violation {
            entry,
            rule,
            path,
            text,
        }
    };
    lines.map(one).collect()
}

fn baked() -> Mini {
    let mini = Mini::new();
    assert_eq!(code(&mini.bake(&["--set", "build_hostname=builder-7"])), 0);
    mini
}

/// Puts a violation in the second line of a file; gives what undoes it.
fn put(mini: &Mini, violation: &Violation) -> impl FnOnce() {
    let at = mini.path().join(&violation.path[1..]);
    let old = std::fs::read(&at).ok();
    let new = at.ancestors().take_while(|path| !path.exists()).last();
    let new = new.map(std::path::Path::to_path_buf);
    mini.put(
        &violation.path[1..],
        &format!("# first line\n{}\n", violation.text),
    );
    move || match (old, new) {
        (Some(bytes), _) => std::fs::write(&at, bytes).unwrap(),
        (None, Some(new)) if new.is_dir() => std::fs::remove_dir_all(new).unwrap(),
        (None, _) => std::fs::remove_file(&at).unwrap(),
    }
}

/// Differences of the forbidden entries as `entry: what: have`.
fn told(verdict: &Value) -> BTreeSet<String> {
    let mut told = BTreeSet::new();
    for finding in verdict["findings"].as_array().unwrap() {
        let id = finding["id"].as_str().unwrap();
        let Some(entry) = id.strip_prefix("forbidden:") else {
            continue;
        };
        for difference in finding["differences"].as_array().into_iter().flatten() {
            let [what, have] = ["what", "have"].map(|key| difference[key].as_str().unwrap());
            told.insert(format!("{entry}: {what}: {have}"));
        }
    }
    told
}

#[test]
fn each_violation_is_told_with_its_line_and_without_the_secret() {
    let mini = baked();
    assert_eq!(code(&mini.run(&["generalize"])), 0);
    assert_eq!(code(&mini.run(&["verify"])), 0);
    for violation in table() {
        let undo = put(&mini, &violation);
        let output = mini.run(&["verify", "--json"]);
        let Violation {
            entry, rule, path, ..
        } = violation;
        assert_eq!(output.status.code(), Some(3), "{entry} {rule} {path}");
        let want = match rule {
            "-" => format!("{entry}: {path}: present"),
            rule => format!("{entry}: {path} line 2: looks like {rule}"),
        };
        let found = told(&json(&output));
        assert!(found.contains(&want), "{want} is not among {found:?}");
        let said =
            [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
        for secret in SECRETS {
            assert!(
                !said.concat().contains(secret),
                "{want}: the secret is told"
            );
        }
        undo();
    }
    assert_eq!(code(&mini.run(&["verify"])), 0, "all is as it was");
}

#[test]
fn every_rule_that_is_shipped_has_a_violation() {
    let mini = baked();
    let policy: Value = serde_json::from_str(&mini.text("etc/packer-build/policy.json")).unwrap();
    let mut open: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for violation in table() {
        let rules = open.entry(violation.entry.to_owned()).or_default();
        rules.insert(violation.rule.to_owned());
    }
    let entries = policy["entries"].as_array().unwrap();
    for entry in entries.iter().filter(|entry| entry["kind"] == "forbidden") {
        let name = entry["name"].as_str().unwrap();
        let mut rules = open.remove(name).unwrap_or_default();
        let wanted = entry.get("contents").and_then(Value::as_object);
        match wanted {
            Some(contents) => {
                for rule in contents.keys() {
                    assert!(rules.remove(rule), "{name}: nothing breaks {rule}");
                }
                assert!(rules.is_empty(), "{name} has no rules {rules:?}");
            }
            None => every_path(name, entry["paths"].as_array().unwrap()),
        }
    }
    assert!(
        open.is_empty(),
        "violations of entries that are not shipped: {open:?}"
    );
}

/// Where the file itself is forbidden, each pattern needs a file.
fn every_path(name: &str, patterns: &[Value]) {
    for pattern in patterns {
        let pattern = pattern.as_str().unwrap();
        let hit = table().iter().any(|violation| {
            violation.entry == name && super::shipped::covers(pattern, violation.path)
        });
        assert!(hit, "{name}: nothing puts {pattern} to the test");
    }
}

#[test]
fn an_image_with_a_secret_is_not_sealed() {
    let mini = baked();
    mini.put("opt/site/openrc", "export OS_PASSWORD=hunter2\n");
    let output = mini.run(&["generalize", "--json"]);
    assert_eq!(code(&output), 1);
    assert!(mini.text("etc/packer-build/seal.json").contains("building"));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        said.contains("/opt/site/openrc line 1: looks like openstack-password"),
        "{said}"
    );
    assert!(said.contains("--skip forbidden:"), "it says what to do");
    std::fs::remove_file(mini.path().join("opt/site/openrc")).unwrap();
    assert_eq!(code(&mini.run(&["generalize"])), 0);
}
