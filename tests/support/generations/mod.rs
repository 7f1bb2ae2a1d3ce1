//! Real containerds of three generations, 1.6, 1.7 and 2.x, from Debian's suites.
//! Separate because every part of the store is tried against each of them, and none is installed on the host.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "it drives real programs on temporary files of its own"
)]
#![allow(
    dead_code,
    reason = "compiled into two programs, the tests and the benchmark, and each uses its own part"
)]

mod daemon;

pub(crate) use daemon::{Daemon, Options};

use crate::support::machine::{Result, cache, doing, need_root, pool, run, sources};
use std::{
    fs::{self, File},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

/// Fetching is bounded by this, however slow the mirror.
const FETCH: Duration = Duration::from_mins(10);
/// A generation of containerd.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Generation {
    /// 1.6, from Debian 12.
    V16,
    /// 1.7, from Debian 13.
    V17,
    /// 2.x, from Debian's unstable suite.
    V2,
}

impl Generation {
    /// All of them, oldest first.
    pub(crate) const ALL: [Self; 3] = [Self::V16, Self::V17, Self::V2];

    /// Its name in messages: `1.6`, `1.7`, `2`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::V16 => "1.6",
            Self::V17 => "1.7",
            Self::V2 => "2",
        }
    }

    fn suite(self) -> &'static str {
        match self {
            Self::V16 => "bookworm",
            Self::V17 => "trixie",
            Self::V2 => "sid",
        }
    }

    /// The version of the configuration file that it likes best.
    fn config(self) -> u8 {
        match self {
            Self::V16 | Self::V17 => 2,
            Self::V2 => 3,
        }
    }

    /// Its programs, fetched once.
    pub(crate) fn programs(self) -> Result<Programs> {
        need_root()?;
        let bin = package(self.suite(), "containerd")?.join("usr/bin");
        Ok(Programs {
            containerd: bin.join("containerd"),
            ctr: bin.join("ctr"),
            shim: bin.join("containerd-shim-runc-v2"),
            bin,
        })
    }
}

/// Where a generation's programs lie.
#[derive(Debug, Clone)]
pub(crate) struct Programs {
    /// The daemon.
    pub(crate) containerd: PathBuf,
    /// Its client.
    pub(crate) ctr: PathBuf,
    /// What stands between the daemon and runc.
    pub(crate) shim: PathBuf,
    /// The directory of all three.
    pub(crate) bin: PathBuf,
}

/// A package of a suite, unpacked, fetched once.
pub(crate) fn package(suite: &str, name: &str) -> Result<PathBuf> {
    let key = cache::key(&[&format!("{name} 1"), suite]);
    let entry = cache::entry(&format!("{name}-{suite}"), &key, |dir| {
        unpack(suite, name, dir)
    })?;
    Ok(entry.path)
}

/// The directory of an `igzip`, which containerd 2 unpacks with where it finds one. Debian has it for 64-bit x86 only.
pub(crate) fn igzip() -> Result<PathBuf> {
    let key = cache::key(&["igzip 1"]);
    let entry = cache::entry("igzip", &key, |dir| {
        for name in ["isal", "libisal2"] {
            unpack("bookworm", name, dir)?;
        }
        let bin = dir.join("bin");
        fs::create_dir(&bin).map_err(|e| doing("creating", &bin, &e))?;
        let program = bin.join("igzip");
        let script = "#!/bin/sh\nhere=${0%/bin/*}/usr\n\
            LD_LIBRARY_PATH=$(echo \"$here\"/lib/*-linux-gnu) exec \"$here/bin/igzip\" \"$@\"\n";
        fs::write(&program, script).map_err(|e| doing("writing", &program, &e))?;
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755))
            .map_err(|e| doing("writing", &program, &e))
    })?;
    Ok(entry.path.join("bin"))
}

/// Fetches a package of a suite from where the host's own packages come from, and unpacks it.
fn unpack(suite: &str, name: &str, into: &Path) -> Result<()> {
    let work = tempfile::tempdir().map_err(|e| format!("making a scratch directory: {e}"))?;
    let work = work.path();
    let nothing = work.join("root");
    for dir in ["var/lib/dpkg", "var/lib/apt"] {
        let dir = nothing.join(dir);
        fs::create_dir_all(&dir).map_err(|e| doing("creating", &dir, &e))?;
    }
    let status = nothing.join("var/lib/dpkg/status");
    File::create(&status).map_err(|e| doing("creating", &status, &e))?;
    let config = pool::apt_config(&nothing, work)?;
    sources::of_suite(suite, &work.join("sources"))?;
    let apt = |args: &[&str]| {
        let mut command = Command::new("apt-get");
        command.current_dir(work).env("APT_CONFIG", &config);
        run::ok(command.arg("-q").args(args), FETCH)
    };
    apt(&["update", "--error-on=any"])?;
    apt(&["download", name])?;
    let mut extract = Command::new("sh");
    extract
        .args(["-c", "exec dpkg -x \"$1\"/*.deb \"$2\"", "sh"])
        .arg(work)
        .arg(into);
    run::ok(&mut extract, FETCH).map(|_| ())
}
