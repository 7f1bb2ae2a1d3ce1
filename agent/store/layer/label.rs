//! The SELinux label of staged files: that of the directory whose snapshots they become.
//! It is separate because a rename keeps labels and nothing relabels snapshots later, so it must be right from the start.

use std::os::fd::BorrowedFd;

use rustix::fs::XattrFlags;
use rustix::io::Errno;

use super::attributes::accepted;
use crate::error::{Context as _, Result};

/// Where the label lies.
const LABEL: &str = "security.selinux";

/// Where the kernel shows SELinux, and the mark of that file system (linux/magic.h).
const SELINUX: (&str, u64) = ("/sys/fs/selinux", 0xf97c_ff8c);

/// Longest label.
const LONGEST: usize = 4096;

/// Puts the label of one directory (containerd's `snapshots`) on another, in which nothing was made yet: what is made in
/// it inherits the label. Without SELinux nothing is done.
pub fn carry_label(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> Result<()> {
    match is_on() {
        true => copy(from, to).context(|| "label the staging directory as the snapshots are"),
        false => Ok(()),
    }
}

fn is_on() -> bool {
    rustix::fs::statfs(SELINUX.0).is_ok_and(|stat| u64::try_from(stat.f_type) == Ok(SELINUX.1))
}

fn copy(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> std::io::Result<()> {
    let mut label = vec![0u8; LONGEST];
    let length = match rustix::fs::fgetxattr(from, LABEL, label.as_mut_slice()) {
        Err(Errno::NODATA | Errno::OPNOTSUPP) => return Ok(()),
        other => other?,
    };
    label.truncate(length);
    Ok(accepted(rustix::fs::fsetxattr(
        to,
        LABEL,
        &label,
        XattrFlags::empty(),
    ))?)
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd as _;

    use super::*;

    #[test]
    fn the_label_is_carried_over() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let open = |dir: &tempfile::TempDir| std::fs::File::open(dir.path()).unwrap();
        let (from, to) = (open(&from), open(&to));
        // Without a label there is nothing to carry.
        copy(from.as_fd(), to.as_fd()).unwrap();
        let label = b"system_u:object_r:container_ro_file_t:s0\0";
        rustix::fs::fsetxattr(&from, LABEL, label, XattrFlags::empty()).unwrap();
        copy(from.as_fd(), to.as_fd()).unwrap();
        let mut got = vec![0u8; LONGEST];
        let length = rustix::fs::fgetxattr(&to, LABEL, got.as_mut_slice()).unwrap();
        assert_eq!(&got[..length], label);
    }
}
