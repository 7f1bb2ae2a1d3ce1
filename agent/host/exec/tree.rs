//! Entering an unbooted tree: private mounts for what a running system would have, then the tree becomes `/`.
//! It is separate because every mount point lies in a tree that may be hostile: none may lead out of it.
//!
//! Nothing of the tree changes: /proc, /sys, /dev and /run are laid over it in a mount namespace of one child.
//! /dev holds no disk and /sys no efivars, so that no boot loader script reaches those of the machine we run on.

use std::fmt::Write as _;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, open, openat, openat2};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::sys::stat::{Mode, mkdirat};
use nix::unistd::{chdir, chroot, pivot_root, symlinkat};

use super::shim;
use crate::error::{Context as _, Error, Result};

/// Devices that programs expect and that reach no hardware.
const DEVICES: &[&str] = &["null", "zero", "full", "random", "urandom", "tty"];

/// Where the names of this machine's servers may be found: resolved's own list before its stub.
const RESOLVERS: &[&str] = &["/run/systemd/resolve/resolv.conf", "/etc/resolv.conf"];

/// Where the kernel refuses namespaces.
pub(super) const NEEDS: &str = "make namespaces for the tree (this needs root with CAP_SYS_ADMIN)";

/// Makes the tree `/` of this process; returns the environment that programs need there.
pub(super) fn enter(tree: &Path) -> Result<Vec<(String, String)>> {
    let apart = CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWUTS | CloneFlags::CLONE_NEWIPC;
    unshare(apart).context(|| NEEDS)?;
    let resolvers = RESOLVERS.iter().find_map(|path| std::fs::read(path).ok());
    bare("none", "/", MsFlags::MS_REC | MsFlags::MS_PRIVATE).context(
        || "make mounts private (this needs / to be a mount point: not inside another chroot)",
    )?;
    bind(tree, tree).context(|| format!("mount {} on itself", tree.display()))?;
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let root = open(tree, flags, Mode::empty()).context(|| format!("open {}", tree.display()))?;
    proc(&root).context(|| "mount /proc in the tree")?;
    fresh(&root, "sys", "sysfs", MsFlags::MS_RDONLY, "").context(|| "mount /sys in the tree")?;
    dev(&root).context(|| "mount /dev in the tree")?;
    run(&root).context(|| "mount /run in the tree")?;
    if let Some(text) = resolvers {
        names(&root, &text).context(|| "lend /etc/resolv.conf to the tree")?;
    }
    become_root(&root).context(|| format!("enter {}", tree.display()))?;
    Ok(shim::env())
}

/// A directory or file of the tree as a path that the kernel resolves to exactly what was checked; keep it alive
/// for as long as the path is used.
struct Point(OwnedFd);

impl Point {
    fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.0.as_raw_fd()))
    }
}

/// Opens a path of the tree; a symlink anywhere in it is refused, because a mount must not follow it.
fn point(root: &OwnedFd, path: &str) -> Result<Point> {
    // Without O_NOFOLLOW: with it a symlink in the last part would be opened itself instead of refused.
    let how = OpenHow::new()
        .flags(OFlag::O_PATH | OFlag::O_CLOEXEC)
        .resolve(ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_SYMLINKS);
    match openat2(root.as_fd(), path, how) {
        Ok(fd) => Ok(Point(fd)),
        Err(Errno::ELOOP) => Err(Error::host(format!(
            "use /{path} of the tree: it is a symlink, and mounting there could reach this machine"
        ))
        .hint(format!("replace /{path} in the tree by a real directory"))),
        Err(Errno::ENOENT) => Err(
            Error::host(format!("use /{path} of the tree: it is missing"))
                .hint(format!("make the directory /{path} in the tree")),
        ),
        Err(errno) => Err(errno).context(|| format!("open /{path} of the tree")),
    }
}

fn bare(source: &str, target: &str, flags: MsFlags) -> nix::Result<()> {
    mount(Some(source), target, None::<&str>, flags, None::<&str>)
}

fn bind(source: &Path, target: &Path) -> nix::Result<()> {
    let flags = MsFlags::MS_BIND | MsFlags::MS_REC;
    mount(Some(source), target, None::<&str>, flags, None::<&str>)
}

/// Mounts a new file system of a kind at a directory of the tree.
fn fresh(root: &OwnedFd, at: &str, kind: &str, more: MsFlags, options: &str) -> Result<()> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC | more;
    let target = point(root, at)?;
    mount(Some(kind), &target.path(), Some(kind), flags, Some(options))
        .context(|| format!("mount {kind} at /{at}"))
}

fn proc(root: &OwnedFd) -> Result<()> {
    fresh(root, "proc", "proc", MsFlags::MS_NODEV, "")?;
    // Settings there are this machine's, not the tree's.
    for path in ["proc/sys", "proc/sysrq-trigger"] {
        let doing = || format!("make /{path} read-only");
        if !Path::new("/").join(path).exists() {
            continue;
        }
        let target = point(root, path)?;
        bind(&target.path(), &target.path()).context(doing)?;
        let flags = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY;
        let target = point(root, path)?;
        mount(
            None::<&str>,
            &target.path(),
            None::<&str>,
            flags,
            None::<&str>,
        )
        .context(doing)?;
    }
    Ok(())
}

