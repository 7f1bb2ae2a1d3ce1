//! Patterns of a sweep: of whole paths, and of lines with a literal part that is looked for first.
//! It is separate because speed comes from here: most files hold no literal, and are never looked at line by line.

use crate::error::Result;
use crate::host::{Root, accounts, glob};

/// A pattern of paths, part by part; `**` stands for any number of parts.
#[derive(Debug, Clone)]
pub(super) struct Paths {
    parts: Vec<String>,
}

impl Paths {
    /// The patterns that a text stands for: `~/` is one for each home.
    pub(super) fn of(texts: &[String], root: &Root) -> Result<Vec<Self>> {
        let mut all = Vec::new();
        for text in texts {
            let Some(rest) = text.strip_prefix("~/") else {
                all.push(Self::new(text));
                continue;
            };
            for home in accounts::homes(root)? {
                if rest.starts_with('.') || !accounts::is_system_directory(&home) {
                    all.push(Self::new(&format!("{home}/{rest}")));
                }
            }
        }
        Ok(all)
    }

    fn new(text: &str) -> Self {
        let parts = text.split('/').filter(|part| !part.is_empty());
        Self {
            parts: parts.map(str::to_owned).collect(),
        }
    }

    /// The directory below which all matches lie, without the last slash; and whether the pattern is that path itself.
    pub(super) fn start(&self) -> (String, bool) {
        let fixed = self.parts.iter().take_while(|part| glob::is_literal(part));
        let fixed: Vec<&str> = fixed.map(String::as_str).collect();
        let whole = fixed.len() == self.parts.len();
        let path: String = fixed.iter().flat_map(|part| ["/", part]).collect();
        (path, whole)
    }

    /// Whether a path matches.
    pub(super) fn matches(&self, path: &str) -> bool {
        let names: Vec<&str> = path.split('/').filter(|name| !name.is_empty()).collect();
        fits(&self.parts, &names)
    }
}

fn fits(parts: &[String], names: &[&str]) -> bool {
    match (parts.split_first(), names.split_first()) {
        (None, None) => true,
        (Some((part, rest)), _) if part == "**" && rest.is_empty() => !names.is_empty(),
        (Some((part, rest)), _) if part == "**" => {
            (0..names.len()).any(|at| fits(rest, names.get(at..).unwrap_or_default()))
        }
        (Some((part, rest)), Some((name, more))) => {
            let same = if glob::is_literal(part) {
                part == name
            } else {
                glob::matches(part, name)
            };
            same && fits(rest, more)
        }
        _ => false,
    }
}

/// A pattern of lines.
#[derive(Debug, Clone)]
pub(super) struct Line {
    /// Name of the rule.
    pub(super) rule: String,
    pattern: String,
    literal: String,
}

impl Line {
    /// The pattern; none when it names no text, as when its variable is empty.
    pub(super) fn new(rule: &str, pattern: &str) -> Option<Self> {
        let literal = longest_literal(pattern);
        (!literal.is_empty()).then(|| Self {
            rule: rule.to_owned(),
            pattern: pattern.to_owned(),
            literal,
        })
    }

    /// Number of the first line that matches.
    pub(super) fn first(&self, text: &str) -> Option<usize> {
        if !text.contains(&self.literal) {
            return None;
        }
        let mut lines = text.lines().zip(1usize..);
        let hit = lines
            .find(|(line, _)| line.contains(&self.literal) && glob::matches(&self.pattern, line));
        hit.map(|(_, number)| number)
    }
}

/// The longest run of a pattern that stands for itself.
fn longest_literal(pattern: &str) -> String {
    let mut runs = vec![String::new()];
    let mut letters = pattern.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '*' | '?' => runs.push(String::new()),
            '[' => {
                // A class ends at the first `]` that is not its first member.
                let mut first = true;
                for inner in letters.by_ref() {
                    if inner == ']' && !first {
                        break;
                    }
                    first = first && matches!(inner, '!' | '^');
                }
                runs.push(String::new());
            }
            letter => runs.last_mut().into_iter().for_each(|run| run.push(letter)),
        }
    }
    runs.into_iter().max_by_key(String::len).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_match_part_by_part() {
        let table = [
            ("/etc/**", "/etc/a", true),
            ("/etc/**", "/etc/a/b/c", true),
            ("/etc/**", "/etc", false),
            ("/etc/**/cloud.conf", "/etc/cloud.conf", true),
            ("/etc/**/cloud.conf", "/etc/a/b/cloud.conf", true),
            ("/etc/**/cloud.conf", "/etc/a/cloud.conf.d", false),
            ("/var/lib/x", "/var/lib/x", true),
            ("/var/lib/x", "/var/lib/x/y", false),
            ("/a/*.key", "/a/b.key", true),
            ("/a/*.key", "/a/b/c.key", false),
        ];
        for (pattern, path, want) in table {
            assert_eq!(Paths::new(pattern).matches(path), want, "{pattern} {path}");
        }
    }

    #[test]
    fn a_pattern_starts_where_its_wildcards_do() {
        let table = [
            ("/etc/**", "/etc", false),
            ("/var/lib/*/x", "/var/lib", false),
            ("/etc/shadow", "/etc/shadow", true),
            ("/*", "", false),
        ];
        for (pattern, start, whole) in table {
            assert_eq!(Paths::new(pattern).start(), (start.to_owned(), whole));
        }
    }

    #[test]
    fn the_literal_is_the_longest_run_of_plain_letters() {
        let table = [
            ("*-----BEGIN *PRIVATE KEY-----*", "PRIVATE KEY-----"),
            ("*AKIA[A-Z0-9][A-Z0-9]*", "AKIA"),
            ("[]x]abc", "abc"),
            ("[!]x]abc", "abc"),
            ("**", ""),
        ];
        for (pattern, want) in table {
            assert_eq!(longest_literal(pattern), want, "{pattern}");
        }
    }

    #[test]
    fn the_first_line_counts_and_an_empty_pattern_is_none() {
        let line = Line::new("r", "*OS_PASSWORD=?*").unwrap();
        assert_eq!(
            line.first("a\nexport OS_PASSWORD=x\nOS_PASSWORD=y\n"),
            Some(2)
        );
        assert_eq!(line.first("OS_PASSWORD=\n"), None);
        assert!(Line::new("r", "**").is_none());
    }
}
