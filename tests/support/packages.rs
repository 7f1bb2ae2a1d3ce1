//! The project's own packages, made by its Makefile from a binary that is there already.
//! It is separate because package tests and virtual machines both install them, and none compiles the program again.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "it drives real programs on temporary files of its own"
)]
#![allow(
    dead_code,
    reason = "compiled into several programs, the tests and the drivers, and each uses its own part"
)]

use super::machine::{Result, doing, run};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

const LIMIT: Duration = Duration::from_mins(3);

/// Makes the .deb of `binary` below `into` and gives its path.
///
/// Any binary will do, also one with debug information; [`lean`] makes it a tenth as large. Not compressed, because
/// that would take longer than all else.
pub(crate) fn deb(binary: &Path, into: &Path) -> Result<PathBuf> {
    deb_version(binary, env!("CARGO_PKG_VERSION"), into)
}

/// [`deb`] under another version than the program's own.
pub(crate) fn deb_version(binary: &Path, version: &str, into: &Path) -> Result<PathBuf> {
    let version_is = format!("VERSION={version}");
    make("deb", binary, into, &[&version_is, "DEB_COMPRESSION=none"])?;
    Ok(into.join(format!("packages/nodeagent_{version}_amd64.deb")))
}

/// Makes the .rpm of `binary` below `into`, as `version`, and gives its path.
pub(crate) fn rpm_version(binary: &Path, version: &str, into: &Path) -> Result<PathBuf> {
    let version_is = format!("VERSION={version}");
    let flags = "RPM_FLAGS=--define 'nodeagent_payload w.ufdio' --define 'dist .el9'";
    make("rpm", binary, into, &[&version_is, flags])?;
    Ok(into.join(format!("packages/nodeagent-{version}-1.el9.x86_64.rpm")))
}

/// Installs what a package holds below `tree`.
pub(crate) fn installed(binary: &Path, tree: &Path) -> Result<()> {
    let place = format!("DESTDIR={}", tree.display());
    make("install", binary, tree, &[&place])
}

/// A copy of a binary without debug information.
pub(crate) fn lean(binary: &Path, into: &Path) -> Result<PathBuf> {
    let copy = into.join("nodeagent");
    let mut strip = Command::new("strip");
    strip.arg("-o").arg(&copy).arg(binary);
    run::ok(&mut strip, LIMIT)?;
    Ok(copy)
}

/// Runs a target of the Makefile that leaves everything below `into`.
pub(crate) fn make(target: &str, binary: &Path, into: &Path, settings: &[&str]) -> Result<()> {
    fs::create_dir_all(into).map_err(|e| doing("creating", into, &e))?;
    let mut command = Command::new("make");
    command.args(["-C", env!("CARGO_MANIFEST_DIR"), "--silent", target]);
    command.arg(format!("BINARY={}", binary.display()));
    command.arg(format!("TARGET_DIR={}", into.display()));
    command.args(settings);
    for name in ["MAKEFLAGS", "SOURCE_DATE_EPOCH"] {
        command.env_remove(name);
    }
    run::ok(&mut command, LIMIT).map(|_| ())
}
