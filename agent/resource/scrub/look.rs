//! Looking for what a scrub entry must change: matching paths, running writers, identifiers about to go.
//! It is separate because it is the half that only reads.

use std::collections::BTreeSet;

use super::{Found, Scrub, Seen, boot, identifiers, writers};
use crate::error::Result;
use crate::host::{FileKind, Host, Meta, Root, Tombstone, glob};
use crate::resource::identity::{companions, sshd};

/// Files that hold identifiers are small; a larger one is no such file.
const IDENTIFIER_LIMIT: u64 = 1 << 20;

pub(super) fn look(scrub: &Scrub, host: &Host) -> Result<Seen> {
    let mut seen = Seen::default();
    let paths = paths(scrub, &host.root, &mut seen)?;
    let mut identifiers = BTreeSet::new();
    for path in paths {
        let meta = host.root.meta(&path)?;
        let Some(is) = deviation(scrub, &host.root, &path, meta, &mut seen)? else {
            continue;
        };
        if let (Some(kind), Some(_)) = (&scrub.tombstone, meta) {
            identifiers.extend(identifiers_in(&host.root, kind, &path)?);
        }
        seen.found.push(Found { path, is });
    }
    if let Some(kind) = &scrub.tombstone {
        bury(kind, identifiers, host, &mut seen);
    }
    if !seen.found.is_empty() {
        seen.writers = writers::running(&scrub.stop, host)?;
    }
    Ok(seen)
}

fn paths(scrub: &Scrub, root: &Root, seen: &mut Seen) -> Result<Vec<String>> {
    let mut patterns = scrub.paths.clone();
    if scrub.tombstone.as_deref() == Some("ssh-host-key") {
        for key in sshd::host_keys(root)?.paths {
            patterns.extend(companions(&key));
            patterns.push(key);
        }
    }
    let found = glob::expand(root, &patterns)?;
    let kept: BTreeSet<String> = glob::expand(root, &scrub.except)?
        .paths
        .into_iter()
        .collect();
    let mut paths: BTreeSet<String> = found.paths.into_iter().collect();
    if scrub.create {
        paths.extend(
            patterns
                .into_iter()
                .filter(|pattern| glob::is_literal(pattern)),
        );
    }
    if scrub.action == "boot-entries" {
        paths.extend(boot::token_file(root)?);
    }
    paths.retain(|path| !within(path, &kept));
    for link in found.not_followed {
        let why = "a symlink that was not followed: remove it, or name what it leads to";
        seen.unjudged.push((link, why.to_owned()));
    }
    for path in found.not_named {
        let why = "its name is not UTF-8: remove it, or give it another name";
        seen.unjudged.push((path, why.to_owned()));
    }
    Ok(paths.into_iter().collect())
}

/// Whether the path, or a directory that holds it, is in the set.
fn within(path: &str, set: &BTreeSet<String>) -> bool {
    let mut at = Some(path);
    while let Some(here) = at {
        if set.contains(here) {
            return true;
        }
        at = here
            .rsplit_once('/')
            .map(|(dir, _)| dir)
            .filter(|dir| !dir.is_empty());
    }
    false
}

/// What is at a path, when that is not what the action would leave.
fn deviation(
    scrub: &Scrub,
    root: &Root,
    path: &str,
    meta: Option<Meta>,
    seen: &mut Seen,
) -> Result<Option<String>> {
    let Some(meta) = meta else {
        let made = scrub.create || scrub.action == "boot-entries";
        return Ok(made.then(|| "absent".to_owned()));
    };
    let as_wanted = match scrub.action.as_str() {
        "empty-dir" => return directory(root, path, meta, seen),
        "truncate" => meta.kind != FileKind::File || (meta.size == 0 && mode_fits(scrub, &meta)),
        "write" => written(scrub, root, path, &meta)?,
        "symlink" => root.read_link(path)?.as_deref() == Some(scrub.content()),
        "drop-lines" => !has_line(scrub, root, path, meta, seen)?,
        "boot-entries" => boot::is_neutral(root, path, scrub.content(), meta)?,
        _ => false,
    };
    Ok((!as_wanted).then(|| describe(&meta)))
}

fn directory(root: &Root, path: &str, meta: Meta, seen: &mut Seen) -> Result<Option<String>> {
    match meta.kind {
        FileKind::Directory => {
            let names = root.list(path)?.len();
            Ok((names > 0).then(|| format!("a directory of {names} names")))
        }
        FileKind::Symlink if root.meta_followed(path)?.is_some() => {
            let why = "a symlink: not emptied, name the directory that it leads to";
            seen.unjudged.push((path.to_owned(), why.to_owned()));
            Ok(None)
        }
        _ => Ok(None),
    }
}

fn written(scrub: &Scrub, root: &Root, path: &str, meta: &Meta) -> Result<bool> {
    if meta.kind != FileKind::File || !mode_fits(scrub, meta) {
        return Ok(false);
    }
    let wanted = scrub.content().as_bytes();
    let same_size = u64::try_from(wanted.len()).is_ok_and(|size| size == meta.size);
    Ok(same_size && root.read(path)?.as_deref() == Some(wanted))
}

fn mode_fits(scrub: &Scrub, meta: &Meta) -> bool {
    scrub.mode().is_none_or(|mode| mode == meta.mode)
}

fn has_line(scrub: &Scrub, root: &Root, path: &str, meta: Meta, seen: &mut Seen) -> Result<bool> {
    if !matches!(meta.kind, FileKind::File | FileKind::Symlink) {
        return Ok(false);
    }
    let bytes = root.read(path)?.unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let has = text.lines().any(|line| scrub.drops(line));
    if has && meta.kind == FileKind::Symlink {
        let why = "a symlink: its lines stay, name the file that it leads to";
        seen.unjudged.push((path.to_owned(), why.to_owned()));
        return Ok(false);
    }
    Ok(has)
}

fn describe(meta: &Meta) -> String {
    match meta.kind {
        FileKind::File => format!("a file of {} bytes, mode {}", meta.size, meta.mode_text()),
        kind => format!("a {kind}"),
    }
}

fn identifiers_in(root: &Root, kind: &str, path: &str) -> Result<Vec<Vec<u8>>> {
    let small = root
        .meta_followed(path)?
        .is_some_and(|meta| meta.kind == FileKind::File && meta.size <= IDENTIFIER_LIMIT);
    if !small {
        return Ok(Vec::new());
    }
    let content = root.read(path)?.unwrap_or_default();
    Ok(identifiers::of(kind, &content))
}

/// Digests that are not recorded yet. Where there was nothing and nobody recorded that, the digest of
/// the empty value stands for it: no identifier equals it.
fn bury(kind: &str, identifiers: BTreeSet<Vec<u8>>, host: &Host, seen: &mut Seen) {
    let evidence = &host.evidence;
    if evidence.salt.is_none() {
        seen.no_salt = true;
        return;
    }
    let nothing = identifiers.is_empty() && evidence.of_kind(kind).is_empty();
    let values = identifiers.into_iter().chain(nothing.then(Vec::new));
    seen.tombstones = values
        .filter_map(|value| evidence.tombstone(kind, &value))
        .filter(|tombstone: &Tombstone| !evidence.tombstones.contains(tombstone))
        .collect();
}
