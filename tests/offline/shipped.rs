//! Every scrub entry that is shipped, each with what it must find: put back in a sealed tree, verify must tell it.
//! It is separate because its table has to cover the policy: a pattern without dirt fails, so none is there that cannot fail.

use std::collections::BTreeMap;
use std::path::PathBuf;

use nodeagent::host::glob::matches;
use serde_json::Value;

use crate::support::offline::{Mini, code, json};

/// Profiles of the tests and the tables of what they must find; between them they hold every fragment that scrubs.
const FAMILIES: [(&str, &[&str]); 2] = [
    (
        "mini",
        &[
            include_str!("dirt/core.txt"),
            include_str!("dirt/debian.txt"),
            include_str!("dirt/state.txt"),
            include_str!("dirt/secrets.txt"),
        ],
    ),
    (
        "mini-el",
        &[include_str!("dirt/core.txt"), include_str!("dirt/el.txt")],
    ),
];
/// What a file holds where its table does not say.
const DIRT: &str = "127.0.1.1\tbuilder";
/// Verify shows no more paths of an entry one by one.
const AT_ONCE: usize = 15;

/// Paths and what they hold, by the name of their entry.
type Table = BTreeMap<&'static str, Vec<(&'static str, &'static str)>>;

fn table(texts: &[&'static str]) -> Table {
    let mut table = Table::new();
    let mut name = "";
    let lines = texts.iter().flat_map(|text| text.lines());
    for line in lines.filter(|line| !line.starts_with('#')) {
        if let Some(entry) = line.strip_suffix(':').filter(|_| !line.starts_with(' ')) {
            name = entry;
        } else {
            let (path, text) = line.trim().split_once(" = ").unwrap_or((line.trim(), DIRT));
            table.entry(name).or_default().push((path, text));
        }
    }
    table
}

/// A piece of dirt, and what was there before.
struct Dirt {
    at: PathBuf,
    /// The topmost path that was missing before.
    new: Option<PathBuf>,
    old: Option<(Vec<u8>, std::fs::Permissions)>,
    link: Option<PathBuf>,
}

impl Dirt {
    fn put(mini: &Mini, (path, text): (&str, &str)) -> Self {
        let file = if path.ends_with('/') {
            format!("{path}x")
        } else {
            path.to_owned()
        };
        let at = mini.path().join(&file);
        let missing = at.ancestors().take_while(|p| p.symlink_metadata().is_err());
        let new = missing.last().map(PathBuf::from);
        let link = std::fs::read_link(&at).ok();
        let old = match (&new, &link) {
            (None, None) => Some((
                std::fs::read(&at).unwrap(),
                at.metadata().unwrap().permissions(),
            )),
            _ => None,
        };
        if new.is_none() {
            std::fs::remove_file(&at).unwrap();
        }
        mini.put(&file, &format!("{text}\n"));
        Self { at, new, old, link }
    }

    fn undo(self) {
        match self.new {
            Some(new) if new.is_dir() => return std::fs::remove_dir_all(new).unwrap(),
            // A directory that an earlier piece of the same entry had made may be gone already.
            Some(new) if !new.exists() => return,
            _ => std::fs::remove_file(&self.at).unwrap(),
        }
        if let Some(target) = self.link {
            std::os::unix::fs::symlink(target, &self.at).unwrap();
        }
        if let Some((bytes, mode)) = self.old {
            std::fs::write(&self.at, bytes).unwrap();
            std::fs::set_permissions(&self.at, mode).unwrap();
        }
    }
}

/// Exit code, and the paths that differ by the entry that tells them.
fn verdict(mini: &Mini) -> (i32, BTreeMap<String, Vec<String>>) {
    let output = mini.run(&["verify", "--place", "image", "--json"]);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let told = json(&output)["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["status"] == "drift")
        .map(|finding| {
            let differences = finding["differences"].as_array().unwrap();
            let paths = differences.iter().map(|d| text(&d["what"])).collect();
            (text(&finding["id"]), paths)
        })
        .collect();
    (output.status.code().unwrap(), told)
}

/// A tree that had each entry's dirt when it was baked.
fn dirty_and_sealed(profile: &str, table: &Table) -> Mini {
    let mini = Mini::new();
    for (name, dirt) in table {
        // With the stamp a tree would be a node's.
        for piece in dirt.iter().filter(|_| *name != "firstboot-stamp") {
            Dirt::put(&mini, *piece);
        }
    }
    assert_eq!(code(&mini.bake_profile(profile, &[])), 0);
    assert_eq!(code(&mini.run(&["generalize"])), 0);
    mini
}

#[test]
fn each_piece_of_dirt_is_removed_and_found_when_it_is_put_back() {
    for (profile, texts) in FAMILIES {
        put_back(profile, &table(texts));
    }
}

fn put_back(profile: &str, table: &Table) {
    let mini = dirty_and_sealed(profile, table);
    let clean = (0, BTreeMap::new());
    assert_eq!(verdict(&mini), clean, "generalize removed all of it");
    for (name, paths) in table {
        for some in paths.chunks(AT_ONCE) {
            let dirt: Vec<Dirt> = some.iter().map(|piece| Dirt::put(&mini, *piece)).collect();
            let (exit, told) = verdict(&mini);
            // What is no archive cannot be looked into: that weighs more than a difference.
            let unread = some
                .iter()
                .any(|(path, _)| path.contains("initramfs-0-rescue"));
            assert_eq!(exit, if unread { 1 } else { 3 }, "{name}: {told:?}");
            let mine = told
                .get(&format!("scrub:{name}"))
                .cloned()
                .unwrap_or_default();
            for (path, _) in some {
                let path = format!("/{}", path.trim_end_matches('/'));
                let found = mine.iter().any(|told| path.starts_with(told.as_str()));
                assert!(found, "{name}: {path} is not among {mine:?}");
            }
            dirt.into_iter().rev().for_each(Dirt::undo);
        }
    }
    assert_eq!(verdict(&mini), clean, "all is as it was");
}

#[test]
fn every_pattern_that_is_shipped_has_dirt() {
    for (profile, texts) in FAMILIES {
        covered(profile, table(texts));
    }
}

fn covered(profile: &str, mut table: Table) {
    let mini = Mini::new();
    assert_eq!(code(&mini.bake_profile(profile, &[])), 0);
    let policy: Value = serde_json::from_str(&mini.text("etc/packer-build/policy.json")).unwrap();
    let entries = policy["entries"].as_array().unwrap();
    for entry in entries.iter().filter(|entry| entry["kind"] == "scrub") {
        let name = entry["name"].as_str().unwrap();
        let dirt = table.remove(name).unwrap_or_default();
        for pattern in entry["paths"].as_array().unwrap() {
            let pattern = pattern.as_str().unwrap();
            let hit = dirt.iter().any(|(path, _)| covers(pattern, path));
            assert!(hit, "{name}: nothing puts {pattern} to the test");
        }
    }
    assert!(
        table.is_empty(),
        "dirt of entries that are not shipped: {table:?}"
    );
}

/// Whether a pattern matches a path, or a directory above it.
pub(super) fn covers(pattern: &str, path: &str) -> bool {
    let path: Vec<&str> = path.trim_matches('/').split('/').collect();
    let patterns = match pattern.strip_prefix("~/") {
        Some(rest) => ["root", "home/builder"]
            .map(|home| format!("{home}/{rest}"))
            .to_vec(),
        None => vec![pattern.trim_start_matches('/').to_owned()],
    };
    let mut parts = patterns.iter().map(|p| p.split('/').collect::<Vec<_>>());
    parts.any(|parts| fits(&parts, &path))
}

fn fits(pattern: &[&str], path: &[&str]) -> bool {
    match (pattern, path) {
        ([], _) => true,
        (["**"], rest) => !rest.is_empty(),
        (["**", more @ ..], rest) => (0..rest.len()).any(|at| fits(more, &rest[at..])),
        ([first, more @ ..], [name, rest @ ..]) => matches(first, name) && fits(more, rest),
        _ => false,
    }
}
