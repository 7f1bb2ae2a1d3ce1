//! Everything that makes up a tree, path by path, and where two trees differ.
//! Separate because it is the judge of the crash tests and shares no code with what made the trees.

use super::arrange::{self, Names};
use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{FileTypeExt as _, MetadataExt as _},
    path::Path,
};

/// What may differ in content between two trees, and why it must. Nothing else of these paths may: type, mode and
/// owner are compared, and a tree where one of them does *not* differ fails, so that no line here outlives its reason.
pub(super) const EXCEPTIONS: [(&str, &str); 3] = [
    (
        "etc/packer-build/bake-record.json",
        "its salt is random, and it tells of every run with its times",
    ),
    (
        "etc/packer-build/seal.json",
        "it holds the digest of bake-record.json and the time of the seal",
    ),
    (
        "var/cache/ldconfig/aux-cache",
        "ldconfig notes inode numbers and change times of libraries",
    ),
];

/// Beginnings of paths that may also differ, or be new, once dpkg was killed. Whether one does depends on the
/// instant, so it is told and not demanded.
pub(super) const AFTER_KILLS: [(&str, &str); 1] = [(
    "var/lib/ucf/cache/",
    "ucf's copies of vendors' files, which it does not make once it has noted their digests",
)];

/// Files of which only the arrangement may differ, once dpkg was killed. Whether it does is told.
const ARRANGED: [(&str, &str); 6] = [
    ("etc/passwd", NUMBERS),
    ("etc/shadow", NUMBERS),
    ("etc/group", NUMBERS),
    ("etc/gshadow", NUMBERS),
    (arrange::MANIFEST, NUMBERS),
    (
        arrange::STATUS,
        "fields beside name, state, architecture and version: seen once, after a kill amid unpacking",
    ),
];

const NUMBERS: &str = "package scripts take the next free number for an account, and dpkg configures in another order \
                       when it begins again; adduser adds a comment in a second step that it never repeats";

/// Files of stanzas that are written from hash tables: a second transaction gives another order.
const SORTED: [&str; 3] = [
    "var/lib/apt/extended_states",
    "var/cache/debconf/templates.dat",
    "var/cache/debconf/config.dat",
];

/// Type, mode, owner and content of every path of a tree.
#[derive(Debug)]
pub(super) struct Snapshot(BTreeMap<String, Entry>);

#[derive(Debug, PartialEq, Eq)]
struct Entry {
    shape: String,
    content: String,
}

impl Snapshot {
    /// Reads the whole tree.
    pub(super) fn of(root: &Path) -> Self {
        let mut all = BTreeMap::new();
        walk(root, root, &Names::of(root), &mut all);
        assert!(
            all.len() > 5000,
            "a tree of {} paths is no Debian",
            all.len()
        );
        Self(all)
    }

    /// Every unexpected difference, one a line.
    pub(super) fn differences(&self, other: &Self) -> Vec<String> {
        let paths: std::collections::BTreeSet<_> = self.0.keys().chain(other.0.keys()).collect();
        paths
            .into_iter()
            .filter_map(|path| difference(path, self.0.get(path), other.0.get(path)))
            .collect()
    }

    /// [`Snapshot::differences`] of a tree in which dpkg was killed; what it may leave is told.
    pub(super) fn differences_after_kills(&self, other: &Self) -> Vec<String> {
        let mut all = self.differences(other);
        for (path, reason) in ARRANGED {
            let begins = format!("{path}: its content differs");
            let same = self.arranged(path) == other.arranged(path);
            let told = all.iter().find(|found| same && found.starts_with(&begins));
            if let Some(told) = told.cloned() {
                super::tell(&format!("after kills, {told}\n  {reason}"));
                all.retain(|found| *found != told);
            }
        }
        for (start, reason) in AFTER_KILLS {
            let before = all.len();
            all.retain(|found| !found.starts_with(start));
            let word = if all.len() < before {
                "differs"
            } else {
                "does not differ"
            };
            super::tell(&format!("after kills, {word}: {start} {reason}"));
        }
        all
    }

    /// What one of the `ARRANGED` files says, however its numbers and lines came about.
    fn arranged(&self, path: &str) -> Option<Vec<String>> {
        Some(arrange::arranged(path, &self.0.get(path)?.content))
    }

    /// Every difference at all: for one tree at two times.
    pub(super) fn changes(&self, later: &Self) -> Vec<String> {
        let paths = self.0.keys().chain(later.0.keys());
        let changed = paths.filter(|path| self.0.get(*path) != later.0.get(*path));
        changed.cloned().collect()
    }
}

