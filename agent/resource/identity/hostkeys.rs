//! The host keys that sshd would load: present, private, and none of those that the image was built with.
//! It is separate because all types count: one key that was not made anew is enough to impersonate every node.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use serde::Serialize;

use super::{Baked, blob, sshd};
use crate::error::Result;
use crate::host::{FileKind, Host, Meta, Root, accounts, glob};
use crate::resource::Diff;

/// Where keys lie although no configuration names them.
const WELL_KNOWN: &str = "/etc/ssh/ssh_host_*";
/// More are not looked at: that is no sshd's configuration.
const LIMIT: usize = 64;

/// What was found of sshd's keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct HostKeys {
    /// sshd's configuration names its keys; else it loads those of its defaults that exist.
    pub configured: bool,
    /// Every file that is, or could be, a host key.
    pub files: Vec<HostKey>,
    /// There were more files than are looked at.
    pub too_many: bool,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct HostKey {
    /// Path.
    pub path: String,
    /// sshd would load it.
    pub loaded: bool,
    /// It exists.
    pub present: bool,
    /// It holds a key, public or private.
    pub holds_key: bool,
    /// Mode, when others than sshd's user could read or replace it.
    pub exposed: Option<String>,
    /// It and the public file beside it are halves of one key; none where only one of them says.
    pub pair: Option<bool>,
    /// How it compares with the build machine's keys.
    pub baked: Baked,
}

/// Every path that is, or could be, a host key.
fn candidates(root: &Root, loaded: &sshd::HostKeys) -> Result<BTreeSet<String>> {
    let mut paths: BTreeSet<String> = loaded.paths.iter().cloned().collect();
    for path in &loaded.paths {
        paths.extend(companions(path));
    }
    paths.extend(glob::expand(root, &[WELL_KNOWN.to_owned()])?.paths);
    Ok(paths)
}

/// The keys of a tree, each once, as tombstones know them.
pub(crate) fn identifiers(root: &Root) -> Result<BTreeSet<Vec<u8>>> {
    let mut found = BTreeSet::new();
    for path in candidates(root, &sshd::host_keys(root)?)?
        .iter()
        .take(LIMIT)
    {
        let kind = root.meta_followed(path)?.map(|meta| meta.kind);
        if kind == Some(FileKind::File) {
            found.extend(root.read(path)?.as_deref().and_then(blob::identifier));
        }
    }
    Ok(found)
}

pub(super) fn observe(host: &Host) -> Result<HostKeys> {
    let loaded = sshd::host_keys(&host.root)?;
    let paths = candidates(&host.root, &loaded)?;
    let mut files = Vec::new();
    for path in paths.iter().take(LIMIT) {
        let named = loaded.paths.contains(path);
        let file = look(host, path, named)?;
        if named || file.present {
            files.push(file);
        }
    }
    Ok(HostKeys {
        configured: loaded.configured,
        files,
        too_many: paths.len() > LIMIT,
    })
}

/// Files that go with a private key.
pub(crate) fn companions(path: &str) -> [String; 2] {
    [format!("{path}.pub"), format!("{path}-cert.pub")]
}

fn look(host: &Host, path: &str, loaded: bool) -> Result<HostKey> {
    let root = &host.root;
    let meta = root.meta_followed(path)?;
    let regular = meta.filter(|meta| meta.kind == FileKind::File);
    let bytes = match regular {
        Some(_) => root.read(path)?.unwrap_or_default(),
        None => Vec::new(),
    };
    let key = blob::identifier(&bytes);
    let private = bytes.windows(11).any(|part| part == b"PRIVATE KEY");
    Ok(HostKey {
        path: path.to_owned(),
        loaded,
        present: meta.is_some(),
        holds_key: key.is_some(),
        exposed: match regular {
            Some(meta) if private => exposed(&meta, accounts::gid(root, "ssh_keys").ok()),
            _ => None,
        },
        pair: pair(root, path, &bytes)?,
        baked: Baked::of(
            &host.evidence,
            "ssh-host-key",
            &key.into_iter().collect::<Vec<_>>(),
        ),
    })
}

/// sshd refuses a key that others may read; the EL family's also accepts 0640 for the group ssh_keys.
fn exposed(meta: &Meta, ssh_keys: Option<u32>) -> Option<String> {
    let strict = meta.mode & 0o077 == 0;
    let el = meta.mode & 0o037 == 0 && Some(meta.gid) == ssh_keys;
    let safe = meta.uid == 0 && (strict || el);
    (!safe).then(|| format!("{} of user {}", meta.mode_text(), meta.uid))
}

fn pair(root: &Root, path: &str, private: &[u8]) -> Result<Option<bool>> {
    let [beside, _] = companions(path);
    let kind = root.meta_followed(&beside)?.map(|meta| meta.kind);
    if kind != Some(FileKind::File) {
        return Ok(None);
    }
    let public = root.read(&beside)?.as_deref().and_then(blob::public_blob);
    Ok(match (blob::public_blob(private), public) {
        (Some(own), Some(said)) => Some(own == said),
        _ => None,
    })
}

impl HostKeys {
    pub(super) fn judge<A>(&self, diff: &mut Diff<A>) {
        if self.too_many {
            diff.unknown("/etc/ssh", format!("more than {LIMIT} host key files"));
        }
        if !self.files.iter().any(|file| file.loaded && file.holds_key) {
            diff.differs("host keys", "none that sshd could load", "at least one");
        }
        for file in &self.files {
            file.judge(self.configured, diff);
        }
    }
}

impl HostKey {
    fn judge<A>(&self, configured: bool, diff: &mut Diff<A>) {
        if !self.present {
            if configured && self.loaded {
                diff.differs(&self.path, "absent", "present: sshd_config names it");
            }
            return;
        }
        if !self.holds_key {
            if self.loaded {
                diff.differs(&self.path, "no key in it", "a key made on this machine");
            }
            return;
        }
        if let Some(mode) = &self.exposed {
            diff.differs(format!("mode of {}", self.path), mode, "0600 of root");
        }
        if self.pair == Some(false) {
            diff.differs(
                format!("{}.pub", self.path),
                "belongs to another private key",
                "belongs to the key beside it",
            );
        }
        self.baked.judge(&self.path, diff);
    }
}
