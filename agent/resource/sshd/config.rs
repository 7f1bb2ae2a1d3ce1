//! The lines that sshd reads, in the order in which it reads them: options, sshd_config and everything it includes.
//! It is separate because host keys and settings are both told by it, and a look at one well-known file would miss most.

use crate::error::Result;
use crate::host::{Root, glob};

pub(crate) const CONFIG: &str = "/etc/ssh/sshd_config";
/// Where the units of Debian's and the EL family's packages take options from; these come before any file.
const OPTIONS: [(&str, &str); 2] = [
    ("/etc/default/ssh", "SSHD_OPTS="),
    ("/etc/sysconfig/sshd", "OPTIONS="),
];
/// sshd's own bound on nested Include.
const DEPTH: usize = 16;
const FILES: usize = 256;

/// A line with a keyword.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// The keyword in lower case, by its present name.
    pub(crate) keyword: String,
    /// Its values.
    pub(crate) values: Vec<String>,
    /// The conditions of the Match blocks around it; none: it holds for every connection.
    pub(crate) scope: Option<String>,
    /// The file.
    pub(crate) file: String,
    /// The line's number.
    pub(crate) number: usize,
}

/// All lines of a tree's sshd.
pub(crate) fn lines(root: &Root) -> Result<Vec<Line>> {
    let mut reader = Reader {
        root,
        lines: Vec::new(),
        files: 0,
    };
    for (path, variable) in OPTIONS {
        reader.options(path, variable)?;
    }
    reader.file(CONFIG, None, DEPTH)?;
    Ok(reader.lines)
}

struct Reader<'r> {
    root: &'r Root,
    lines: Vec<Line>,
    files: usize,
}

impl Reader<'_> {
    /// `-o Keyword=value` among the options that a unit passes on.
    fn options(&mut self, path: &str, variable: &str) -> Result<()> {
        let bytes = self.root.read(path)?.unwrap_or_default();
        for (line, number) in String::from_utf8_lossy(&bytes).lines().zip(1usize..) {
            let Some(value) = line.trim().strip_prefix(variable) else {
                continue;
            };
            let value = value.replace(['"', '\''], " ");
            let mut options = value.split_whitespace();
            while let Some(option) = options.next() {
                let setting = match option.strip_prefix("-o") {
                    Some("") => options.next(),
                    other => other,
                };
                let words = setting.map(words).unwrap_or_default();
                self.add(&words, None, (path, number));
            }
        }
        Ok(())
    }

    fn file(&mut self, path: &str, scope: Option<&str>, depth: usize) -> Result<()> {
        if depth == 0 || self.files >= FILES {
            return Ok(());
        }
        self.files += 1;
        let Some(bytes) = self.root.read(path)? else {
            return Ok(());
        };
        // A Match block ends with its file at the latest.
        let mut scope = scope.map(str::to_owned);
        let outer = scope.clone();
        for (line, number) in String::from_utf8_lossy(&bytes).lines().zip(1usize..) {
            let words = words(line);
            let Some((keyword, values)) = words.split_first() else {
                continue;
            };
            if keyword.eq_ignore_ascii_case("match") {
                let conditions = outer.iter().cloned().chain([values.join(" ")]);
                scope = Some(conditions.collect::<Vec<_>>().join(", "));
            } else if keyword.eq_ignore_ascii_case("include") {
                self.include(values, scope.as_deref(), depth)?;
            } else {
                self.add(&words, scope.as_deref(), (path, number));
            }
        }
        Ok(())
    }

    fn include(&mut self, values: &[String], scope: Option<&str>, depth: usize) -> Result<()> {
        for value in values {
            let pattern = if value.starts_with('/') {
                value.clone()
            } else {
                format!("/etc/ssh/{value}")
            };
            let hidden = name(&pattern).starts_with('.');
            for path in glob::expand(self.root, &[pattern])?.paths {
                // Unlike ours, sshd's `*` does not match a leading dot.
                if hidden || !name(&path).starts_with('.') {
                    self.file(&path, scope, depth - 1)?;
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, words: &[String], scope: Option<&str>, (file, number): (&str, usize)) {
        let Some((keyword, values)) = words.split_first() else {
            return;
        };
        self.lines.push(Line {
            keyword: present_name(keyword),
            values: values.to_vec(),
            scope: scope.map(str::to_owned),
            file: file.to_owned(),
            number,
        });
    }
}

fn name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

/// A keyword in lower case; older names that sshd still takes become the present one.
pub(crate) fn present_name(keyword: &str) -> String {
    let keyword = keyword.to_ascii_lowercase();
    match keyword.as_str() {
        "challengeresponseauthentication" | "skeyauthentication" => "kbdinteractiveauthentication",
        "dsaauthentication" => "pubkeyauthentication",
        "pubkeyacceptedkeytypes" => "pubkeyacceptedalgorithms",
        "hostbasedacceptedkeytypes" => "hostbasedacceptedalgorithms",
        "keepalive" => "tcpkeepalive",
        same => same,
    }
    .to_owned()
}

/// Words of a line: `Keyword value`, `Keyword=value`, double quotes around blanks; none for a comment.
fn words(line: &str) -> Vec<String> {
    let line = line.trim();
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quoted = false;
    for letter in line.chars() {
        match letter {
            '"' => quoted = !quoted,
            '#' if !quoted && word.is_empty() => break,
            c if !quoted && (c.is_whitespace() || (c == '=' && first(&words, &word))) => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            c => word.push(c),
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// Still at the keyword, or at the `=` behind it.
fn first(words: &[String], word: &str) -> bool {
    words.is_empty() || (words.len() == 1 && word.is_empty())
}
