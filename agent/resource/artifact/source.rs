//! The directory with the release's files: which are there, what each is for, and what is wrong before any is read.
//! It is separate because a plan may look this far: it reads the list of sums and names, not gigabytes.

use std::collections::BTreeMap;

use super::{Artifact, Part, sums};
use crate::error::Result;
use crate::host::root::sha256;
use crate::host::{FileKind, Root};

/// What a file of the release is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// The tarball with the binary and the units.
    Bundle,
    /// A tarball with container images.
    Images,
    /// Nothing that a node needs; its sum must be right all the same.
    Unused,
}

/// One file of the release that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) name: String,
    pub(super) role: Role,
    /// What its content must be.
    pub(super) sha256: String,
}

/// What is in the directory.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Listing {
    /// SHA-256 of the list of sums, in hex.
    pub(super) sums_sha256: String,
    /// Files with their line, by name.
    pub(super) found: Vec<Found>,
    /// What is left alone, and why.
    pub(super) ignored: Vec<String>,
    /// What is wrong.
    pub(super) faults: Vec<String>,
}

impl Listing {
    /// Sums of the files that these parts are made of.
    pub(super) fn wanted(&self, parts: &[Part]) -> BTreeMap<String, String> {
        let wanted = self.found.iter().filter(|found| needed(found.role, parts));
        wanted.map(|f| (f.name.clone(), f.sha256.clone())).collect()
    }
}

/// Whether any of these parts comes out of such a file.
pub(super) fn needed(role: Role, parts: &[Part]) -> bool {
    match role {
        Role::Bundle => parts.contains(&Part::Binary),
        Role::Images => parts.contains(&Part::Images) || parts.contains(&Part::Runtime),
        Role::Unused => false,
    }
}

/// Looks into the directory; none where it is missing or holds nothing of a release.
pub(super) fn look(artifact: &Artifact, root: &Root) -> Result<Option<Listing>> {
    let sums_name = artifact.sums_name();
    let names = root.list(&artifact.dir)?;
    if !names
        .iter()
        .any(|name| *name == sums_name || is_artifact(name))
    {
        return Ok(None);
    }
    let mut listing = Listing::default();
    let sums = read_sums(artifact, root, &mut listing)?;
    for name in &names {
        if *name == sums_name {
            continue;
        }
        if !is_artifact(name) {
            listing.ignored.push(match name.as_bytes() {
                bytes if bytes.ends_with(b".sh") => {
                    format!("{name}: an install script is never run")
                }
                _ => format!("{name}: no file of an RKE2 release"),
            });
            continue;
        }
        let kind = root
            .meta(&format!("{}/{name}", artifact.dir))?
            .map(|meta| meta.kind);
        match (kind, sums.as_ref().map(|sums| sums.get(name))) {
            (Some(FileKind::File), Some(Some(sha256))) => listing.found.push(Found {
                name: name.clone(),
                role: role(name, &artifact.arch),
                sha256: sha256.clone(),
            }),
            (Some(FileKind::File), Some(None)) => {
                listing
                    .faults
                    .push(format!("{name} has no line in {sums_name}"));
            }
            (Some(FileKind::File), None) => {}
            _ => listing.faults.push(format!("{name} is not a regular file")),
        }
    }
    twins(&mut listing);
    missing(artifact, &mut listing);
    Ok(Some(listing))
}

/// The sums, where they can be read.
fn read_sums(
    artifact: &Artifact,
    root: &Root,
    listing: &mut Listing,
) -> Result<Option<BTreeMap<String, String>>> {
    let name = artifact.sums_name();
    let Some(bytes) = root.read(&format!("{}/{name}", artifact.dir))? else {
        listing.faults.push(format!("{name} is missing"));
        return Ok(None);
    };
    listing.sums_sha256 = sha256(&bytes);
    if let Some(pin) = artifact.pin()
        && pin != listing.sums_sha256
    {
        let have = &listing.sums_sha256;
        listing.faults.push(format!(
            "{name} has the sha256 {have}, the policy wants {pin}"
        ));
    }
    let Ok(text) = String::from_utf8(bytes) else {
        listing.faults.push(format!("{name} is not text"));
        return Ok(None);
    };
    let (sums, faults) = sums::parse(&text);
    listing
        .faults
        .extend(faults.into_iter().map(|fault| format!("{name}: {fault}")));
    Ok(Some(sums))
}

/// Whether a name is one that a release has. Scripts are none: the vendor's list of sums does not hold its own.
fn is_artifact(name: &str) -> bool {
    let release = ["rke2.", "rke2-images", "rke2-windows"];
    release.iter().any(|start| name.starts_with(start)) && !name.as_bytes().ends_with(b".sh")
}

fn role(name: &str, arch: &str) -> Role {
    let platform = format!(".linux-{arch}.tar.");
    let packed = name.as_bytes().ends_with(b".gz") || name.as_bytes().ends_with(b".zst");
    if name == format!("rke2.linux-{arch}.tar.gz") {
        Role::Bundle
    } else if packed && name.starts_with("rke2-images") && name.contains(&platform) {
        Role::Images
    } else {
        Role::Unused
    }
}

/// Of one set of images as .zst and as .gz, the .zst is taken, as the vendor's script does.
fn twins(listing: &mut Listing) {
    let names: Vec<String> = listing
        .found
        .iter()
        .map(|found| found.name.clone())
        .collect();
    for found in &mut listing.found {
        let twin = found
            .name
            .strip_suffix(".gz")
            .map(|stem| format!("{stem}.zst"));
        if found.role == Role::Images
            && let Some(twin) = twin.filter(|twin| names.contains(twin))
        {
            found.role = Role::Unused;
            listing
                .ignored
                .push(format!("{}: {twin} holds the same", found.name));
        }
    }
}

/// Notes what the wanted parts need and is not there.
fn missing(artifact: &Artifact, listing: &mut Listing) {
    let has = |role| listing.found.iter().any(|found| found.role == role);
    let mut missing = Vec::new();
    if needed(Role::Bundle, &artifact.parts) && !has(Role::Bundle) {
        missing.push(format!("rke2.linux-{}.tar.gz", artifact.arch));
    }
    if needed(Role::Images, &artifact.parts) && !has(Role::Images) {
        missing.push(format!(
            "rke2-images.linux-{0}.tar.zst (or rke2-images-core.linux-{0}.tar.zst and others)",
            artifact.arch
        ));
    }
    for name in missing {
        let known = listing.faults.iter().any(|fault| fault.starts_with(&name));
        if !known {
            listing.faults.push(format!("{name} is missing"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_of_a_release_has_its_role() {
        let table = [
            ("rke2.linux-amd64.tar.gz", Role::Bundle),
            ("rke2-images.linux-amd64.tar.zst", Role::Images),
            ("rke2-images.linux-amd64.tar.gz", Role::Images),
            ("rke2-images-cilium.linux-amd64.tar.zst", Role::Images),
            ("rke2-images.linux-amd64.txt", Role::Unused),
            ("rke2-images-all.linux-amd64.txt", Role::Unused),
            ("rke2.linux-amd64", Role::Unused),
            ("rke2.linux-arm64.tar.gz", Role::Unused),
            ("rke2-images.linux-arm64.tar.zst", Role::Unused),
            ("rke2-windows-ltsc2022-amd64-images.tar.gz", Role::Unused),
        ];
        for (name, want) in table {
            assert!(is_artifact(name), "{name}");
            assert_eq!(role(name, "amd64"), want, "{name}");
        }
        for name in ["rke2-install.sh", "install.sh", "README", "rke2"] {
            assert!(!is_artifact(name), "{name}");
        }
    }
}
