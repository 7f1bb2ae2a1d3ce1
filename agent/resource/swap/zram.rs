//! Swap devices of zram-generator, by its files.
//! It is separate because the generator merges files by rules of its own (zram-generator.conf(5)).

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{comment_out, rewrite};
use crate::error::Result;
use crate::host::{Host, Root};

/// Directories that outlive a boot, the strongest first; /run is gone with the next boot.
const DIRS: [&str; 3] = ["/etc/systemd", "/usr/local/lib/systemd", "/usr/lib/systemd"];
const MAIN: &str = "zram-generator.conf";

/// A file that sets swap devices up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ZramFile {
    /// The file.
    pub path: String,
    /// The file in /etc that takes its place.
    pub to: String,
    /// Its swap devices.
    pub devices: Vec<String>,
}

/// The files that count and hold a swap device; none where the generator is not installed.
pub(super) fn observe(root: &Root) -> Result<Vec<ZramFile>> {
    if !installed(root)? {
        return Ok(Vec::new());
    }
    let mut texts = Vec::new();
    for (name, path) in files(root)? {
        texts.push((name, text(root, &path)?, path));
    }
    // Any file may say of a device that it is no swap, and all are merged.
    let merged: Vec<(String, bool)> = texts.iter().flat_map(|(_, t, _)| sections(t)).collect();
    let other: BTreeSet<&str> = other_use(&merged);
    let files = texts.iter().map(|(name, text, path)| ZramFile {
        path: path.clone(),
        to: format!("/etc/systemd/{name}"),
        devices: sections(text)
            .into_iter()
            .map(|(device, _)| device)
            .filter(|device| !other.contains(device.as_str()))
            .collect(),
    });
    Ok(files.filter(|file| !file.devices.is_empty()).collect())
}

/// Comments the swap devices out, in the file itself or in a copy in /etc that wins over it.
pub(super) fn comment_swap_out(host: &Host, file: &ZramFile) -> Result<()> {
    let bytes = host.root.read(&file.path)?.unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let mut inside = false;
    let mut swap = BTreeSet::new();
    for (line, number) in text.lines().zip(1usize..) {
        if let Some(device) = section(line) {
            inside = file.devices.iter().any(|known| known == device);
        }
        if inside && setting(line) {
            swap.insert(number);
        }
    }
    let changed = comment_out(&bytes, |number| swap.contains(&number));
    rewrite(host, &file.to, &changed)
}

fn installed(root: &Root) -> Result<bool> {
    let dirs = [
        "/etc/systemd",
        "/usr/local/lib/systemd",
        "/usr/lib/systemd",
        "/lib/systemd",
    ];
    for dir in dirs {
        let path = format!("{dir}/system-generators/zram-generator");
        if root.present(&path)? {
            // The first one found counts, and a link to /dev/null switches it off (systemd.generator(7)).
            return Ok(root.read_link(&path)?.as_deref() != Some("/dev/null"));
        }
    }
    Ok(false)
}

/// The files that count by their name below a directory: one main file, and drop-ins by name.
fn files(root: &Root) -> Result<BTreeMap<String, String>> {
    let mut files = BTreeMap::new();
    for dir in DIRS {
        let mut names = root.list(&format!("{dir}/{MAIN}.d"))?;
        names.retain(|name| name.as_bytes().ends_with(b".conf"));
        let below = names.into_iter().map(|name| format!("{MAIN}.d/{name}"));
        for name in below.chain([MAIN.to_owned()]) {
            let path = format!("{dir}/{name}");
            if root.present(&path)? {
                files.entry(name).or_insert(path);
            }
        }
    }
    Ok(files)
}

/// The text of a file; a link to nothing or to /dev/null masks a weaker one and is empty.
fn text(root: &Root, path: &str) -> Result<String> {
    let meta = root.meta_followed(path)?;
    if meta.is_none_or(|meta| meta.kind != crate::host::FileKind::File) {
        return Ok(String::new());
    }
    let bytes = root.read(path)?.unwrap_or_default();
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Sections that name a zram device, and whether the section says that it is not for swap.
fn sections(text: &str) -> Vec<(String, bool)> {
    let mut found: Vec<(String, bool)> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        if let Some(name) = section(line) {
            inside = name.starts_with("zram");
            if inside {
                found.push((name.to_owned(), false));
            }
        } else if inside
            && no_swap(line)
            && let Some((_, other)) = found.last_mut()
        {
            *other = true;
        }
    }
    found
}

fn other_use(sections: &[(String, bool)]) -> BTreeSet<&str> {
    let other = sections.iter().filter(|(_, other)| *other);
    other.map(|(name, _)| name.as_str()).collect()
}

fn section(line: &str) -> Option<&str> {
    let inner = line.trim().strip_prefix('[')?.strip_suffix(']')?;
    Some(inner.trim())
}

fn setting(line: &str) -> bool {
    let line = line.trim();
    !line.is_empty() && !line.starts_with(['#', ';'])
}

/// A mount point, or a file system that is not swap.
fn no_swap(line: &str) -> bool {
    let Some((key, value)) = line.split_once('=') else {
        return false;
    };
    match key.trim() {
        "mount-point" => true,
        "fs-type" => value.trim() != "swap",
        _ => false,
    }
}
