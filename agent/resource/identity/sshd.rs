//! Which host keys sshd would load: HostKey of its configuration and everything it includes, or its defaults.
//! It is separate because a check of one well-known file would miss the key that a site configured.

use std::collections::BTreeSet;

use crate::error::Result;
use crate::host::{Root, glob};

const CONFIG: &str = "/etc/ssh/sshd_config";
/// sshd's own bound on nested Include.
const DEPTH: usize = 16;
const FILES: usize = 256;

/// Loaded when the configuration names none (`sshd_config(5)`).
const DEFAULTS: [&str; 3] = [
    "/etc/ssh/ssh_host_rsa_key",
    "/etc/ssh/ssh_host_ecdsa_key",
    "/etc/ssh/ssh_host_ed25519_key",
];

/// The host keys of a tree's sshd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HostKeys {
    /// Paths, in the order of the configuration.
    pub(crate) paths: Vec<String>,
    /// Named by the configuration: each must exist. Of the defaults, sshd loads those that do.
    pub(crate) configured: bool,
}

/// Reads the configuration as sshd would, as far as host keys go.
pub(crate) fn host_keys(root: &Root) -> Result<HostKeys> {
    let mut reader = Reader {
        root,
        keys: Vec::new(),
        read: BTreeSet::new(),
    };
    reader.file(CONFIG, DEPTH)?;
    if reader.keys.is_empty() {
        let paths = DEFAULTS.map(str::to_owned).to_vec();
        return Ok(HostKeys {
            paths,
            configured: false,
        });
    }
    Ok(HostKeys {
        paths: reader.keys,
        configured: true,
    })
}

struct Reader<'r> {
    root: &'r Root,
    keys: Vec<String>,
    read: BTreeSet<String>,
}

impl Reader<'_> {
    fn file(&mut self, path: &str, depth: usize) -> Result<()> {
        if depth == 0 || self.read.len() >= FILES || !self.read.insert(path.to_owned()) {
            return Ok(());
        }
        let Some(bytes) = self.root.read(path)? else {
            return Ok(());
        };
        for line in String::from_utf8_lossy(&bytes).lines() {
            self.line(line, depth)?;
        }
        Ok(())
    }

    /// Match blocks are not told apart: HostKey is not allowed in one, and an Include in one only adds keys to check.
    fn line(&mut self, line: &str, depth: usize) -> Result<()> {
        let words = words(line);
        let Some((keyword, values)) = words.split_first() else {
            return Ok(());
        };
        if keyword.eq_ignore_ascii_case("hostkey") {
            let path = values.first().filter(|path| path.starts_with('/'));
            self.keys
                .extend(path.filter(|path| !self.keys.contains(path)).cloned());
        } else if keyword.eq_ignore_ascii_case("include") {
            for value in values {
                let pattern = if value.starts_with('/') {
                    value.clone()
                } else {
                    format!("/etc/ssh/{value}")
                };
                for path in glob::expand(self.root, &[pattern])?.paths {
                    self.file(&path, depth - 1)?;
                }
            }
        }
        Ok(())
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn keys_of(files: &[(&str, &str)]) -> HostKeys {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("etc/ssh/sshd_config.d")).unwrap();
        for (name, text) in files {
            std::fs::write(dir.path().join("etc/ssh").join(name), text).unwrap();
        }
        host_keys(&Root::open(dir.path()).unwrap()).unwrap()
    }

    #[test]
    fn without_a_word_about_it_the_defaults_hold() {
        for text in [
            "",
            "# HostKey /x\nPort 22\n",
            "HostKeyAlgorithms rsa\nHostKey relative\n",
        ] {
            let keys = keys_of(&[("sshd_config", text)]);
            assert_eq!(keys.paths, DEFAULTS, "{text}");
            assert!(!keys.configured);
        }
    }

    #[test]
    fn every_spelling_and_every_included_file_counts() {
        let keys = keys_of(&[
            (
                "sshd_config",
                "Include sshd_config.d/*.conf /etc/ssh/more\nHOSTKEY=/k/main # why\nHostKey /k/one\n",
            ),
            ("sshd_config.d/10-a.conf", "hostkey \"/k/with blank\"\n"),
            (
                "sshd_config.d/20-b.conf",
                "\tHostKey\t/k/one\nInclude /etc/ssh/sshd_config\n",
            ),
            ("more", "HostKey = /k/more"),
        ]);
        assert_eq!(
            keys.paths,
            ["/k/with blank", "/k/one", "/k/more", "/k/main"]
        );
        assert!(keys.configured);
    }
}
