//! Removing what a later entry of the layer replaces, with all that lies below it.
//! It is separate because a tree may be deeper than there are descriptors: it goes down and up again with one at a time.

use std::ffi::CString;
use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, Dir, Mode, OFlags};
use rustix::io::Errno;

use super::resolve::DIRECTORY;

/// Removes a name; gives the inodes of the directories that went, of which there are none if there was no such name.
pub(super) fn remove(dir: &OwnedFd, name: &[u8]) -> Result<Vec<u64>, Errno> {
    match rustix::fs::unlinkat(dir, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(Vec::new()),
        Err(Errno::ISDIR | Errno::PERM) => {}
        Err(errno) => return Err(errno),
    }
    let mut gone = Vec::new();
    let mut above: Vec<CString> = Vec::new();
    let mut at = enter(dir, name, &mut gone)?;
    loop {
        if let Some((inner, opened)) = first(&at)? {
            gone.push(inode(&opened)?);
            above.push(inner);
            at = opened;
            continue;
        }
        let Some(inner) = above.pop() else { break };
        // Nothing moves in here but this loop, so that this is the directory it came from.
        at = rustix::fs::openat(&at, c"..", DIRECTORY, Mode::empty())?;
        rustix::fs::unlinkat(&at, inner, AtFlags::REMOVEDIR)?;
    }
    rustix::fs::unlinkat(dir, name, AtFlags::REMOVEDIR)?;
    Ok(gone)
}

/// Removes what is no directory; gives the first directory, opened, if there is one.
fn first(dir: &OwnedFd) -> Result<Option<(CString, OwnedFd)>, Errno> {
    for entry in Dir::read_from(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        match rustix::fs::unlinkat(dir, name, AtFlags::empty()) {
            Ok(()) => {}
            Err(Errno::ISDIR | Errno::PERM) => {
                let flags = DIRECTORY | OFlags::NOFOLLOW;
                let opened = rustix::fs::openat(dir, name, flags, Mode::empty())?;
                return Ok(Some((name.to_owned(), opened)));
            }
            Err(errno) => return Err(errno),
        }
    }
    Ok(None)
}

fn enter(dir: &OwnedFd, name: &[u8], gone: &mut Vec<u64>) -> Result<OwnedFd, Errno> {
    let opened = rustix::fs::openat(dir, name, DIRECTORY | OFlags::NOFOLLOW, Mode::empty())?;
    gone.push(inode(&opened)?);
    Ok(opened)
}

fn inode(dir: &OwnedFd) -> Result<u64, Errno> {
    Ok(rustix::fs::fstat(dir)?.st_ino)
}
