//! The test double for Rocky 9: a small root with the real dnf and rpm whose os-release says el9.
//! Separate because no Rocky package can be had here: Debian's dnf is of the same generation, the packages are the rig's.

use super::{Result, cache, doing, rpms, run, sources};
use std::{fs, path::Path, process::Command, time::Duration};

/// What is done to the root after dnf is in.
const CUSTOMIZE: &str = include_str!("../el9/customize.sh");

/// Nobody reads these in the double.
const LEFT_OUT: &[&str] = &[
    "/usr/share/doc/*",
    "/usr/share/man/*",
    "/usr/share/info/*",
    "/usr/share/locale/*",
];

/// The cached root; only ever copied or overlaid.
pub(crate) fn stock() -> Result<cache::Entry> {
    super::need_root()?;
    let base = rpms::base()?;
    let base_name = base.path.display().to_string();
    let key = cache::key(&["bookworm el9 1", CUSTOMIZE, &base_name]);
    cache::entry("el9", &key, |dir| bootstrap(dir, &base.path))
}

fn bootstrap(dir: &Path, base: &Path) -> Result<()> {
    let work = tempfile::tempdir().map_err(|e| format!("making a scratch directory: {e}"))?;
    let hook = work.path().join("customize.sh");
    fs::write(&hook, CUSTOMIZE).map_err(|e| doing("writing", &hook, &e))?;
    let mut command = Command::new("mmdebstrap");
    command.args([
        "--quiet",
        "--mode=root",
        "--variant=essential",
        "--skip=check/empty",
        "--include=dnf,rpm,ca-certificates",
        "--customize-hook=mkdir -p \"$1/srv/base\"",
    ]);
    command.arg(format!(
        "--customize-hook=cp {}/*.rpm \"$1/srv/base\"",
        base.display()
    ));
    command.arg(format!("--customize-hook=sh {} \"$1\"", hook.display()));
    for path in LEFT_OUT {
        command.arg(format!("--dpkgopt=path-exclude={path}"));
    }
    for setting in sources::transport_settings()? {
        command.arg(format!("--aptopt={setting}"));
    }
    command
        .arg("bookworm")
        .arg(dir)
        .args(sources::copy_to(work.path())?);
    run::ok(&mut command, Duration::from_mins(15))?;
    // Nothing of the other family is left, so that nobody can have looked there; mmdebstrap needed it to the end.
    let mut remove = Command::new("rm");
    let left = [
        "var/lib/dpkg",
        "etc/apt",
        "var/lib/apt",
        "var/cache/apt",
        "var/log/apt",
        "etc/debian_version",
    ];
    remove.arg("-rf").args(left.map(|path| dir.join(path)));
    run::ok(&mut remove, Duration::from_mins(1)).map(|_| ())
}
