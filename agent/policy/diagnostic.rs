//! A mistake in a policy, with its exact place and what would be right.
//! It is separate because every step of loading collects mistakes and none stops at the first.

use std::fmt::{self, Write as _};

use serde::Serialize;

/// Widest part of a line that is shown.
const SHOWN: usize = 110;
/// Characters kept before the caret when a line is cut.
const BEFORE: usize = 40;

/// More mistakes than anybody reads: the wrong file was named.
const MANY: usize = 500;

/// Whether loading fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Nothing is loaded.
    Error,
    /// The policy is loaded all the same.
    Warning,
}

impl Severity {
    fn word(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        }
    }
}

/// A stretch of one line of one file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Position {
    /// The file as it is shown: the name of a shipped fragment, the path of a site file, `--set`.
    pub file: String,
    /// Line, from 1; 0 for the file as a whole.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Number of characters.
    pub width: usize,
    /// The line.
    pub text: String,
}

impl Position {
    /// The file as a whole.
    pub fn file(file: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            line: 0,
            column: 0,
            width: 0,
            text: String::new(),
        }
    }

    /// `FILE:LINE`, as entries keep it.
    pub fn origin(&self) -> String {
        format!("{}:{}", self.file, self.line)
    }

    fn gutter(&self) -> usize {
        self.line.to_string().len()
    }

    fn render(&self, gutter: usize, arrow: &str, label: &str, out: &mut String) -> fmt::Result {
        if self.line == 0 {
            return writeln!(out, "{:gutter$}{arrow} {}", "", self.file);
        }
        let (text, column) = self.window();
        writeln!(
            out,
            "{:gutter$}{arrow} {}:{}:{}",
            "", self.file, self.line, self.column
        )?;
        writeln!(out, "{:gutter$} |", "")?;
        writeln!(out, "{:>gutter$} | {text}", self.line)?;
        let room = (SHOWN + 2).saturating_sub(column).max(1);
        let carets = "^".repeat(self.width.clamp(1, room));
        let line = format!("{:gutter$} | {:column$}{carets} {label}", "", "");
        writeln!(out, "{}", line.trim_end())
    }

    /// The line as printed, without tabs and control characters and cut around the caret; and the caret's offset.
    fn window(&self) -> (String, usize) {
        let clean = |c: char| if c == '\t' { ' ' } else { c };
        let offset = self.column.saturating_sub(1);
        let length = self.text.chars().count();
        if length <= SHOWN {
            return (self.text.chars().map(clean).collect(), offset);
        }
        let from = offset.saturating_sub(BEFORE);
        let head = if from > 0 { "…" } else { "" };
        let tail = if from + SHOWN < length { "…" } else { "" };
        let middle: String = self
            .text
            .chars()
            .skip(from)
            .take(SHOWN)
            .map(clean)
            .collect();
        (
            format!("{head}{middle}{tail}"),
            offset - from + usize::from(from > 0),
        )
    }
}

/// A second place that a mistake is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Note {
    /// Where.
    pub at: Position,
    /// What is there.
    pub message: String,
}

/// One mistake; ordered by place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Diagnostic {
    /// Where.
    pub at: Position,
    /// Error or warning.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// Other places.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Note>,
    /// What would be right.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error.
    pub fn error(at: Position, message: impl Into<String>) -> Self {
        Self {
            at,
            severity: Severity::Error,
            message: message.into(),
            notes: Vec::new(),
            help: None,
        }
    }

    /// A warning.
    pub fn warning(at: Position, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(at, message)
        }
    }

    /// Adds what would be right.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds another place.
    #[must_use]
    pub fn note(mut self, at: Position, message: impl Into<String>) -> Self {
        self.notes.push(Note {
            at,
            message: message.into(),
        });
        self
    }

    fn render(&self, out: &mut String) -> fmt::Result {
        let notes = self.notes.iter().map(|n| n.at.gutter());
        let gutter = notes.fold(self.at.gutter(), usize::max);
        writeln!(out, "{}: {}", self.severity.word(), self.message)?;
        self.at.render(gutter, "-->", "", out)?;
        for note in &self.notes {
            note.at.render(gutter, ":::", &note.message, out)?;
        }
        if let Some(help) = &self.help {
            writeln!(out, "{:gutter$} = help: {help}", "")?;
        }
        Ok(())
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        self.render(&mut text)?;
        // Keys and values of a policy stand in messages: they must not steer the terminal.
        let clean = |c: char| {
            if c.is_control() && c != '\n' {
                '\u{fffd}'
            } else {
                c
            }
        };
        f.write_str(&text.chars().map(clean).collect::<String>())
    }
}

