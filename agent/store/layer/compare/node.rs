//! One path against its entry: type, owner, mode, time, size, link, device, extended attributes.
//! It is separate because it knows nothing of the order of entries.

use std::os::fd::{AsRawFd as _, OwnedFd};

use rustix::fs::{FileType, Stat};
use rustix::io::Errno;

use super::super::attributes::is_trusted;
use super::super::entry::{Entry, Kind, PERMISSIONS, Time};
use super::super::resolve::type_of;

/// Longest attribute in Linux (XATTR_SIZE_MAX).
const ATTRIBUTE: usize = 64 << 10;

/// Whether it is a regular file.
pub(super) fn is_file(stat: &Stat) -> bool {
    type_of(stat.st_mode) == FileType::RegularFile
}

/// Whether a directory is marked as opaque.
pub(super) fn is_opaque(dir: &OwnedFd) -> bool {
    let mut value = vec![0u8; 2];
    let length = rustix::fs::fgetxattr(dir, "trusted.overlay.opaque", value.as_mut_slice());
    length == Ok(1) && value.first() == Some(&b'y')
}

/// What tells a path from a mark that its name was deleted.
pub(super) fn not_whiteout(stat: &Stat, entry: &Entry) -> Option<String> {
    if type_of(stat.st_mode) != FileType::CharacterDevice || stat.st_rdev != 0 {
        return Some("is not marked as deleted".to_owned());
    }
    owner(stat, entry)
}

/// What tells a path from its entry, content aside. A hard link's type is that of what it leads to.
pub(super) fn different(
    dir: &OwnedFd,
    name: &[u8],
    stat: &Stat,
    entry: &Entry,
) -> Result<Option<String>, Errno> {
    let is = type_of(stat.st_mode);
    if wanted(entry.kind).is_some_and(|wanted| wanted != is) {
        return Ok(Some(format!("is {}", word(is))));
    }
    if entry.kind == Kind::Symlink {
        let link = rustix::fs::readlinkat(dir, name, Vec::new())?;
        if link.as_bytes() != entry.link {
            return Ok(Some("leads elsewhere".to_owned()));
        }
    }
    if let Some(what) = numbers(stat, entry, is).or_else(|| owner(stat, entry)) {
        return Ok(Some(what));
    }
    // The time comes last: whatever else is different changed it as well.
    Ok(xattrs(dir, name, is, entry)?.or_else(|| time(stat, entry)))
}

/// What tells a file's size from its entry's.
pub(super) fn size(stat: &Stat, entry: &Entry) -> Option<String> {
    let right = u64::try_from(stat.st_size) == Ok(entry.size);
    (!right).then(|| format!("has {} bytes, not {}", stat.st_size, entry.size))
}

fn numbers(stat: &Stat, entry: &Entry, is: FileType) -> Option<String> {
    let mode = stat.st_mode & PERMISSIONS;
    if is != FileType::Symlink && mode != entry.mode {
        return Some(format!("has mode {mode:04o}, not {:04o}", entry.mode));
    }
    let device = rustix::fs::makedev(entry.device.0, entry.device.1);
    if matches!(entry.kind, Kind::Character | Kind::Block) && stat.st_rdev != device {
        return Some("is another device".to_owned());
    }
    None
}

fn time(stat: &Stat, entry: &Entry) -> Option<String> {
    let nanoseconds = u32::try_from(stat.st_mtime_nsec).unwrap_or(u32::MAX);
    let time = Time {
        seconds: stat.st_mtime,
        nanoseconds,
    };
    (time != entry.mtime).then(|| "was changed at another time".to_owned())
}

fn owner(stat: &Stat, entry: &Entry) -> Option<String> {
    let (is, wanted) = ((stat.st_uid, stat.st_gid), (entry.uid, entry.gid));
    (is != wanted).then(|| {
        format!(
            "is owned by {}:{}, not {}:{}",
            is.0, is.1, wanted.0, wanted.1
        )
    })
}

fn xattrs(
    dir: &OwnedFd,
    name: &[u8],
    is: FileType,
    entry: &Entry,
) -> Result<Option<String>, Errno> {
    let plain = matches!(is, FileType::RegularFile | FileType::Directory);
    let taken = |key: &[u8]| !is_trusted(key) && (plain || !key.starts_with(b"user."));
    for (key, wanted) in entry.xattrs.iter().filter(|(key, _)| taken(key)) {
        let mut path = format!("/proc/self/fd/{}/", dir.as_raw_fd()).into_bytes();
        path.extend_from_slice(name);
        let mut value = vec![0u8; ATTRIBUTE];
        let same = match rustix::fs::lgetxattr(path, key.as_slice(), value.as_mut_slice()) {
            // Such a file system was passed over when it was written.
            Err(Errno::OPNOTSUPP) => true,
            Err(Errno::NODATA) => false,
            other => value.get(..other?) == Some(wanted),
        };
        if !same {
            let key = key.escape_ascii();
            return Ok(Some(format!("has another attribute {key}")));
        }
    }
    Ok(None)
}

/// Reads until a buffer is full; none if the file ends before.
pub(super) fn read_full<'b>(file: &OwnedFd, into: &'b mut [u8]) -> Result<Option<&'b [u8]>, Errno> {
    let mut filled = 0;
    while let Some(rest) = into.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match rustix::io::read(file, rest) {
            Ok(0) => return Ok(None),
            Ok(count) => filled += count,
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(Some(into))
}

fn wanted(kind: Kind) -> Option<FileType> {
    Some(match kind {
        Kind::File => FileType::RegularFile,
        Kind::Directory => FileType::Directory,
        Kind::Symlink => FileType::Symlink,
        Kind::Character => FileType::CharacterDevice,
        Kind::Block => FileType::BlockDevice,
        Kind::Fifo => FileType::Fifo,
        Kind::HardLink | Kind::Global => return None,
    })
}

fn word(kind: FileType) -> &'static str {
    match kind {
        FileType::RegularFile => "a file",
        FileType::Directory => "a directory",
        FileType::Symlink => "a symbolic link",
        FileType::CharacterDevice | FileType::BlockDevice => "a device",
        FileType::Fifo => "a pipe",
        _ => "something else",
    }
}
