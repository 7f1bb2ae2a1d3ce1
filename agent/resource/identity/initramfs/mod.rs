//! What an initramfs carries of the machine that it was made on: a host-only one runs with the builder's identity.
//! It is separate because it is looked at before the seal: on a node the damage is done before anything of ours runs.

mod cpio;
#[cfg(test)]
mod tests;

use serde::Serialize;

use super::names;
use crate::error::Result;
use crate::host::{FileKind, Host, Root, glob};
use crate::resource::scrub::identifiers;
use crate::resource::{Diff, ENTRY};

/// Files in an initramfs that tell one machine from another, or let somebody in.
const WANTED: [&str; 12] = [
    "etc/machine-id",
    "etc/hostname",
    "etc/machine-info",
    "etc/hosts",
    "etc/iscsi/initiatorname.iscsi",
    "etc/nvme/hostnqn",
    "etc/nvme/hostid",
    "etc/ssh/ssh_host_*_key",
    "etc/dropbear/*_host_key",
    "etc/dropbear/initramfs/*_host_key",
    "root/.ssh/authorized_keys",
    "root-*/.ssh/authorized_keys",
];

/// What was found in the initramfs images.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Initramfs {
    /// Images that were read.
    pub images: Vec<String>,
    /// Files with an identity: image, and path in it.
    pub found: Vec<(String, String)>,
    /// Images that could not be read, with the reason.
    pub unread: Vec<(String, String)>,
}

pub(super) fn observe(paths: &[String], host: &Host) -> Result<Initramfs> {
    let mut seen = Initramfs::default();
    for path in glob::expand(&host.root, paths)?.paths {
        // A symlink such as /boot/initrd.img stands for an image that is found by its own name.
        if host.root.meta(&path)?.map(|meta| meta.kind) == Some(FileKind::File) {
            look(&host.root, path, &mut seen)?;
        }
    }
    Ok(seen)
}

fn look(root: &Root, path: String, seen: &mut Initramfs) -> Result<()> {
    let Some(source) = root.source(&path)? else {
        return Ok(());
    };
    let mut inside = Vec::new();
    let read = cpio::walk(
        source,
        &|name| WANTED.iter().any(|wanted| glob::matches(wanted, name)),
        &mut |name, content| {
            if identifies(name, content) {
                inside.push(name.to_owned());
            }
        },
    );
    let found = inside.into_iter().map(|name| (path.clone(), name));
    seen.found.extend(found);
    match read {
        Ok(()) => seen.images.push(path),
        Err(error) => seen.unread.push((path, error.to_string())),
    }
    Ok(())
}

/// Whether the content is one machine's own; what every machine may have is not.
fn identifies(name: &str, content: &[u8]) -> bool {
    let text = content.trim_ascii();
    match name {
        "etc/machine-id" => text.len() == 32,
        "etc/hostname" => !names::spellings(content).is_empty(),
        "etc/hosts" => content
            .split(|b| *b == b'\n')
            .any(|line| line.starts_with(b"127.0.1.1")),
        "etc/iscsi/initiatorname.iscsi" => !identifiers::of("iscsi-name", content).is_empty(),
        _ => !text.is_empty(),
    }
}

impl Initramfs {
    pub(super) fn judge<A>(&self, diff: &mut Diff<A>) {
        if self.images.is_empty() && self.unread.is_empty() {
            diff.skip(ENTRY, "there is no initramfs");
        }
        for (image, inside) in &self.found {
            let have = "the build machine's, copied when it was made (host-only)";
            let want = "nothing of one machine: make it again after the identifiers are gone, or without host-only";
            diff.differs(format!("{image}: {inside}"), have, want);
        }
        for (image, why) in &self.unread {
            diff.unknown(image, format!("cannot be read: {why}"));
        }
    }
}
