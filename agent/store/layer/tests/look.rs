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
    /// The same of the last read; not of directories, which are read by whoever looks.
    pub(super) atime: (i64, i64),
    /// Content or where a link leads.
    pub(super) content: Vec<u8>,
    /// Names it has; not of directories, of which every file system has its own idea.
    pub(super) links: u64,
    /// The first path that has the same inode.
    pub(super) same: String,
    /// Device number.
    pub(super) device: u64,
    pub(super) xattrs: BTreeMap<String, Vec<u8>>,
}

/// All paths below a directory; itself is `""`.
pub(super) fn look(dir: &Path) -> BTreeMap<String, Node> {
    let (mut found, mut inodes) = (BTreeMap::new(), BTreeMap::new());
    enter(dir, "", &mut found);
    // Content is read last: reading changes the time of the last read, also that of another name.
    for (name, (node, inode)) in &mut found {
        node.same
            .clone_from(inodes.entry(*inode).or_insert_with(|| name.clone()));
        node.content = content(&dir.join(name), node.kind);
    }
    let nodes = found.into_iter();
    nodes.map(|(name, (node, _))| (name, node)).collect()
}

fn enter(path: &Path, name: &str, found: &mut BTreeMap<String, (Node, u64)>) {
    let node = node(path);
    let kind = node.0.kind;
    found.insert(name.to_owned(), node);
    if kind != 'd' {
        return;
    }
    for entry in std::fs::read_dir(path).unwrap() {
        let entry = entry.unwrap();
        let part = entry.file_name().to_string_lossy().into_owned();
        let below = match name {
            "" => part,
            name => format!("{name}/{part}"),
        };
        enter(&entry.path(), &below, found);
    }
}

fn node(path: &Path) -> (Node, u64) {
    let meta = std::fs::symlink_metadata(path).unwrap();
    let kind = meta.file_type();
    let kind = match () {
        () if kind.is_dir() => 'd',
        () if kind.is_symlink() => 'l',
        () if kind.is_char_device() => 'c',
        () if kind.is_block_device() => 'b',
        () if kind.is_fifo() => 'p',
        () => 'f',
    };
    let directory = kind == 'd';
    let node = Node {
        kind,
        mode: meta.mode() & 0o7777,
        uid: meta.uid(),
        gid: meta.gid(),
        mtime: (meta.mtime(), meta.mtime_nsec()),
        atime: match directory {
            true => (0, 0),
            false => (meta.atime(), meta.atime_nsec()),
        },
        content: Vec::new(),
        links: if directory { 0 } else { meta.nlink() },
        same: String::new(),
        device: meta.rdev(),
        xattrs: xattrs(path),
    };
    (node, meta.ino())
}

fn content(path: &Path, kind: char) -> Vec<u8> {
    match kind {
        'f' => std::fs::read(path).unwrap(),
        'l' => {
            let link = std::fs::read_link(path).unwrap();
            link.into_os_string().into_encoded_bytes()
        }
        _ => Vec::new(),
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
