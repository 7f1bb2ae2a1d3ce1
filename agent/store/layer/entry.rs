//! One entry of a layer: what containerd's reader would make of its header and extension records.
//! It is separate because parser and writer meet in it, and because its rules are pure.

/// Permission bits with setuid, setgid and sticky.
pub(super) const PERMISSIONS: u32 = 0o7777;

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A second name of what was written before.
    HardLink,
    /// A character device.
    Character,
    /// A block device.
    Block,
    /// A pipe.
    Fifo,
    /// A global extended header: containerd makes room for its name and writes nothing.
    Global,
}

/// A point in time; nanoseconds are never negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Time {
    /// Seconds since 1970.
    pub(super) seconds: i64,
    /// And nanoseconds.
    pub(super) nanoseconds: u32,
}

impl Time {
    /// What containerd writes: a time before 1970, or one that does not fit in 64 bits of nanoseconds, becomes 1970.
    pub(super) fn bounded(self) -> Self {
        const LAST: Time = Time {
            seconds: i64::MAX / 1_000_000_000,
            nanoseconds: 854_775_807,
        };
        if self < Time::default() || self > LAST {
            return Time::default();
        }
        self
    }
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// Its path, cleaned: parts joined by `/`, none of them `.` or `..`; empty for the root itself.
    pub(super) path: Vec<u8>,
    /// What it is.
    pub(super) kind: Kind,
    /// Where a link leads, as it stands there.
    pub(super) link: Vec<u8>,
    /// Bytes of content; of files only.
    pub(super) size: u64,
    /// Permission bits.
    pub(super) mode: u32,
    /// Owner.
    pub(super) uid: u32,
    /// Group.
    pub(super) gid: u32,
    /// When it was changed, within bounds.
    pub(super) mtime: Time,
    /// When it was read, within bounds; never before `mtime`.
    pub(super) atime: Time,
    /// Major and minor number of a device.
    pub(super) device: (u32, u32),
    /// Extended attributes to set, names without repetition.
    pub(super) xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

/// A path as containerd cleans it, before any link is looked at: counted from the root, which nothing leaves.
pub(super) fn clean(path: &[u8]) -> Vec<u8> {
    let mut cleaned = Vec::with_capacity(path.len());
    for part in path.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => cleaned.truncate(split(&cleaned).0.len()),
            part => {
                if !cleaned.is_empty() {
                    cleaned.push(b'/');
                }
                cleaned.extend_from_slice(part);
            }
        }
    }
    cleaned
}

/// A path's directory and its last part.
pub(super) fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(at) => (
            path.get(..at).unwrap_or_default(),
            path.get(at + 1..).unwrap_or_default(),
        ),
        None => (&[], path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_cleaned_and_never_leaves() {
        let table: [(&str, &str); 12] = [
            ("./", ""),
            (".", ""),
            ("..", ""),
            ("/", ""),
            ("a/b", "a/b"),
            ("./a//b/", "a/b"),
            ("/etc/passwd", "etc/passwd"),
            ("../../etc/passwd", "etc/passwd"),
            ("a/../../b", "b"),
            ("a/b/../c", "a/c"),
            ("a/..", ""),
            ("a/.../b", "a/.../b"),
        ];
        for (path, want) in table {
            assert_eq!(clean(path.as_bytes()), want.as_bytes(), "{path}");
        }
    }

    #[test]
    fn a_time_out_of_bounds_is_the_epoch() {
        let at = |seconds, nanoseconds| Time {
            seconds,
            nanoseconds,
        };
        assert_eq!(at(-1, 999_999_999).bounded(), at(0, 0));
        assert_eq!(at(5, 7).bounded(), at(5, 7));
        let last = at(9_223_372_036, 854_775_807);
        assert_eq!(last.bounded(), last);
        assert_eq!(at(9_223_372_036, 854_775_808).bounded(), at(0, 0));
        assert_eq!(at(i64::MAX, 0).bounded(), at(0, 0));
    }
}
