//! An overlay file system in a test's own namespace.
//! Separate because both the facts and the start of a daemon are tried on one.

use nix::mount::{MsFlags, mount};
use std::path::{Path, PathBuf};

/// Where one can be mounted, with its layers.
pub(crate) fn dir() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for name in ["lower", "upper", "work", "merged"] {
        std::fs::create_dir(dir.path().join(name)).unwrap();
    }
    dir
}

/// Mounts it, and gives its root.
pub(crate) fn mounted(dir: &Path) -> PathBuf {
    let at = dir.display();
    let options = format!("lowerdir={at}/lower,upperdir={at}/upper,workdir={at}/work");
    let merged = dir.join("merged");
    let (kind, flags) = (Some("overlay"), MsFlags::empty());
    mount(kind, &merged, kind, flags, Some(options.as_str())).unwrap();
    merged
}
