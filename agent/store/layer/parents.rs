//! Directories that no entry of a layer made: they inherit from the layers below, once those are there.
//! It is separate because layers are written at the same time and in any order, and this is for their commit, in order.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, Stat, Timespec, Timestamps, UTIME_OMIT};
use rustix::fs::{XattrFlags, fgetxattr, flistxattr, fsetxattr};
use rustix::io::Errno;

use super::attributes::{accepted, ids, is_trusted};
use super::entry::PERMISSIONS;
use super::error::{LayerError, Result};
use super::resolve::{DIRECTORY, open_in, type_of};
use super::{Implicit, Written};
use crate::host::failure::Failure;

/// Most bytes of attribute names or of one attribute, as in Linux (XATTR_LIST_MAX, XATTR_SIZE_MAX).
const ATTRIBUTES: usize = 64 << 10;

/// What a layer below says of a directory.
enum Below {
    /// It has it.
    Directory(OwnedFd),
    /// It has something else there: nothing is inherited.
    Replaced,
    /// It does not speak of it.
    Nothing,
}

/// Gives the directories that no entry made what the nearest layer below says of them: owner, mode, extended attributes.
/// `lowers` are the directories of the layers below, the nearest first, and they are settled already.
pub fn settle_parents(
    target: BorrowedFd<'_>,
    written: &Written,
    lowers: &[OwnedFd],
) -> Result<(), Failure> {
    if !lowers.is_empty() {
        for implicit in &written.implicit {
            inherit(target, implicit, lowers)?;
        }
    }
    Ok(())
}

fn inherit(target: BorrowedFd<'_>, implicit: &Implicit, lowers: &[OwnedFd]) -> Result<()> {
    let os = |errno| LayerError::os(errno, "inherit the attributes of", &implicit.path);
    for lower in lowers {
        match below(lower, &implicit.path).map_err(os)? {
            Below::Nothing => {}
            Below::Replaced => return Ok(()),
            Below::Directory(from) => {
                let plain = ResolveFlags::NO_SYMLINKS;
                let to = open_in(target, &implicit.path, DIRECTORY, plain).map_err(os)?;
                return copy(&from, &to, implicit).map_err(os);
            }
        }
    }
    Ok(())
}

fn below(lower: &OwnedFd, path: &[u8]) -> Result<Below, Errno> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    match open_in(lower, path, DIRECTORY, ResolveFlags::empty()) {
        Ok(dir) => Ok(Below::Directory(dir)),
        Err(Errno::NOENT) => Ok(Below::Nothing),
        Err(Errno::NOTDIR) => {
            // It may be the last part that is none, or one above it, which containerd does not take.
            let there = open_in(lower, path, flags, ResolveFlags::empty())?;
            match type_of(rustix::fs::fstat(&there)?.st_mode) {
                FileType::Directory => Ok(Below::Nothing),
                _ => Ok(Below::Replaced),
            }
        }
        Err(errno) => Err(errno),
    }
}

fn copy(from: &OwnedFd, to: &OwnedFd, implicit: &Implicit) -> Result<(), Errno> {
    let stat = rustix::fs::fstat(from)?;
    if !implicit.explicit {
        let (uid, gid) = ids(stat.st_uid, stat.st_gid);
        rustix::fs::fchown(to, uid, gid)?;
        rustix::fs::fchmod(to, Mode::from_raw_mode(stat.st_mode & PERMISSIONS))?;
    }
    attributes(from, to)?;
    if !implicit.explicit {
        rustix::fs::futimens(to, &times(&stat, implicit.untouched))?;
    }
    Ok(())
}

/// Both times where nothing was put in the directory; else that of the last change is that of the last entry.
fn times(stat: &Stat, untouched: bool) -> Timestamps {
    let spec = |tv_sec, nanoseconds| Timespec {
        tv_sec,
        tv_nsec: i64::try_from(nanoseconds).unwrap_or(0),
    };
    let omit = Timespec {
        tv_sec: 0,
        tv_nsec: UTIME_OMIT,
    };
    let mtime = spec(stat.st_mtime, stat.st_mtime_nsec);
    Timestamps {
        last_access: spec(stat.st_atime, stat.st_atime_nsec),
        last_modification: if untouched { mtime } else { omit },
    }
}

/// Copies extended attributes, except those that overlayfs trusts; one that is there already stays.
fn attributes(from: &OwnedFd, to: &OwnedFd) -> Result<(), Errno> {
    let mut names = vec![0u8; ATTRIBUTES];
    let length = match flistxattr(from, names.as_mut_slice()) {
        Err(Errno::OPNOTSUPP | Errno::NODATA) => return Ok(()),
        other => other?,
    };
    names.truncate(length);
    let mut value = vec![0u8; ATTRIBUTES];
    let names = names.split(|byte| *byte == 0);
    for name in names.filter(|name| !name.is_empty() && !is_trusted(name)) {
        let length = match fgetxattr(from, name, value.as_mut_slice()) {
            Err(Errno::OPNOTSUPP | Errno::NODATA) => continue,
            other => other?,
        };
        let value = value.get(..length).unwrap_or_default();
        match fsetxattr(to.as_fd(), name, value, XattrFlags::CREATE) {
            Err(Errno::EXIST | Errno::NODATA) => {}
            other => accepted(other)?,
        }
    }
    Ok(())
}
