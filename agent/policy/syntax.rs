//! TOML with positions: one pass that reports every syntax error and still hands over what it could read.
//! It is separate so that the parser's messages become advice in one place.

use std::collections::BTreeSet;
use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::diagnostic::Diagnostic;
use super::source::Source;

/// A value with its place in the file.
pub(crate) type Node<'a> = toml::Spanned<DeValue<'a>>;

/// A parsed file with its syntax errors.
#[derive(Debug)]
pub(crate) struct Document<'a> {
    /// Where it comes from.
    pub(crate) source: &'a Source,
    /// What could be read.
    pub(crate) table: DeTable<'a>,
    /// Syntax errors.
    pub(crate) errors: Vec<Diagnostic>,
    /// Lines with a syntax error.
    lines: BTreeSet<usize>,
    /// Line from which on nothing that was read can be trusted.
    cut: Option<usize>,
}

impl<'a> Document<'a> {
    /// Parses.
    pub(crate) fn parse(source: &'a Source) -> Self {
        let (table, found) = DeTable::parse_recoverable(&source.text);
        let mut errors: Vec<Diagnostic> = Vec::new();
        let mut lines = BTreeSet::new();
        let mut cut = None;
        let mut found: Vec<_> = found.iter().map(|e| (start(e.span()), e)).collect();
        found.sort_by_key(|(at, _)| *at);
        let unclosed = found
            .iter()
            .any(|(_, e)| e.message().starts_with("unclosed"));
        for (at, error) in found {
            let span = error.span().unwrap_or(at..at);
            let place = source.at(span.clone());
            let line = place.line;
            if cut.is_some() || !lines.insert(line) {
                continue;
            }
            // A header inside an open bracket is read as a value of it.
            let header = unclosed && place.text.trim_start().starts_with('[');
            let said = if header { OPEN } else { error.message() };
            if loses_the_rest(said) {
                cut = Some(line);
            }
            errors.push(explain(source, said, span, place));
        }
        Self {
            source,
            table: table.into_inner(),
            errors,
            lines,
            cut,
        }
    }

    /// Whether everything in the file was read.
    pub(crate) fn whole(&self) -> bool {
        self.errors.is_empty()
    }

    /// Whether the end of the file was not understood.
    pub(crate) fn torn(&self) -> bool {
        self.cut.is_some()
    }

    /// Whether a mistake found in what was read is more than a consequence of a syntax error.
    pub(crate) fn trusts(&self, mistake: &Diagnostic) -> bool {
        let line = mistake.at.line;
        self.cut.is_none_or(|cut| line < cut) && !self.lines.contains(&line)
    }
}

fn start(span: Option<Range<usize>>) -> usize {
    span.map_or(0, |s| s.start)
}

/// What the parser says first after a bracket was left open.
const OPEN: &str = "missing comma";

/// After an open bracket the parser takes all that follows for its content.
fn loses_the_rest(message: &str) -> bool {
    message.starts_with("unclosed")
        || message.starts_with(OPEN)
        || message.contains("multi-line")
        || message.starts_with("cannot recurse")
}

fn explain(
    source: &Source,
    message: &str,
    span: Range<usize>,
    place: super::diagnostic::Position,
) -> Diagnostic {
    let at = span.start;
    let word = source.slice(span);
    let (said, help) = match message {
        m if m.starts_with("unexpected leading zero") => (
            "a number cannot start with 0".to_owned(),
            format!("modes are written in quotes: \"{}\"", number_at(source, at)),
        ),
        m if m.starts_with("string values must be quoted") => (
            "this text has no quotes".to_owned(),
            format!("write \"{word}\""),
        ),
        m if m.starts_with("invalid basic string") || m.starts_with("invalid literal string") => (
            "the text is not closed, or holds a character that needs an escape".to_owned(),
            "end it with the quote it starts with; write \\\\ for a backslash, or use '…'"
                .to_owned(),
        ),
        "duplicate key" if place.text.trim_start().starts_with('[') => (
            format!("`{word}` is here twice, and not as a list of entries"),
            format!("write [[{word}]], with two brackets, once for each entry"),
        ),
        "duplicate key" => (
            format!("`{word}` is here twice"),
            "remove one of them".to_owned(),
        ),
        m if m.starts_with(OPEN) => (
            "a bracket further up is still open here, or a comma is missing".to_owned(),
            "close it with ] or }, or separate the parts with a comma; the rest of the file was not checked"
                .to_owned(),
        ),
        m if m.starts_with("unclosed") => (
            m.replace(", expected", ": expected"),
            "the bracket was opened further up; the rest of the file was not checked".to_owned(),
        ),
        m => (
            m.to_owned(),
            "it must be TOML: key = \"text\", key = true, key = [\"a\", \"b\"], [table] or [[entry]]"
                .to_owned(),
        ),
    };
    Diagnostic::error(place, format!("syntax: {said}")).help(help)
}

fn number_at(source: &Source, at: usize) -> &str {
    let rest = source.slice(at..source.text.len());
    let end = rest
        .find(|c: char| !c.is_ascii_alphanumeric())
        .unwrap_or(rest.len());
    rest.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<usize> {
        let source = Source::new("f", text.as_bytes()).unwrap();
        let document = Document::parse(&source);
        document.errors.iter().map(|e| e.at.line).collect()
    }

    #[test]
    fn every_syntax_error_is_reported_once() {
        let table: [(&str, &[usize]); 5] = [
            ("a = 1\n", &[]),
            ("a = 0644\nb = \"x\nc = root\na = 2\n", &[1, 2, 3, 4]),
            ("a = [1,\n[[file]]\nb = 1\nc = 2\n", &[2]),
            ("= 1\n[x\ny = 1\n", &[1, 2]),
            ("", &[]),
        ];
        for (text, want) in table {
            assert_eq!(lines(text), want, "{text:?}");
        }
    }

    #[test]
    fn what_follows_from_a_syntax_error_is_not_trusted() {
        let source = Source::new("f", b"a = 1\nb = root\nc = [1,\nd = 2\ne = 3\n").unwrap();
        let document = Document::parse(&source);
        let trusted = |line_start: usize| {
            let at = source.at(line_start..line_start + 1);
            document.trusts(&Diagnostic::error(at, "x"))
        };
        assert!(document.torn() && !document.whole());
        // Lines 1, 2 (has an error), 4 (after the open bracket).
        assert!(trusted(0));
        assert!(!trusted(6));
        assert!(!trusted(24));
    }

    #[test]
    fn a_deeply_nested_file_is_refused_and_not_followed() {
        let deep = format!("a = {}", "[".repeat(5000));
        assert!(!lines(&deep).is_empty());
    }
}
