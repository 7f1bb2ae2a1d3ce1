//! Whether a file system can hold what layers of overlayfs hold: marks of removed files and of opaque directories.
//! It is separate because it is asked once, before the first layer, and writes nothing that stays.

use std::io;
use std::os::fd::BorrowedFd;

use rustix::fs::{AtFlags, FileType, Mode, XattrFlags};

use super::target::OPAQUE;

/// A name for the marks that are tried.
const MARK: &str = "mark";

/// Tries both marks in an empty directory: some file systems of memory, of networks and of other systems know neither.
pub fn carries(dir: BorrowedFd<'_>) -> io::Result<()> {
    rustix::fs::fsetxattr(dir, OPAQUE, b"y", XattrFlags::empty())
        .map_err(|errno| told(errno, "an extended attribute of overlayfs"))?;
    rustix::fs::mknodat(dir, MARK, FileType::CharacterDevice, Mode::empty(), 0)
        .map_err(|errno| told(errno, "a device node"))?;
    rustix::fs::unlinkat(dir, MARK, AtFlags::empty()).map_err(|errno| told(errno, "a device node"))
}

fn told(errno: rustix::io::Errno, what: &str) -> io::Error {
    let error = io::Error::from(errno);
    io::Error::new(error.kind(), format!("it cannot hold {what}: {error}"))
}
