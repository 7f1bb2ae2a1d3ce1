//! Compares two directory trees entry by entry: everything that a file system keeps of them.
//! It is separate because «the same tree» is promised in several tiers, and must mean the same everywhere.
#![allow(
    dead_code,
    reason = "a shared toolbox: which part is used changes with the tests"
)]

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Everything of one entry, as text, so that differences read well.
type Facts = BTreeMap<&'static str, String>;

/// What differs between two trees, a line each. Times that lie after `since` are «now»: nobody set them.
pub(crate) fn differences(left: &Path, right: &Path, since: SystemTime) -> Vec<String> {
    let since = since.duration_since(UNIX_EPOCH).unwrap().as_secs();
    let (left, right) = (tree(left, since), tree(right, since));
    let mut all = Vec::new();
    for (path, facts) in &left {
        let Some(other) = right.get(path) else {
            all.push(format!("{}: only in the first", path.display()));
            continue;
        };
        for (name, value) in facts {
            let there = other.get(name).map_or("none", String::as_str);
            if there != value {
                all.push(format!("{}: {name}: {value} and {there}", path.display()));
            }
        }
    }
    let others = right.keys().filter(|path| !left.contains_key(*path));
    all.extend(others.map(|path| format!("{}: only in the second", path.display())));
    all
}

/// How many entries a tree has.
pub(crate) fn count(root: &Path) -> usize {
    paths(root).len()
}

/// Times are read of all entries before any content: reading changes them.
fn tree(root: &Path, since: u64) -> BTreeMap<PathBuf, Facts> {
    let found: Vec<(PathBuf, Metadata)> = paths(root)
        .into_iter()
        .map(|path| (path.clone(), fs::symlink_metadata(path).unwrap()))
        .collect();
    let mut links: BTreeMap<u64, PathBuf> = BTreeMap::new();
    let mut all = BTreeMap::new();
    for (path, meta) in found {
        let name = path.strip_prefix(root).unwrap().to_owned();
        let first = links.entry(meta.ino()).or_insert_with(|| name.clone());
        let mut facts = kept(&meta, since);
        facts.insert("links with", first.display().to_string());
        facts.insert("attributes", attributes(&path));
        facts.insert("content", content(&path, &meta));
        all.insert(name, facts);
    }
    all
}

/// Every path, the root first, in a fixed order.
fn paths(root: &Path) -> Vec<PathBuf> {
    let mut all = vec![root.to_owned()];
    if !root.is_dir() || root.is_symlink() {
        return all;
    }
    let names = fs::read_dir(root).unwrap();
    let mut names: Vec<PathBuf> = names.map(|name| name.unwrap().path()).collect();
    names.sort();
    all.extend(names.iter().flat_map(|name| paths(name)));
    all
}

fn kept(meta: &Metadata, since: u64) -> Facts {
    let time = |seconds: i64, fraction: i64| {
        let now = u64::try_from(seconds).is_ok_and(|seconds| seconds >= since);
        if now {
            "now".to_owned()
        } else {
            format!("{seconds}.{fraction:09}")
        }
    };
    let mut facts = Facts::from([
        ("kind and mode", format!("{:o}", meta.mode())),
        ("owner", format!("{}:{}", meta.uid(), meta.gid())),
        ("links", meta.nlink().to_string()),
        ("modified", time(meta.mtime(), meta.mtime_nsec())),
    ]);
    // Listing a directory changes when it was read.
    if !meta.is_dir() {
        facts.insert("read", time(meta.atime(), meta.atime_nsec()));
        facts.insert("size", meta.len().to_string());
    }
    if meta.file_type().is_char_device() || meta.file_type().is_block_device() {
        facts.insert("device", meta.rdev().to_string());
    }
    facts
}

/// Names and values of all extended attributes, in the order of names.
fn attributes(path: &Path) -> String {
    let mut names = vec![0u8; 65_536];
    let size = rustix::fs::llistxattr(path, &mut names[..]).unwrap();
    let mut all = BTreeMap::new();
    for name in names[..size]
        .split(|byte| *byte == 0)
        .filter(|n| !n.is_empty())
    {
        let mut value = vec![0u8; 65_536];
        let size = rustix::fs::lgetxattr(path, name, &mut value[..]).unwrap();
        let name = String::from_utf8_lossy(name).into_owned();
        all.insert(name, value[..size].escape_ascii().to_string());
    }
    format!("{all:?}")
}

fn content(path: &Path, meta: &Metadata) -> String {
    if meta.is_symlink() {
        return fs::read_link(path).unwrap().display().to_string();
    }
    if meta.is_file() {
        return nodeagent::host::root::sha256(&fs::read(path).unwrap());
    }
    String::new()
}
