//! Owner, mode, extended attributes and times of what was just made, in the order in which one call undoes another.
//! It is separate because that order is easily wrong: a change of owner clears setuid bits and file capabilities.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, Stat, Timespec, Timestamps, Uid, XattrFlags,
};
use rustix::io::Errno;

use super::entry::{Entry, PERMISSIONS, Time};
use super::error::{LayerError, Result};
use super::resolve::type_of;

/// Owner and group, as the kernel takes them.
pub(super) fn ids(uid: u32, gid: u32) -> (Option<Uid>, Option<Gid>) {
    (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))
}

/// The times of an entry, as the kernel takes them.
pub(super) fn times(atime: Time, mtime: Time) -> Timestamps {
    let spec = |time: Time| Timespec {
        tv_sec: time.seconds,
        tv_nsec: time.nanoseconds.into(),
    };
    Timestamps {
        last_access: spec(atime),
        last_modification: spec(mtime),
    }
}

/// Whether the owner is another one than the entry's.
fn foreign(stat: &Stat, entry: &Entry) -> bool {
    (stat.st_uid, stat.st_gid) != (entry.uid, entry.gid)
}

/// Whether the mode must be set: it differs, or something else just changed it.
fn loose(stat: &Stat, entry: &Entry) -> bool {
    let cleared = foreign(stat, entry) && entry.mode & 0o6000 != 0;
    stat.st_mode & PERMISSIONS != entry.mode || cleared || !entry.xattrs.is_empty()
}

/// Gives an open file or directory what its entry says. What is as it must be already costs no call.
pub(super) fn settle(file: impl AsFd, entry: &Entry) -> Result<Stat> {
    let os = |errno| LayerError::os(errno, "set the attributes of", &entry.path);
    let stat = rustix::fs::fstat(&file).map_err(os)?;
    if foreign(&stat, entry) {
        let (uid, gid) = ids(entry.uid, entry.gid);
        rustix::fs::fchown(&file, uid, gid).map_err(os)?;
    }
    for (name, value) in &entry.xattrs {
        if !is_trusted(name) {
            accepted(rustix::fs::fsetxattr(
                &file,
                name.as_slice(),
                value,
                XattrFlags::empty(),
            ))
            .map_err(os)?;
        }
    }
    if loose(&stat, entry) {
        rustix::fs::fchmod(&file, Mode::from_raw_mode(entry.mode)).map_err(os)?;
    }
    rustix::fs::futimens(&file, &times(entry.atime, entry.mtime)).map_err(os)?;
    Ok(stat)
}

/// The same of something that is not opened: a link, a device, a pipe, or a second name of anything.
pub(super) fn settle_at(dir: &OwnedFd, name: &[u8], entry: &Entry) -> Result<()> {
    let os = |errno| LayerError::os(errno, "set the attributes of", &entry.path);
    let stat = rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW).map_err(os)?;
    let kind = type_of(stat.st_mode);
    if kind == FileType::RegularFile && !entry.xattrs.is_empty() {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(dir, name, flags, Mode::empty()).map_err(os)?;
        return settle(file, entry).map(drop);
    }
    if foreign(&stat, entry) {
        let (uid, gid) = ids(entry.uid, entry.gid);
        rustix::fs::chownat(dir, name, uid, gid, AtFlags::SYMLINK_NOFOLLOW).map_err(os)?;
    }
    special_xattrs(dir, name, entry).map_err(os)?;
    if kind != FileType::Symlink && loose(&stat, entry) {
        // It is no link, as was just seen, and nobody else writes here.
        let mode = Mode::from_raw_mode(entry.mode);
        rustix::fs::chmodat(dir, name, mode, AtFlags::empty()).map_err(os)?;
    }
    let times = times(entry.atime, entry.mtime);
    rustix::fs::utimensat(dir, name, &times, AtFlags::SYMLINK_NOFOLLOW).map_err(os)
}

/// Attributes of what cannot be opened. The kernel takes a path for them only.
fn special_xattrs(dir: &OwnedFd, name: &[u8], entry: &Entry) -> Result<(), Errno> {
    use std::os::fd::AsRawFd as _;
    for (key, value) in &entry.xattrs {
        // Only files and directories have attributes of users; containerd passes over that as well.
        if is_trusted(key) || key.starts_with(b"user.") {
            continue;
        }
        let mut path = format!("/proc/self/fd/{}/", dir.as_raw_fd()).into_bytes();
        path.extend_from_slice(name);
        let flags = XattrFlags::empty();
        accepted(rustix::fs::lsetxattr(path, key.as_slice(), value, flags))?;
    }
    Ok(())
}

/// Attributes that no layer may bring: overlayfs trusts them.
pub(super) fn is_trusted(name: &[u8]) -> bool {
    name.starts_with(b"trusted.")
}

/// A file system without such attributes does without them.
pub(super) fn accepted(done: Result<(), Errno>) -> Result<(), Errno> {
    match done {
        Err(Errno::OPNOTSUPP) => Ok(()),
        other => other,
    }
}
