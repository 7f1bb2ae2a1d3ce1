//! The stock Debian 12 root: what a vendor's cloud image holds before anyone booted it.
//! Separate because it is made once, takes half a minute, and every machine starts as its copy.

use super::{Result, cache, doing, run, sources};
use std::{fs, path::Path, process::Command, time::Duration};

/// The packages on top of the `important` ones.
const PACKAGES: &str = include_str!("../rootfs/packages.txt");
/// What is done to the root after the packages are in.
const CUSTOMIZE: &str = include_str!("../rootfs/customize.sh");

/// The cached stock root; never booted or written to, only copied.
pub(crate) fn stock() -> Result<cache::Entry> {
    super::need_root()?;
    cache::entry(
        "root",
        &cache::key(&["bookworm 1", PACKAGES, CUSTOMIZE]),
        bootstrap,
    )
}

/// Bootstraps straight into a directory: a tar in between would only be written and read once more.
fn bootstrap(dir: &Path) -> Result<()> {
    let work = tempfile::tempdir().map_err(|e| format!("making a scratch directory: {e}"))?;
    let hook = work.path().join("customize.sh");
    fs::write(&hook, CUSTOMIZE).map_err(|e| doing("writing", &hook, &e))?;
    let names: Vec<&str> = PACKAGES.lines().filter(|l| !l.starts_with('#')).collect();
    let mut command = Command::new("mmdebstrap");
    command
        .args([
            "--quiet",
            "--mode=root",
            "--variant=important",
            "--skip=check/empty",
        ])
        .arg(format!("--include={}", names.join(",")))
        .arg(format!("--customize-hook=sh {} \"$1\"", hook.display()));
    for setting in sources::transport_settings()? {
        command.arg(format!("--aptopt={setting}"));
    }
    command
        .arg("bookworm")
        .arg(dir)
        .args(sources::copy_to(work.path())?);
    run::ok(&mut command, Duration::from_mins(15)).map(|_| ())
}
