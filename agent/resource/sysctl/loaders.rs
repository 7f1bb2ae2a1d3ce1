//! Which line wins for a key, by the rules of each of the two programs that load sysctl files.
//! It is separate because the two differ: what wins at boot may lose to `sysctl --system` and the other way round.
//!
//! Rules as sysctl.d(5) of systemd 252 and the source of procps 4.0.2 have them, both tried against the programs.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::error::Result;
use crate::host::kernel::sysctl_path;
use crate::host::{FileKind, Root, glob};

/// Directories of both programs, the first that has a name wins that name.
const DIRS: [&str; 5] = [
    "/etc/sysctl.d",
    "/run/sysctl.d",
    "/usr/local/lib/sysctl.d",
    "/usr/lib/sysctl.d",
    "/lib/sysctl.d",
];

/// A line that sets a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// The value.
    pub value: String,
    /// The file.
    pub file: String,
    /// The line's number.
    pub line: usize,
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} from {}:{}", self.value, self.file, self.line)
    }
}

/// A line of a file: a key or pattern, and what it is set to; none for `-key`, which keeps patterns off it.
#[derive(Debug, Clone)]
struct Line {
    key: String,
    setting: Option<Setting>,
    /// A blank follows the leading dash: systemd passes over it, procps takes it as part of the name.
    blank: bool,
}

impl Line {
    fn is_pattern(&self) -> bool {
        self.key.contains(['*', '?', '['])
    }

    /// Whether a pattern stands for a key; no wildcard crosses a slash.
    fn covers(&self, key: &str) -> bool {
        self.key.split('/').count() == key.split('/').count()
            && self
                .key
                .split('/')
                .zip(key.split('/'))
                .all(|(pattern, part)| glob::matches(pattern, part))
    }
}

/// All lines, as each program orders them.
#[derive(Debug, Default)]
pub(crate) struct Loaders {
    /// By key, with the place that counts among patterns.
    systemd: BTreeMap<String, (usize, Line)>,
    next: usize,
    procps: Vec<Line>,
}

impl Loaders {
    /// Reads every file that either program would.
    pub(crate) fn read(root: &Root) -> Result<Self> {
        let mut names: BTreeMap<String, String> = BTreeMap::new();
        for dir in DIRS {
            for name in root.list(dir)? {
                // Both programs compare the ending as bytes.
                if name.as_bytes().ends_with(b".conf") {
                    let path = format!("{dir}/{name}");
                    names.entry(name).or_insert(path);
                }
            }
        }
        let mut loaders = Self::default();
        for (name, path) in &names {
            for line in lines(root, path)? {
                // Hidden files are procps's alone.
                if !name.starts_with('.') {
                    loaders.add(line.clone());
                }
                loaders.procps.push(line);
            }
        }
        loaders.procps.extend(lines(root, "/etc/sysctl.conf")?);
        loaders.procps.retain(|line| !line.blank);
        Ok(loaders)
    }

    /// systemd keeps one line a key; a different value moves the key behind all others.
    fn add(&mut self, line: Line) {
        let value = |line: &Line| line.setting.as_ref().map(|s| s.value.clone());
        let known = self.systemd.get(&line.key);
        if known.is_none_or(|(_, known)| value(known) != value(&line)) {
            self.next += 1;
            self.systemd.insert(line.key.clone(), (self.next, line));
        }
    }

    /// The line that systemd-sysctl takes for a key.
    pub(crate) fn systemd(&self, key: &str) -> Option<Setting> {
        let key = sysctl_path(key);
        if let Some((_, line)) = self.systemd.get(&key) {
            return line.setting.clone();
        }
        let patterns = self.systemd.values().filter(|(_, line)| line.is_pattern());
        let covering = patterns.filter(|(_, line)| line.setting.is_some() && line.covers(&key));
        let last = covering.max_by_key(|(place, _)| *place)?;
        last.1.setting.clone()
    }

    /// The line that `sysctl --system` takes last for a key.
    pub(crate) fn procps(&self, key: &str) -> Option<Setting> {
        let key = sysctl_path(key);
        if self.procps.iter().any(|line| line.key == key) {
            let mut named = self.procps.iter().rev().filter(|line| line.key == key);
            return named.find_map(|line| line.setting.clone());
        }
        let mut patterns = self.procps.iter().rev().filter(|line| line.is_pattern());
        let last = patterns.find(|line| line.setting.is_some() && line.covers(&key))?;
        last.setting.clone()
    }
}

/// Lines of a file; a link to nothing or to /dev/null, as used to mask a file, has none.
fn lines(root: &Root, path: &str) -> Result<Vec<Line>> {
    let meta = root.meta_followed(path)?;
    if meta.is_none_or(|meta| meta.kind != FileKind::File) {
        return Ok(Vec::new());
    }
    let bytes = root.read(path)?.unwrap_or_default();
    Ok(parse(&String::from_utf8_lossy(&bytes), path))
}

fn parse(text: &str, file: &str) -> Vec<Line> {
    let numbered = text.lines().zip(1usize..);
    numbered
        .filter_map(|(line, number)| one(line.trim(), file, number))
        .collect()
}

fn one(line: &str, file: &str, number: usize) -> Option<Line> {
    if line.is_empty() || line.starts_with(['#', ';']) {
        return None;
    }
    let (key, value) = match line.split_once('=') {
        Some((key, value)) => (key, Some(value.trim())),
        // Without a value only an exclusion means something.
        None if line.starts_with('-') => (line, None),
        None => return None,
    };
    let key = key.strip_prefix('-').unwrap_or(key);
    Some(Line {
        key: sysctl_path(key),
        setting: value.map(|value| Setting {
            value: value.to_owned(),
            file: file.to_owned(),
            line: number,
        }),
        blank: key.starts_with(char::is_whitespace),
    })
}
