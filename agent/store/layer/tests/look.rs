//! What a tree is: every path with all that is known of it, for comparing.
//! It is separate because it looks through other eyes than the writer: paths and std, not descriptors.

use std::collections::BTreeMap;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::Path;

/// One path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    /// `f`, `d`, `l`, `c`, `b` or `p`.
    pub(super) kind: char,
    /// Permission bits.
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// Seconds and nanoseconds.
    pub(super) mtime: (i64, i64),
    /// Content or where a link leads.
    pub(super) content: Vec<u8>,
    /// Names it has.
    pub(super) links: u64,
    /// Device number.
    pub(super) device: u64,
    pub(super) xattrs: BTreeMap<String, Vec<u8>>,
}

/// All paths below a directory; itself is `""`.
pub(super) fn look(dir: &Path) -> BTreeMap<String, Node> {
    let mut found = BTreeMap::new();
    enter(dir, "", &mut found);
    found
}

fn enter(path: &Path, name: &str, found: &mut BTreeMap<String, Node>) {
    let node = node(path);
    let kind = node.kind;
    found.insert(name.to_owned(), node);
    if kind == 'd' {
        for entry in std::fs::read_dir(path).unwrap() {
            let entry = entry.unwrap();
            let part = entry.file_name().to_string_lossy().into_owned();
            let name = if name.is_empty() {
                part
            } else {
                format!("{name}/{part}")
            };
            enter(&entry.path(), &name, found);
        }
    }
}

fn node(path: &Path) -> Node {
    let meta = std::fs::symlink_metadata(path).unwrap();
    let kind = meta.file_type();
    let (kind, content) = match () {
        () if kind.is_dir() => ('d', Vec::new()),
        () if kind.is_symlink() => {
            let link = std::fs::read_link(path).unwrap();
            ('l', link.into_os_string().into_encoded_bytes())
        }
        () if kind.is_char_device() => ('c', Vec::new()),
        () if kind.is_block_device() => ('b', Vec::new()),
        () if kind.is_fifo() => ('p', Vec::new()),
        () => ('f', std::fs::read(path).unwrap()),
    };
    Node {
        kind,
        mode: meta.mode() & 0o7777,
        uid: meta.uid(),
        gid: meta.gid(),
        mtime: (meta.mtime(), meta.mtime_nsec()),
        content,
        links: if kind == 'd' { 0 } else { meta.nlink() },
        device: meta.rdev(),
        xattrs: xattrs(path),
    }
}

fn xattrs(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut names = vec![0u8; 4096];
    let length = rustix::fs::llistxattr(path, names.as_mut_slice()).unwrap();
    let names = names[..length].split(|byte| *byte == 0);
    let names = names.filter(|name| !name.is_empty());
    names
        .map(|name| {
            let mut value = vec![0u8; 4096];
            let length = rustix::fs::lgetxattr(path, name, value.as_mut_slice()).unwrap();
            value.truncate(length);
            (String::from_utf8(name.to_vec()).unwrap(), value)
        })
        .collect()
}
