//! Whether the tree has a program, without starting anything.
//! It is separate because several kinds must tell "not here" from "failed".

use crate::error::Result;
use crate::host::{FileKind, Root};

/// Where the child seam looks programs up.
const DIRS: [&str; 6] = [
    "/usr/local/sbin",
    "/usr/local/bin",
    "/usr/sbin",
    "/usr/bin",
    "/sbin",
    "/bin",
];

/// Where a program lies, by its name or its absolute path; none when it is not there or cannot be executed.
pub(crate) fn find(root: &Root, name: &str) -> Result<Option<String>> {
    let paths = if name.starts_with('/') {
        vec![name.to_owned()]
    } else {
        DIRS.iter().map(|dir| format!("{dir}/{name}")).collect()
    };
    for path in paths {
        let meta = root.meta_followed(&path)?;
        if meta.is_some_and(|m| m.kind == FileKind::File && m.mode & 0o111 != 0) {
            return Ok(Some(path));
        }
    }
    Ok(None)
}
