//! The effects of a scrub entry, one path at a time; each may be repeated after a crash.
//! It is separate because it makes no decisions: what to do with which path was judged before.

use super::{Action, Scrub, boot, writers};
use crate::error::Result;
use crate::host::root::Attr;
use crate::host::{FileKind, Host, Meta, Root};

pub(super) fn act(scrub: &Scrub, action: &Action, host: &Host) -> Result<()> {
    let root = &host.root;
    match action {
        Action::Record => Ok(()),
        Action::Stop(unit) => writers::stop(unit, host),
        Action::Remove(path) => root.remove(path),
        Action::Empty(path) => root.empty_dir(path),
        Action::Truncate(path) => truncate(scrub, root, path),
        Action::Write(path) => write(scrub, root, path),
        Action::Link(path) => root.symlink(scrub.content(), path),
        Action::DropLines(path) => drop_lines(scrub, root, path),
        Action::BootEntry(path) => boot::rename(root, path, scrub.content()),
    }
}

fn truncate(scrub: &Scrub, root: &Root, path: &str) -> Result<()> {
    let Some(meta) = file(root, path)? else {
        return Ok(());
    };
    root.truncate(path)?;
    match scrub.mode() {
        Some(mode) if mode != meta.mode => root.set_attr(path, kept(&meta, Some(mode))),
        _ => Ok(()),
    }
}

fn write(scrub: &Scrub, root: &Root, path: &str) -> Result<()> {
    let attr = match file(root, path)? {
        Some(meta) => kept(&meta, scrub.mode()),
        None => Attr::root(scrub.mode().unwrap_or(0o644)),
    };
    root.write(path, scrub.content().as_bytes(), attr)
}

fn drop_lines(scrub: &Scrub, root: &Root, path: &str) -> Result<()> {
    let (Some(meta), Some(bytes)) = (file(root, path)?, root.read(path)?) else {
        return Ok(());
    };
    let mut left = Vec::with_capacity(bytes.len());
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let text = String::from_utf8_lossy(line);
        if !scrub.drops(text.trim_end_matches(['\n', '\r'])) {
            left.extend_from_slice(line);
        }
    }
    root.write(path, &left, kept(&meta, scrub.mode()))
}

/// Metadata of a regular file; none for anything else, also when it went away meanwhile.
fn file(root: &Root, path: &str) -> Result<Option<Meta>> {
    Ok(root.meta(path)?.filter(|meta| meta.kind == FileKind::File))
}

fn kept(meta: &Meta, mode: Option<u32>) -> Attr {
    Attr {
        mode: mode.unwrap_or(meta.mode),
        uid: meta.uid,
        gid: meta.gid,
    }
}
