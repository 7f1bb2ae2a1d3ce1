//! What a directory holds, entry by entry, as one text a line: two trees are equal when their texts are.
//! Separate because every comparison of what we unpacked with what containerd did goes through it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::Path;

use nodeagent::host::root::{hex, sha256};

/// No entry of an image says a later time: 2025-01-01.
const LATEST: i64 = 1_735_689_600;

/// Every entry by its path; the root itself is `.`, without its time, which the daemon sets.
pub(crate) fn tree(root: &Path) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    let mut inodes = BTreeMap::new();
    walk(root, root, &mut all, &mut inodes);
    all
}

fn walk(
    root: &Path,
    path: &Path,
    all: &mut BTreeMap<String, String>,
    inodes: &mut BTreeMap<u64, String>,
) {
    let name = match path.strip_prefix(root).unwrap() {
        inside if inside.as_os_str().is_empty() => ".".to_owned(),
        inside => inside.as_os_str().as_bytes().escape_ascii().to_string(),
    };
    let meta = fs::symlink_metadata(path).unwrap();
    let kind = meta.file_type();
    let time = match name.as_str() {
        "." => String::new(),
        // What no entry speaks of has the time at which it was made.
        _ if meta.mtime() > LATEST => "now".to_owned(),
        _ => format!("{}.{:09}", meta.mtime(), meta.mtime_nsec()),
    };
    let content = match () {
        () if kind.is_file() => sha256(&fs::read(path).unwrap()),
        () if kind.is_symlink() => format!("{:?}", fs::read_link(path).unwrap()),
        () if kind.is_char_device() || kind.is_block_device() => format!("{:#x}", meta.rdev()),
        () => String::new(),
    };
    let same = match kind.is_dir() || meta.nlink() == 1 {
        true => String::new(),
        false => (inodes.entry(meta.ino()).or_insert_with(|| name.clone())).clone(),
    };
    let links = if kind.is_dir() { 0 } else { meta.nlink() };
    let line = format!(
        "{:o} {}:{} {links} {same} {time} {content} {}",
        meta.mode(),
        meta.uid(),
        meta.gid(),
        attributes(path)
    );
    all.insert(name, line);
    if kind.is_dir() {
        let mut below: Vec<_> = fs::read_dir(path)
            .unwrap()
            .map(|e| e.unwrap().path())
            .collect();
        below.sort();
        for inner in below {
            walk(root, &inner, all, inodes);
        }
    }
}

fn attributes(path: &Path) -> String {
    let mut names = vec![0u8; 64 << 10];
    let length = rustix::fs::llistxattr(path, names.as_mut_slice()).unwrap();
    let mut all: Vec<String> = names[..length]
        .split(|byte| *byte == 0)
        .filter(|name| !name.is_empty())
        .map(|name| {
            let mut value = vec![0u8; 64 << 10];
            let length = rustix::fs::lgetxattr(path, name, value.as_mut_slice()).unwrap();
            format!("{}={}", name.escape_ascii(), hex(&value[..length]))
        })
        .collect();
    all.sort();
    all.join(",")
}
