//! What lies in a directory and is in no layer.
//! It is separate because only here names come from the disk.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::super::resolve::{DIRECTORY, type_of};
use super::MOST;

/// Deeper trees are not looked through: each level holds descriptors.
const DEPTH: usize = 200;

/// Adds what has no inode that the layer speaks of. A directory that no entry made is none if something of the layer is
/// below it.
pub(super) fn strangers(
    root: impl AsFd,
    known: &BTreeSet<u64>,
    told: &mut BTreeMap<Vec<u8>, String>,
) -> Result<(), Errno> {
    Walk { known, told }
        .enter(root, &mut Vec::new(), DEPTH)
        .map(drop)
}

struct Walk<'w> {
    known: &'w BTreeSet<u64>,
    told: &'w mut BTreeMap<Vec<u8>, String>,
}

impl Walk<'_> {
    /// Whether anything of the layer lies in it.
    fn enter(&mut self, dir: impl AsFd, path: &mut Vec<u8>, depth: usize) -> Result<bool, Errno> {
        let mut any = false;
        for entry in Dir::read_from(&dir)? {
            let entry = entry?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            let stat = rustix::fs::statat(&dir, name, AtFlags::SYMLINK_NOFOLLOW)?;
            let length = path.len();
            if length > 0 {
                path.push(b'/');
            }
            path.extend_from_slice(name.to_bytes());
            let mut known = self.known.contains(&stat.st_ino);
            if type_of(stat.st_mode) == FileType::Directory {
                known |= self.below(&dir, name, path, depth)?;
            }
            if !known {
                self.tell(path, "is not in the layer");
            }
            path.truncate(length);
            any |= known;
        }
        Ok(any)
    }

    fn below(
        &mut self,
        dir: impl AsFd,
        name: &std::ffi::CStr,
        path: &mut Vec<u8>,
        depth: usize,
    ) -> Result<bool, Errno> {
        if depth == 0 {
            self.tell(path, "lies too deep to be looked through");
            return Ok(true);
        }
        let flags = DIRECTORY | OFlags::NOFOLLOW | OFlags::NOATIME;
        let inner: OwnedFd = rustix::fs::openat(dir, name, flags, Mode::empty())?;
        self.enter(inner, path, depth - 1)
    }

    fn tell(&mut self, path: &[u8], what: &str) {
        if self.told.len() < MOST {
            let told = self.told.entry(path.to_vec());
            told.or_insert_with(|| what.to_owned());
        }
    }
}