fn dev(root: &OwnedFd) -> Result<()> {
    fresh(root, "dev", "tmpfs", MsFlags::empty(), "mode=0755,size=1m")?;
    let dev = point(root, "dev")?.0;
    for name in DEVICES {
        file(&dev, name, "", 0o666)?;
        let target = point(root, &format!("dev/{name}"))?;
        bind(&Path::new("/dev").join(name), &target.path())
            .context(|| format!("lend /dev/{name} to the tree"))?;
    }
    for (target, name) in [
        ("/proc/self/fd", "fd"),
        ("/proc/self/fd/0", "stdin"),
        ("/proc/self/fd/1", "stdout"),
        ("/proc/self/fd/2", "stderr"),
        ("pts/ptmx", "ptmx"),
    ] {
        symlinkat(target, &dev, name).context(|| format!("link /dev/{name}"))?;
    }
    directory(&dev, "pts", 0o755)?;
    directory(&dev, "shm", 0o755)?;
    let terminals = "newinstance,ptmxmode=0666,mode=0620";
    fresh(root, "dev/pts", "devpts", MsFlags::empty(), terminals)?;
    fresh(root, "dev/shm", "tmpfs", MsFlags::MS_NODEV, "mode=1777")
}

fn run(root: &OwnedFd) -> Result<()> {
    let doing = || "mount tmpfs at /run";
    let target = point(root, "run")?;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount(
        Some("tmpfs"),
        &target.path(),
        Some("tmpfs"),
        flags,
        Some("mode=0755"),
    )
    .context(doing)?;
    let run = point(root, "run")?.0;
    directory(&run, "lock", 0o1777)?;
    let shims = shim::DIR.trim_start_matches("/run/");
    directory(&run, shims, 0o755)?;
    let shims = point(root, shim::DIR.trim_start_matches('/'))?.0;
    for (name, text) in shim::SHIMS {
        file(&shims, name, text, 0o755)?;
    }
    Ok(())
}

fn directory(at: &OwnedFd, name: &str, mode: u32) -> Result<()> {
    let doing = || format!("make the directory {name}");
    mkdirat(at, name, Mode::from_bits_truncate(0o700)).context(doing)?;
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let fd = openat(at, name, flags, Mode::empty()).context(doing)?;
    nix::sys::stat::fchmod(&fd, Mode::from_bits_truncate(mode)).context(doing)
}

fn file(at: &OwnedFd, name: &str, text: &str, mode: u32) -> Result<()> {
    use std::io::Write as _;
    let doing = || format!("write the file {name}");
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC;
    let fd = openat(at, name, flags, Mode::from_bits_truncate(0o600)).context(doing)?;
    nix::sys::stat::fchmod(&fd, Mode::from_bits_truncate(mode)).context(doing)?;
    std::fs::File::from(fd)
        .write_all(text.as_bytes())
        .context(doing)
}

/// Gives the tree this machine's name servers. A file there is covered; a symlink into /run gets its target in
/// the private /run; a tree without the file goes without, because a mount point for it would be a change.
fn names(root: &OwnedFd, text: &[u8]) -> Result<()> {
    let run = point(root, "run")?.0;
    let text = String::from_utf8_lossy(text).into_owned();
    let into_run = match nix::fcntl::readlinkat(&point(root, "etc")?.0, "resolv.conf") {
        Ok(target) => in_run(&target.to_string_lossy()),
        Err(Errno::EINVAL) => {
            file(&run, "nodeagent-resolv.conf", &text, 0o644)?;
            let source = point(root, "run/nodeagent-resolv.conf")?;
            let target = point(root, "etc/resolv.conf")?;
            return bind(&source.path(), &target.path()).context(|| "bind /etc/resolv.conf");
        }
        Err(Errno::ENOENT) => None,
        Err(errno) => return Err(errno).context(|| "look at /etc/resolv.conf"),
    };
    let Some(path) = into_run else {
        return Ok(());
    };
    let (dirs, name) = path.rsplit_once('/').unwrap_or(("", &path));
    let mut below = "run".to_owned();
    for dir in dirs.split('/').filter(|dir| !dir.is_empty()) {
        directory(&point(root, &below)?.0, dir, 0o755)?;
        write!(below, "/{dir}").context(|| "name a directory")?;
    }
    file(&point(root, &below)?.0, name, &text, 0o644)
}

/// The path below /run that a resolv.conf symlink in /etc leads to, when it plainly leads there.
fn in_run(target: &str) -> Option<String> {
    let target = target.strip_prefix("..").unwrap_or(target);
    let path = target.strip_prefix("/run/")?;
    let plain = path.split('/').all(|part| !matches!(part, "" | "." | ".."));
    (plain && path != "nodeagent-child" && !path.starts_with("lock")).then(|| path.to_owned())
}

/// pivot_root leaves nothing of this machine's tree reachable; an initramfs cannot pivot, so chroot there.
fn become_root(root: &OwnedFd) -> Result<()> {
    nix::unistd::fchdir(root).context(|| "change the directory")?;
    match pivot_root(".", ".") {
        Ok(()) => umount2(".", MntFlags::MNT_DETACH).context(|| "leave the old root")?,
        Err(Errno::EINVAL) => chroot(".").context(|| "change the root")?,
        Err(errno) => return Err(errno).context(|| "pivot the root"),
    }
    chdir("/").context(|| "change the directory")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_links_into_run_get_a_target() {
        let table = [
            (
                "../run/systemd/resolve/stub-resolv.conf",
                Some("systemd/resolve/stub-resolv.conf"),
            ),
            (
                "/run/resolvconf/resolv.conf",
                Some("resolvconf/resolv.conf"),
            ),
            ("/run/../etc/shadow", None),
            ("/etc/other", None),
            ("../../run/x", None),
            ("/run/nodeagent-child", None),
        ];
        for (target, want) in table {
            assert_eq!(in_run(target).as_deref(), want, "{target}");
        }
    }
}
