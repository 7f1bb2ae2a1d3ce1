//! Walking a whole tree: every path with its metadata, on one file system, without following a link.
//! It is separate because it goes from descriptor to descriptor and never builds a path that it then opens.

use std::os::fd::{AsFd, OwnedFd};

use nix::dir::Dir;
use nix::fcntl::{AtFlags, OFlag, openat};
use nix::sys::stat::{Mode, fstatat};

use super::{FileKind, Meta, Root, found};
use crate::error::{Context as _, Result};

/// Deeper directories are not entered: each level holds a descriptor.
const DEPTH: usize = 128;

impl Root {
    /// Calls `visit` with each path below the root and its metadata; directories that it returns false for are not entered.
    /// Mount points are not entered; a directory that vanishes meanwhile is passed over.
    pub fn walk(&self, visit: &mut dyn FnMut(&str, &Meta) -> bool) -> Result<()> {
        self.walk_from("", visit)
    }

    /// The same below one directory, on the file system that it lies on; a missing one holds nothing.
    pub fn walk_from(&self, dir: &str, visit: &mut dyn FnMut(&str, &Meta) -> bool) -> Result<()> {
        let at = if dir.is_empty() { "/" } else { dir };
        let fd = self.open_at(at, OFlag::O_RDONLY | OFlag::O_DIRECTORY, 0);
        let Some(fd) = found(fd).context(|| format!("open the directory {at}"))? else {
            return Ok(());
        };
        let device = self.meta_followed(at)?.map_or(0, |meta| meta.device);
        let mut path = dir.to_owned();
        Walk { device, visit }
            .enter(fd, &mut path, DEPTH)
            .context(|| format!("walk through {at}"))
    }
}

struct Walk<'v> {
    device: u64,
    visit: &'v mut dyn FnMut(&str, &Meta) -> bool,
}

impl Walk<'_> {
    fn enter(&mut self, fd: OwnedFd, path: &mut String, depth: usize) -> nix::Result<()> {
        let mut dir = Dir::from_fd(fd)?;
        let entries: Vec<_> = dir.iter().collect::<nix::Result<_>>()?;
        for entry in entries {
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            let Ok(stat) = fstatat(dir.as_fd(), name, AtFlags::AT_SYMLINK_NOFOLLOW) else {
                continue;
            };
            let meta = Meta::of(&stat);
            let length = path.len();
            path.push('/');
            path.push_str(&name.to_string_lossy());
            let enter = (self.visit)(path, &meta);
            if enter && depth > 0 && meta.kind == FileKind::Directory && meta.device == self.device
            {
                let flags =
                    OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
                if let Ok(inner) = openat(dir.as_fd(), name, flags, Mode::empty()) {
                    self.enter(inner, path, depth - 1)?;
                }
            }
            path.truncate(length);
        }
        Ok(())
    }
}
