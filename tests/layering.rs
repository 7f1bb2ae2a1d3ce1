//! The layer rule: a module names only modules ranked before it, and files stay small.
//! It is separate because a rule that is not run is a wish.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Modules in rank order (design: error first, cli last).
const RANKS: &[&str] = &[
    "error", "host", "route", "store", "resource", "policy", "observe", "plan", "record", "apply",
    "manifest", "verify", "report", "cli",
];

/// Longest file, in lines.
const LINES: usize = 300;

fn sources(dir: &Path, into: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|e| e == "rs") {
            into.push(path);
        }
    }
}

fn agent() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("agent")
}

/// The top module that a file belongs to.
fn module_of(path: &Path) -> String {
    let inside = path.strip_prefix(agent()).unwrap();
    let first = inside
        .components()
        .next()
        .unwrap()
        .as_os_str()
        .to_string_lossy()
        .into_owned();
    first.trim_end_matches(".rs").to_owned()
}

/// Modules that a source text names by `crate::NAME`.
fn named(text: &str) -> Vec<String> {
    text.split("crate::")
        .skip(1)
        .flat_map(|rest| {
            let word: String = rest
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
                .collect();
            match rest.strip_prefix('{') {
                Some(list) => list
                    .split('}')
                    .next()
                    .unwrap_or("")
                    .split(',')
                    .map(|w| w.trim().split("::").next().unwrap().to_owned())
                    .collect(),
                None => vec![word],
            }
        })
        .collect()
}

fn breaches(module: &str, text: &str, ranks: &BTreeMap<&str, usize>) -> Vec<String> {
    let Some(own) = ranks.get(module) else {
        return Vec::new();
    };
    named(text)
        .into_iter()
        .filter(|other| ranks.get(other.as_str()).is_some_and(|rank| rank > own))
        .collect()
}

fn ranks() -> BTreeMap<&'static str, usize> {
    RANKS
        .iter()
        .enumerate()
        .map(|(rank, name)| (*name, rank))
        .collect()
}

#[test]
fn a_module_names_only_modules_ranked_before_it() {
    let mut files = Vec::new();
    sources(&agent(), &mut files);
    assert!(
        files.len() > 20,
        "the walk found only {} files",
        files.len()
    );
    for path in files {
        let module = module_of(&path);
        if module == "lib" || module == "main" {
            continue;
        }
        assert!(
            RANKS.contains(&module.as_str()),
            "{} has no rank",
            path.display()
        );
        let text = std::fs::read_to_string(&path).unwrap();
        let found = breaches(&module, &text, &ranks());
        assert!(
            found.is_empty(),
            "{} names later layers: {found:?}",
            path.display()
        );
    }
}

#[test]
fn the_rule_sees_both_ways_to_name_a_module() {
    assert_eq!(
        breaches("host", "use crate::plan::Plan;", &ranks()),
        ["plan"]
    );
    assert_eq!(
        breaches(
            "resource",
            "use crate::{error::Error, verify::Finding};",
            &ranks()
        ),
        ["verify"]
    );
    assert!(breaches("cli", "use crate::plan::Plan;", &ranks()).is_empty());
}

#[test]
fn every_file_is_short_and_says_what_and_why() {
    let mut files = Vec::new();
    sources(&agent(), &mut files);
    sources(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("tests"),
        &mut files,
    );
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        let lines = text.lines().count();
        assert!(
            lines <= LINES,
            "{} has {lines} lines; the limit is {LINES}",
            path.display()
        );
        assert!(
            text.starts_with("//! "),
            "{} does not say what it is",
            path.display()
        );
    }
}
