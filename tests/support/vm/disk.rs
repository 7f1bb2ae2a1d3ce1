//! Disks of VMs: overlays, copies, sizes, and a look at a disk's files from outside.
//! Separate because all of it is done to files, while no VM runs on them or while it stands still.

use super::tools;
use crate::support::machine::{Result, doing, run};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

const LIMIT: Duration = Duration::from_mins(10);

/// A new disk that begins as `base`, a raw one, and leaves it as it is.
pub(crate) fn overlay(base: &Path, disk: &Path) -> Result<()> {
    let mut make = tools::qemu()?.command("qemu-img");
    make.args(["create", "-q", "-f", "qcow2", "-F", "raw", "-b"])
        .args([base, disk]);
    run::ok(&mut make, LIMIT).map(|_| ())
}

/// A raw disk of its own with what an overlay shows now; blocks of zeros take no place in it.
pub(crate) fn flatten(overlay: &Path, raw: &Path) -> Result<()> {
    let mut convert = tools::qemu()?.command("qemu-img");
    convert
        .args(["convert", "-q", "-U", "-f", "qcow2", "-O", "raw"])
        .args([overlay, raw]);
    run::ok(&mut convert, LIMIT).map(|_| ())
}

/// How many bytes an image file takes on the host, as `qemu-img info` says it.
pub(crate) fn allocated(disk: &Path) -> Result<u64> {
    let mut info = tools::qemu()?.command("qemu-img");
    info.args(["info", "-U", "--output=json"]).arg(disk);
    let text = run::ok(&mut info, LIMIT)?;
    let json: serde_json::Value =
        serde_json::from_str(&text).map_err(|e| doing("reading the size of", disk, &e))?;
    let size = json.get("actual-size").and_then(serde_json::Value::as_u64);
    size.ok_or_else(|| format!("qemu-img gives no size of {}: {text}", disk.display()))
}

/// A disk's file system on a directory of the host, read-only, for as long as this lives.
///
/// Only for a thread with mounts of its own, so that nothing stays behind when it is killed.
#[derive(Debug)]
pub(crate) struct Mounted {
    at: tempfile::TempDir,
}

impl Mounted {
    /// Mounts a raw disk. A journal that was not written back is replayed in a copy first, as a boot would.
    pub(crate) fn new(raw: &Path, recover: bool) -> Result<Self> {
        let at = tempfile::tempdir().map_err(|e| format!("making a mount point: {e}"))?;
        if recover {
            // 1 is "errors were corrected": a journal was replayed.
            let done = run::run(Command::new("e2fsck").arg("-fy").arg(raw), LIMIT)?;
            if done.code > 1 {
                return Err(format!(
                    "e2fsck {}: exit {}\n{}",
                    raw.display(),
                    done.code,
                    done.stdout
                ));
            }
        }
        let mut mount = Command::new("mount");
        mount.args(["-o", "loop,ro"]).arg(raw).arg(at.path());
        run::ok(&mut mount, LIMIT)?;
        Ok(Self { at })
    }

    /// Where its root is.
    pub(crate) fn root(&self) -> PathBuf {
        self.at.path().to_owned()
    }

    /// A file of it as text.
    pub(crate) fn read(&self, path: &str) -> Result<String> {
        let path = self.at.path().join(path);
        fs::read_to_string(&path).map_err(|e| doing("reading", &path, &e))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let mut unmount = Command::new("umount");
        // A failure leaves a mount that ends with the thread.
        drop(run::run(unmount.arg(self.at.path()), LIMIT));
    }
}
