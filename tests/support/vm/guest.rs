//! The stock guest: the disk of a Debian 12 with its own kernel that nobody booted yet, and what is brought to it.
//! Separate because it is made once, takes minutes, and every VM begins as its overlay.

use super::tools;
use crate::support::machine::{Result, cache, doing, need_root, pool, run, sources};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

/// The packages on top of the `important` ones.
const PACKAGES: &str = include_str!("../guest/packages.txt");
/// Those of the list that are there for the profile's sake alone.
const OF_THE_PROFILE: [&str; 8] = [
    "chrony",
    "cryptsetup",
    "ebtables",
    "ethtool",
    "multipath-tools",
    "nfs-common",
    "open-iscsi",
    "qemu-guest-agent",
];
/// What is done to the root after the packages are in.
const CUSTOMIZE: &str = include_str!("../guest/customize.sh");
/// Size of every disk; the file is sparse.
const SIZE: &str = "4G";
const LIMIT: Duration = Duration::from_mins(20);

/// A guest that can be booted: its kernel is given to QEMU, as no boot loader is under test.
#[derive(Debug, Clone)]
pub(crate) struct Guest {
    dir: PathBuf,
}

/// The cached stock guest; VMs write to overlays of its disk.
pub(crate) fn stock() -> Result<Guest> {
    cached("guest 1", &[])
}

/// One that has none of the profile's packages yet, as a vendor ships it.
pub(crate) fn bare() -> Result<Guest> {
    cached("bare guest 1", &OF_THE_PROFILE)
}

fn cached(name: &str, without: &[&str]) -> Result<Guest> {
    need_root()?;
    let key = cache::key(&[name, PACKAGES, CUSTOMIZE, SIZE]);
    let entry = cache::entry("guest", &key, |dir| {
        let root = dir.join("root");
        bootstrap(&root, without)?;
        take_kernel(&root, dir)?;
        make_disk(&root, &dir.join("disk.raw"))?;
        // The pool is resolved against its package database alone.
        keep_packages(&root, dir)
    })?;
    Ok(Guest { dir: entry.path })
}

impl Guest {
    /// The stock disk, raw.
    pub(crate) fn disk(&self) -> PathBuf {
        self.dir.join("disk.raw")
    }

    /// Its kernel.
    pub(crate) fn kernel(&self) -> PathBuf {
        self.dir.join("vmlinuz")
    }

    /// Its initramfs.
    pub(crate) fn initrd(&self) -> PathBuf {
        self.dir.join("initrd.img")
    }

    /// A word that changes with everything the guest is made of.
    pub(crate) fn key(&self) -> String {
        self.dir.display().to_string()
    }

    /// The signed repository of `packages`, resolved against what the guest has.
    pub(crate) fn pool(&self, packages: &[String]) -> Result<PathBuf> {
        Ok(pool::for_root(&self.dir.join("packages"), packages)?.path)
    }
}

/// A read-only disk with a directory's files, as an ISO 9660 with the names as they are.
pub(crate) fn iso(from: &Path, label: &str, to: &Path) -> Result<()> {
    let mut make = tools::qemu()?.command("genisoimage");
    make.args([
        "-quiet",
        "-rational-rock",
        "-joliet",
        "-joliet-long",
        "-volid",
        label,
        "-o",
    ])
    .args([to, from]);
    run::ok(&mut make, LIMIT).map(|_| ())
}

fn bootstrap(root: &Path, without: &[&str]) -> Result<()> {
    let work = tempfile::tempdir().map_err(|e| format!("making a scratch directory: {e}"))?;
    let hook = work.path().join("customize.sh");
    fs::write(&hook, CUSTOMIZE).map_err(|e| doing("writing", &hook, &e))?;
    let wanted = |name: &&str| !name.starts_with('#') && !without.contains(name);
    let names: Vec<&str> = PACKAGES.lines().filter(wanted).collect();
    // In mounts of its own: what it mounts in the root would stay when it is killed.
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "--propagation", "private", "mmdebstrap"])
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
        .arg(root)
        .args(sources::copy_to(work.path())?);
    run::ok(&mut command, LIMIT).map(|_| ())
}

fn take_kernel(root: &Path, dir: &Path) -> Result<()> {
    let boot = root.join("boot");
    for name in fs::read_dir(&boot).map_err(|e| doing("listing", &boot, &e))? {
        let from = name.map_err(|e| doing("listing", &boot, &e))?.path();
        let file = from.file_name().map(|n| n.to_string_lossy().into_owned());
        for kind in ["vmlinuz", "initrd.img"] {
            if file.as_deref().is_some_and(|name| name.starts_with(kind)) {
                fs::copy(&from, dir.join(kind)).map_err(|e| doing("copying", &from, &e))?;
            }
        }
    }
    Ok(())
}

fn make_disk(root: &Path, disk: &Path) -> Result<()> {
    let mut make = Command::new("mke2fs");
    make.args(["-q", "-t", "ext4", "-L", "root", "-d"])
        .args([root, disk])
        .arg(SIZE);
    run::ok(&mut make, LIMIT).map(|_| ())
}

/// Leaves dpkg's and apt's state where the rest of the root was.
fn keep_packages(root: &Path, dir: &Path) -> Result<()> {
    let script = "set -e; mkdir -p \"$2/var/lib/apt\"; cp -a \"$1/var/lib/dpkg\" \"$2/var/lib/\"; \
                  cp -a \"$1/var/lib/apt/extended_states\" \"$2/var/lib/apt/\"; rm -rf \"$1\"";
    let mut keep = Command::new("sh");
    keep.args(["-c", script, "keep"])
        .args([root, &dir.join("packages")]);
    run::ok(&mut keep, LIMIT).map(|_| ())
}
