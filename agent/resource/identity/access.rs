//! The build's way in: its SSH keys and its account must not be a way into a node.
//! It is separate because a key or account of that name may also have been given to the node on purpose.

use serde::Serialize;

use super::{Baked, blob};
use crate::error::Result;
use crate::host::{FileKind, Host, Root, accounts, glob};
use crate::resource::{Diff, ENTRY};

const SUDOERS: &str = "/etc/sudoers";
const SUDOERS_DIR: &str = "/etc/sudoers.d";
/// sshd's own bound is smaller; a larger file is none of keys.
const LIMIT: u64 = 1 << 20;

/// What was found of the build's keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct AuthorizedKeys {
    /// Files that let in who had a key to the build machine.
    pub builders: Vec<String>,
    /// It is a fault, not only worth a note.
    pub refused: bool,
}

/// The keys that a file of authorized keys accepts.
pub(crate) fn keys(content: &[u8]) -> Vec<Vec<u8>> {
    let text = String::from_utf8_lossy(content);
    let lines = text
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'));
    lines.filter_map(key).collect()
}

/// The key of a line: options with quoted blanks may stand before its type, a comment behind it.
fn key(line: &str) -> Option<Vec<u8>> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let mut pairs = words.windows(2);
    pairs.find_map(|pair| blob::public_blob(pair.join(" ").as_bytes()))
}

pub(super) fn authorized_keys(strict: bool, host: &Host) -> Result<AuthorizedKeys> {
    let mut builders = Vec::new();
    for home in accounts::homes(&host.root)? {
        for name in ["authorized_keys", "authorized_keys2"] {
            let path = format!("{home}/.ssh/{name}");
            let content = small(&host.root, &path)?;
            if Baked::of(&host.evidence, "authorized-key", &keys(&content)) == Baked::Same {
                builders.push(path);
            }
        }
    }
    Ok(AuthorizedKeys {
        builders,
        refused: strict,
    })
}

fn small(root: &Root, path: &str) -> Result<Vec<u8>> {
    let meta = root.meta_followed(path)?;
    let fits = meta.is_some_and(|meta| meta.kind == FileKind::File && meta.size <= LIMIT);
    Ok(match fits {
        true => root.read(path)?.unwrap_or_default(),
        false => Vec::new(),
    })
}

impl AuthorizedKeys {
    pub(super) fn judge<A>(&self, diff: &mut Diff<A>) {
        for path in self.builders.iter().filter(|_| self.refused) {
            let have = "a key that opened the build machine";
            diff.differs(path, have, "only keys that were given to this node");
        }
    }

    pub(super) fn notes(&self) -> Vec<String> {
        let noted = self.builders.iter().filter(|_| !self.refused);
        noted
            .map(|path| format!("{path} accepts a key that opened the build machine: fine where this node was given it too"))
            .collect()
    }
}

/// What was found of the build's account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Builder {
    /// Its name is given.
    pub named: bool,
    /// An account of that name exists: this node was given one.
    pub exists: bool,
    /// Files with rights for it.
    pub rights: Vec<String>,
}

pub(super) fn build_account(account: &str, host: &Host) -> Result<Builder> {
    let mut seen = Builder {
        named: !account.is_empty(),
        ..Builder::default()
    };
    if !seen.named {
        return Ok(seen);
    }
    let known = accounts::accounts(&host.root)?;
    seen.exists = known.iter().any(|known| known.name == account);
    let mut files = vec![SUDOERS.to_owned()];
    files.extend(glob::expand(&host.root, &[format!("{SUDOERS_DIR}/*")])?.paths);
    for path in files {
        let content = small(&host.root, &path)?;
        let text = String::from_utf8_lossy(&content);
        if text
            .lines()
            .any(|line| line.split_whitespace().next() == Some(account))
        {
            seen.rights.push(path);
        }
    }
    Ok(seen)
}

impl Builder {
    pub(super) fn judge<A>(&self, diff: &mut Diff<A>) {
        if !self.named {
            diff.skip(ENTRY, "no build account is named: set build_account");
        }
        for path in self.rights.iter().filter(|_| !self.exists) {
            let have = "a rule for the build's account, which does not exist";
            diff.differs(path, have, "no rule: whoever gets that name would be root");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_behind_options_and_before_comments() {
        let (_, public) = blob::tests::pair(7);
        let key = keys(public.as_bytes());
        assert_eq!(key.len(), 1);
        let text = format!(
            "# {public}\n\nno-pty,command=\"echo 'log in as debian'; sleep 10\" {public}rubbish\nssh-ed25519 AAAA\n"
        );
        assert_eq!(keys(text.as_bytes()), key);
    }

    #[test]
    fn a_rule_for_a_missing_account_is_told_and_one_for_a_node_s_own_is_not() {
        let judged = |named, exists| {
            let rights = vec![SUDOERS.to_owned()];
            let mut diff = Diff::<()>::default();
            Builder {
                named,
                exists,
                rights,
            }
            .judge(&mut diff);
            diff.differences.len()
        };
        assert_eq!((judged(true, false), judged(true, true)), (1, 0));
    }

    #[test]
    fn the_build_s_key_is_a_note_until_the_policy_refuses_it() {
        let seen = |refused| AuthorizedKeys {
            builders: vec!["/root/.ssh/authorized_keys".to_owned()],
            refused,
        };
        let judged = |refused| {
            let mut diff = Diff::<()>::default();
            seen(refused).judge(&mut diff);
            (diff.differences.len(), seen(refused).notes().len())
        };
        assert_eq!((judged(false), judged(true)), ((0, 1), (1, 0)));
    }
}