/// All mistakes of one load, as the cause of an [`crate::error::Error`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mistakes(pub Vec<Diagnostic>);

impl Mistakes {
    /// The mistakes behind an error, when it comes from loading a policy.
    pub fn of(error: &crate::error::Error) -> Option<&Mistakes> {
        std::error::Error::source(error)?.downcast_ref()
    }

    /// Sorts by place and drops what was found twice.
    #[must_use]
    pub fn sorted(mut list: Vec<Diagnostic>) -> Self {
        list.sort();
        list.dedup();
        Self(list)
    }

    /// How many are errors.
    pub fn errors(&self) -> usize {
        let errors = self.0.iter().filter(|d| d.severity == Severity::Error);
        errors.count()
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, mistake) in self.0.iter().take(MANY).enumerate() {
            if number > 0 {
                writeln!(f)?;
            }
            mistake.fmt(f)?;
        }
        match self.0.len().checked_sub(MANY) {
            None | Some(0) => Ok(()),
            Some(more) => writeln!(f, "\nand {more} more; --json of `policy check` has all"),
        }
    }
}

impl std::error::Error for Mistakes {}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str, column: usize, width: usize) -> Position {
        Position {
            file: "x.toml".into(),
            line: 12,
            column,
            width,
            text: text.into(),
        }
    }

    #[test]
    fn the_caret_stands_below_the_word() {
        let mistake = Diagnostic::error(at("\tmode = 5", 9, 1), "`mode` must be a string")
            .help("write \"0755\"");
        let want = "error: `mode` must be a string\n  --> x.toml:12:9\n   |\n12 |  mode = 5\n   |         ^\n   = help: write \"0755\"\n";
        assert_eq!(mistake.to_string(), want);
    }

    #[test]
    fn nobody_gets_more_than_can_be_read() {
        let one = Diagnostic::error(at("a", 1, 1), "m");
        let text = |n: usize| Mistakes(vec![one.clone(); n]).to_string();
        assert_eq!(text(MANY).matches("error: m").count(), MANY);
        assert!(!text(MANY).contains("more"));
        assert_eq!(text(MANY + 7).matches("error: m").count(), MANY);
        assert!(text(MANY + 7).ends_with("and 7 more; --json of `policy check` has all\n"));
    }

    #[test]
    fn a_long_line_is_cut_around_the_caret_and_escapes_do_not_reach_the_terminal() {
        let text = format!("{}\u{1b}[31mX{}", "a".repeat(300), "b".repeat(300));
        let shown = Diagnostic::error(at(&text, 306, 500), "m").to_string();
        let lines: Vec<&str> = shown.lines().collect();
        let caret = lines[4].chars().position(|c| c == '^').unwrap();
        assert_eq!(lines[3].chars().nth(caret), Some('X'));
        assert!(lines.iter().all(|l| l.chars().count() < 125), "{shown}");
        assert!(!shown.contains('\u{1b}'));
        let told = Diagnostic::error(at("a", 1, 1), "unknown key `\u{1b}[2J`").to_string();
        assert!(told.contains("`\u{fffd}[2J`"), "{told}");
    }
}
