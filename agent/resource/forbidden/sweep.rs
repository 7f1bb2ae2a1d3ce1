//! Walking through a tree once for one entry: files that match, read up to a limit, and judged line by line.
//! It is separate because it is bounded on all sides: what it reads was written by anybody.

use std::collections::BTreeSet;

use super::pattern::{Line, Paths};
use super::{Forbidden, Found, Seen};
use crate::error::Result;
use crate::host::{FileKind, Meta, Root};

/// Larger files are not read: configuration, keys and tokens are small.
pub(super) const LIMIT: u64 = 1 << 20;
/// A file with a zero byte so early is no text.
const HEAD: usize = 8000;

/// Looks for what an entry forbids.
pub(super) fn sweep(entry: &Forbidden, root: &Root) -> Result<Seen> {
    let mut seen = Seen::default();
    let rules: Vec<Line> = entry
        .contents
        .iter()
        .filter_map(|(rule, pattern)| Line::new(rule, pattern))
        .collect();
    if rules.is_empty() && !entry.contents.is_empty() {
        seen.void = true;
        return Ok(seen);
    }
    for (path, meta) in files(entry, root)? {
        judge(entry, &rules, root, (&path, meta), &mut seen)?;
    }
    seen.found.sort();
    Ok(seen)
}

/// The files that the patterns match, each once, by their paths.
fn files(entry: &Forbidden, root: &Root) -> Result<Vec<(String, Meta)>> {
    let wanted = Paths::of(&entry.paths, root)?;
    let except = Paths::of(&entry.except, root)?;
    let mut found = Vec::new();
    let mut starts: BTreeSet<String> = BTreeSet::new();
    for (path, whole) in wanted.iter().map(Paths::start) {
        if !whole {
            starts.insert(path);
        } else if let Some(meta) = root.meta(&path)?.filter(is_file) {
            found.push((path, meta));
        }
    }
    while let Some(start) = starts.pop_first() {
        // What lies below is seen on the way, unless it is another file system.
        let inside = |other: &String| other.starts_with(&format!("{start}/")) || start.is_empty();
        starts.retain(|other| !inside(other));
        let device = root.meta_followed(&start)?.map(|meta| meta.device);
        root.walk_from(&start, &mut |path, meta| {
            if except.iter().any(|pattern| pattern.matches(path)) {
                return false;
            }
            if is_file(meta) && wanted.iter().any(|pattern| pattern.matches(path)) {
                found.push((path.to_owned(), *meta));
            }
            if meta.kind == FileKind::Directory && Some(meta.device) != device {
                starts.insert(path.to_owned());
            }
            true
        })?;
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found.dedup_by(|a, b| a.0 == b.0);
    Ok(found)
}

fn is_file(meta: &Meta) -> bool {
    meta.kind == FileKind::File
}

fn judge(
    entry: &Forbidden,
    rules: &[Line],
    root: &Root,
    (path, meta): (&str, Meta),
    seen: &mut Seen,
) -> Result<()> {
    let hits = if entry.contents.is_empty() {
        vec![(None, String::new())]
    } else if meta.size > LIMIT {
        seen.large += 1;
        return Ok(());
    } else if path.contains(char::REPLACEMENT_CHARACTER) && !root.present(path)? {
        let why = "its name is not UTF-8: remove it, or give it another name";
        seen.unjudged.push((path.to_owned(), why.to_owned()));
        return Ok(());
    } else {
        let bytes = root.read(path)?.unwrap_or_default();
        lines(rules, &bytes)
    };
    if hits.is_empty() {
        return Ok(());
    }
    if entry.accept.contains_key(path) {
        seen.accepted.push(path.to_owned());
        return Ok(());
    }
    let found = hits.into_iter().map(|(line, rule)| Found {
        path: path.to_owned(),
        line,
        rule,
    });
    seen.found.extend(found);
    Ok(())
}

/// The first line of each rule that a text file breaks.
fn lines(rules: &[Line], bytes: &[u8]) -> Vec<(Option<usize>, String)> {
    if bytes
        .get(..bytes.len().min(HEAD))
        .unwrap_or_default()
        .contains(&0)
    {
        return Vec::new();
    }
    let text = String::from_utf8_lossy(bytes);
    let hits = rules.iter().filter_map(|rule| {
        let line = rule.first(&text)?;
        Some((Some(line), rule.rule.clone()))
    });
    hits.collect()
}
