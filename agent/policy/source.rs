//! One policy file in memory, and the way from byte offsets to lines and columns.
//! It is separate so that every mistake is placed by the same arithmetic.

use std::ops::Range;

use super::diagnostic::{Diagnostic, Position};

/// Largest policy file that is read; a whole image profile is below 100 KiB.
pub(crate) const MAX_BYTES: usize = 1024 * 1024;

/// The text of one policy file.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    /// The file as it is shown.
    pub(crate) shown: String,
    /// Its text.
    pub(crate) text: String,
    /// Offsets at which lines start.
    lines: Vec<usize>,
}

impl Source {
    /// Takes the bytes of a file when they are text of a sane size.
    pub(crate) fn new(shown: &str, bytes: &[u8]) -> Result<Self, Box<Diagnostic>> {
        if bytes.len() > MAX_BYTES {
            let message = format!(
                "the file has {} bytes, more than the {MAX_BYTES} that are read",
                bytes.len()
            );
            let mistake = Diagnostic::error(Position::file(shown), message);
            return Err(Box::new(
                mistake.help("a policy file is small; is this the right file?"),
            ));
        }
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Self {
                shown: shown.to_owned(),
                text: text.to_owned(),
                lines: std::iter::once(0)
                    .chain(text.match_indices('\n').map(|(at, _)| at + 1))
                    .collect(),
            }),
            Err(error) => Err(Box::new(not_text(shown, bytes, error.valid_up_to()))),
        }
    }

    /// The position of a span; one that goes over several lines ends with the first.
    pub(crate) fn at(&self, span: Range<usize>) -> Position {
        let start = self.floor(span.start);
        let end = self.floor(span.end.max(start));
        let line = self.lines.partition_point(|begin| *begin <= start);
        let line_start = line
            .checked_sub(1)
            .and_then(|index| self.lines.get(index).copied())
            .unwrap_or_default();
        let rest = self.text.get(line_start..).unwrap_or_default();
        let text = rest.lines().next().unwrap_or_default();
        let line_end = line_start + text.len();
        let width = self
            .text
            .get(start..end.min(line_end).max(start))
            .map_or(0, |s| s.chars().count());
        Position {
            file: self.shown.clone(),
            line,
            column: self
                .text
                .get(line_start..start)
                .map_or(1, |s| s.chars().count() + 1),
            width: width.max(1),
            text: text.to_owned(),
        }
    }

    /// The text of a span.
    pub(crate) fn slice(&self, span: Range<usize>) -> &str {
        self.text.get(span).unwrap_or_default()
    }

    fn floor(&self, offset: usize) -> usize {
        let mut at = offset.min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        at
    }
}

fn not_text(shown: &str, bytes: &[u8], bad: usize) -> Diagnostic {
    let line = bytes.iter().take(bad).filter(|b| **b == b'\n').count() + 1;
    let byte = bytes.get(bad).copied().unwrap_or_default();
    let message = format!("not text: line {line} holds the byte 0x{byte:02x}, which is not UTF-8");
    Diagnostic::error(Position::file(shown), message)
        .help("save the file as UTF-8; a binary file cannot be part of a policy")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_become_lines_and_columns_in_characters() {
        let source = Source::new("f", "a = 1\nüb = \"x\ny\"\n".as_bytes()).unwrap();
        // (span, line, column, width)
        let table = [
            (0..1, 1, 1, 1),
            (6..8, 2, 1, 1),
            (12..17, 2, 6, 2),
            (16..16, 3, 2, 1),
            (900..901, 4, 1, 1),
        ];
        for (span, line, column, width) in table {
            let at = source.at(span.clone());
            assert_eq!(
                (at.line, at.column, at.width),
                (line, column, width),
                "{span:?}"
            );
        }
        assert_eq!(source.at(12..17).text, "üb = \"x");
    }

    #[test]
    fn binary_and_huge_files_are_named_as_such() {
        let bad = Source::new("f", b"a = 1\n\xff").unwrap_err();
        assert!(bad.message.contains("line 2 holds the byte 0xff"), "{bad}");
        let huge = Source::new("f", &vec![b'#'; MAX_BYTES + 1]).unwrap_err();
        assert!(huge.message.contains("1048577 bytes"), "{huge}");
        assert!(Source::new("f", &vec![b'#'; MAX_BYTES]).is_ok());
    }
}
