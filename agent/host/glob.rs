//! Patterns over paths below the root: `*`, `?`, `[…]` within a part, `**` as a part, `~/` for every home.
//! It is separate so that scrub and inventory expand names the same way and never follow a symlink out of a directory.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use crate::error::{Error, Result};
use crate::host::{FileKind, Meta, Root, accounts};

/// More names than this in one expansion are refused: a pattern that wide is a mistake, and memory is bounded.
const LIMIT: usize = 100_000;
/// `**` goes no deeper than this.
const DEPTH: usize = 64;

/// What a pattern stands for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expansion {
    /// Existing paths, sorted. A symlink that matches is here as itself.
    pub paths: Vec<String>,
    /// Symlinks in the middle of a match that lead to something and were not followed.
    pub not_followed: Vec<String>,
    /// Matching names that are not UTF-8 and so cannot be named; shown with replacement characters.
    pub not_named: Vec<String>,
}

/// Expands patterns. Literal leading parts may be symlinks (resolved inside the root); after the first wildcard
/// or a home no symlink is followed, because its directory may belong to somebody else than root.
/// Unlike a shell's, `*` also matches names that begin with a dot: leftovers hide there.
pub fn expand(root: &Root, patterns: &[String]) -> Result<Expansion> {
    let mut walk = Walk {
        root,
        paths: BTreeSet::new(),
        not_followed: BTreeSet::new(),
        not_named: BTreeSet::new(),
        seen: 0,
    };
    for pattern in patterns {
        walk.pattern(pattern)?;
    }
    Ok(Expansion {
        paths: walk.paths.into_iter().collect(),
        not_followed: walk.not_followed.into_iter().collect(),
        not_named: walk.not_named.into_iter().collect(),
    })
}

/// Whether a pattern is a plain path.
pub fn is_literal(pattern: &str) -> bool {
    !pattern.starts_with("~/") && !pattern.contains(['*', '?', '['])
}

/// Whether a name or line matches a pattern of `*`, `?` and `[…]`; a `[` that is never closed stands for itself.
pub fn matches(pattern: &str, name: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    let (mut at, mut pos) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while let Some(&letter) = name.get(pos) {
        if pattern.get(at) == Some(&'*') {
            star = Some((at, pos));
            at += 1;
        } else if let Some(width) = one(pattern.get(at..).unwrap_or_default(), letter) {
            at += width;
            pos += 1;
        } else if let Some((behind, from)) = star {
            // The last star takes one letter more; earlier ones never need to (linear in practice).
            star = Some((behind, from + 1));
            at = behind + 1;
            pos = from + 1;
        } else {
            return false;
        }
    }
    pattern
        .get(at..)
        .unwrap_or_default()
        .iter()
        .all(|c| *c == '*')
}

/// How many letters of the pattern match this one letter; none when they do not.
fn one(pattern: &[char], letter: char) -> Option<usize> {
    match pattern {
        ['?', ..] => Some(1),
        ['[', rest @ ..] => match class(rest, letter) {
            Some((true, width)) => Some(width + 1),
            Some((false, _)) => None,
            None => (letter == '[').then_some(1),
        },
        [same, ..] if *same == letter => Some(1),
        _ => None,
    }
}

/// Whether the letter is in the class that begins here, and the class's width with its `]`.
fn class(rest: &[char], letter: char) -> Option<(bool, usize)> {
    let negated = matches!(rest.first(), Some('!' | '^'));
    let start = usize::from(negated);
    // A `]` in the first place is a member.
    let end = start + 1 + rest.get(start + 1..)?.iter().position(|c| *c == ']')?;
    let mut members = rest.get(start..end)?;
    let mut found = false;
    while let [low, tail @ ..] = members {
        if let ['-', high, more @ ..] = tail {
            found |= (*low..=*high).contains(&letter);
            members = more;
        } else {
            found |= *low == letter;
            members = tail;
        }
    }
    Some((found != negated, end + 1))
}

struct Walk<'r> {
    root: &'r Root,
    paths: BTreeSet<String>,
    not_followed: BTreeSet<String>,
    not_named: BTreeSet<String>,
    seen: usize,
}