fn difference(path: &str, left: Option<&Entry>, right: Option<&Entry>) -> Option<String> {
    let (Some(left), Some(right)) = (left, right) else {
        let (side, entry) = match left {
            Some(entry) => ("missing now", entry),
            None => ("new", right?),
        };
        return Some(format!("{path}: {side}: {}", entry.shape));
    };
    if left.shape != right.shape {
        return Some(format!("{path}: {} instead of {}", right.shape, left.shape));
    }
    let excepted = EXCEPTIONS.iter().any(|(exception, _)| *exception == path);
    match (left.content == right.content, excepted) {
        (false, false) => Some(format!("{path}: its content differs{}", told(left, right))),
        (true, true) => Some(format!("{path}: an exception, but it does not differ")),
        _ => None,
    }
}

/// The lines that only one of two texts has, where the snapshot keeps the text.
fn told(left: &Entry, right: &Entry) -> String {
    let lines = |entry: &Entry| -> std::collections::BTreeSet<String> {
        entry.content.lines().map(str::to_owned).collect()
    };
    let (left, right) = (lines(left), lines(right));
    if left.len() < 2 || right.len() < 2 {
        return String::new();
    }
    let gone = left.difference(&right).map(|line| format!("\n  - {line}"));
    let come = right.difference(&left).map(|line| format!("\n  + {line}"));
    gone.chain(come).collect()
}

fn walk(root: &Path, dir: &Path, names: &Names, all: &mut BTreeMap<String, Entry>) {
    for name in fs::read_dir(dir).unwrap() {
        let path = name.unwrap().path();
        let meta = path.symlink_metadata().unwrap();
        let kind = meta.file_type();
        let (word, content) = if kind.is_dir() {
            ("directory", String::new())
        } else if kind.is_symlink() {
            let target = fs::read_link(&path).unwrap();
            ("symlink", target.to_string_lossy().into_owned())
        } else if kind.is_file() {
            ("file", content(&path))
        } else if kind.is_char_device() || kind.is_block_device() {
            ("device", meta.rdev().to_string())
        } else {
            ("special file", String::new())
        };
        let owner = names.owner(meta.uid(), meta.gid());
        let shape = format!("{word} {:04o} {owner}", meta.mode() & 0o7777);
        let name = path.strip_prefix(root).unwrap();
        all.insert(
            name.to_string_lossy().into_owned(),
            Entry { shape, content },
        );
        if kind.is_dir() {
            walk(root, &path, names, all);
        }
    }
}

fn content(path: &Path) -> String {
    let bytes = fs::read(path).unwrap();
    let text = String::from_utf8_lossy(&bytes);
    let is = |end: &&str| path.ends_with(end);
    if path.ends_with("etc/shadow") {
        // The day of the last change: two trees may be baked before and after midnight.
        arrange::fields(&text, &[0, 1, 3, 4, 5, 6, 7, 8]).join("\n")
    } else if SORTED.iter().any(is) {
        arrange::sorted(&text)
    } else if ARRANGED.iter().any(|(end, _)| is(end)) {
        text.into_owned()
    } else {
        nodeagent::host::root::sha256(&bytes)
    }
}

#[test]
fn every_kind_of_difference_is_seen() {
    let entry = |shape: &str, content: &str| Entry {
        shape: shape.to_owned(),
        content: content.to_owned(),
    };
    let of = |path: &str, shape: &str, content: &str| {
        let mut all = BTreeMap::from([("same".to_owned(), entry("file 0644 0:0", "1"))]);
        all.insert(path.to_owned(), entry(shape, content));
        Snapshot(all)
    };
    let (excepted, _) = EXCEPTIONS[0];
    let base = of("a", "file 0644 0:0", "1");
    let table = [
        (
            of("a", "file 0600 0:0", "1"),
            "a: file 0600 0:0 instead of file 0644 0:0",
        ),
        (
            of("a", "file 0644 0:7", "1"),
            "a: file 0644 0:7 instead of file 0644 0:0",
        ),
        (of("a", "file 0644 0:0", "2"), "a: its content differs"),
        (
            of("b", "file 0644 0:0", "1"),
            "a: missing now: file 0644 0:0\nb: new: file 0644 0:0",
        ),
        (of("a", "file 0644 0:0", "1"), ""),
    ];
    for (other, want) in table {
        assert_eq!(base.differences(&other).join("\n"), want);
    }
    let base = of(excepted, "file 0600 0:0", "1");
    let same = of(excepted, "file 0600 0:0", "1");
    assert!(base.differences(&same)[0].contains("does not differ"));
    assert_eq!(
        base.differences(&of(excepted, "file 0600 0:0", "2")).len(),
        0
    );
    assert_eq!(
        base.differences(&of(excepted, "file 0644 0:0", "2")).len(),
        1
    );
    assert_eq!(
        arrange::fields("a:!:20778::::::\nb:*:1:0:9:7:::", &[0, 1, 3, 4]),
        ["a:!::", "b:*:0:9"]
    );
}