impl Walk<'_> {
    fn pattern(&mut self, pattern: &str) -> Result<()> {
        if let Some(rest) = pattern.strip_prefix("~/") {
            let parts: Vec<&str> = rest.split('/').collect();
            let hidden = rest.starts_with('.');
            for home in accounts::homes(self.root)? {
                if hidden || !accounts::is_system_directory(&home) {
                    self.below(&home, &parts)?;
                }
            }
            return Ok(());
        }
        let parts: Vec<&str> = pattern.split('/').filter(|part| !part.is_empty()).collect();
        let literal = parts.iter().take_while(|part| is_literal(part)).count();
        let (fixed, wild) = parts.split_at_checked(literal).unwrap_or_default();
        let base = format!("/{}", fixed.join("/"));
        if wild.is_empty() {
            if self.root.present(&base)? {
                self.paths.insert(base);
            }
            return Ok(());
        }
        self.below(base.trim_end_matches('/'), wild)
    }

    /// Matches the remaining parts below a directory.
    fn below(&mut self, dir: &str, parts: &[&str]) -> Result<()> {
        let Some((part, rest)) = parts.split_first() else {
            return Ok(());
        };
        if *part == "**" {
            return self.any_depth(dir, rest, DEPTH);
        }
        let names = if is_literal(part) {
            vec![(*part).to_owned()]
        } else {
            let mut names = self.list(dir)?;
            names.retain(|name| matches(part, name));
            names
        };
        for name in names {
            self.step(&format!("{dir}/{name}"), rest)?;
        }
        Ok(())
    }

    fn step(&mut self, path: &str, rest: &[&str]) -> Result<()> {
        let Some(meta) = self.look(path)? else {
            return Ok(());
        };
        match (rest.is_empty(), meta.kind) {
            (true, _) => {
                self.paths.insert(path.to_owned());
                Ok(())
            }
            (false, FileKind::Directory) => self.below(path, rest),
            (false, FileKind::Symlink) => self.leave(path, rest),
            (false, _) => Ok(()),
        }
    }

    /// Metadata of a name that was listed; none when it went away, or when its bytes are no text and it is noted.
    fn look(&mut self, path: &str) -> Result<Option<Meta>> {
        let meta = self.root.meta(path)?;
        if meta.is_none() && path.contains(char::REPLACEMENT_CHARACTER) {
            self.not_named.insert(path.to_owned());
        }
        Ok(meta)
    }

    /// Notes a symlink that would have led on; whether what lies behind would match is not looked at further.
    fn leave(&mut self, link: &str, rest: &[&str]) -> Result<()> {
        let leads = if rest.iter().all(|part| is_literal(part)) {
            self.root.present(&format!("{link}/{}", rest.join("/")))?
        } else {
            let behind = self.root.meta_followed(link)?;
            behind.is_some_and(|meta| meta.kind == FileKind::Directory)
        };
        if leads {
            self.not_followed.insert(link.to_owned());
        }
        Ok(())
    }

    /// `**`: the rest here and in every directory below; alone at the end, everything below.
    fn any_depth(&mut self, dir: &str, rest: &[&str], depth: usize) -> Result<()> {
        if depth == 0 {
            return Err(Error::host(format!(
                "match below {dir}: deeper than {DEPTH} directories"
            )));
        }
        if !rest.is_empty() {
            self.below(dir, rest)?;
        }
        for name in self.list(dir)? {
            let path = format!("{dir}/{name}");
            let Some(meta) = self.look(&path)? else {
                continue;
            };
            if rest.is_empty() {
                self.paths.insert(path.clone());
            }
            if meta.kind == FileKind::Directory {
                self.any_depth(&path, rest, depth - 1)?;
            }
        }
        Ok(())
    }

    fn list(&mut self, dir: &str) -> Result<Vec<String>> {
        let at = if dir.is_empty() { "/" } else { dir };
        let kind = self.root.meta_followed(at)?.map(|meta| meta.kind);
        if kind != Some(FileKind::Directory) {
            return Ok(Vec::new());
        }
        let names = self.root.list(at)?;
        self.seen += names.len();
        if self.seen > LIMIT {
            return Err(
                Error::host(format!("match names in {at}: more than {LIMIT} names"))
                    .hint("use a narrower pattern"),
            );
        }
        Ok(names)
    }
}
