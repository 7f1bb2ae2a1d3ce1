//! One independent, writable view of a root, gone when it is dropped.
//! Separate because trees are made of the stock root and of sealed images alike.

use super::{Result, cache, doing, run};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

static COUNT: AtomicU32 = AtomicU32::new(0);

/// Directories kept off the overlay: the machine's own containerd mounts overlays from here, and
/// the kernel takes no overlay as another overlay's upper directory.
const PLAIN: [&str; 1] = ["var/lib/containerd"];

/// A root below `target/machines`: an overlay over its origin, or a full copy where the file system
/// cannot carry overlays. An overlay costs nothing; a copy a second and half a gigabyte, and a
/// quarter of a minute on ext4 without a journal after another copy was removed.
#[derive(Debug)]
pub(crate) struct Tree {
    home: PathBuf,
    /// What lies below the writable layer, topmost first; empty for a full copy.
    lower: Vec<PathBuf>,
}

impl Tree {
    /// A tree that starts as the stock root.
    pub(crate) fn of_stock(stock: &Path, label: &str) -> Result<Self> {
        Self::make(stock, vec![stock.to_owned()], label)
    }

    /// A tree that starts as `image` is now. The image must have been frozen.
    pub(crate) fn of_image(image: &Self, label: &str) -> Result<Self> {
        let mut lower = image.lower.clone();
        if !lower.is_empty() {
            lower.insert(0, image.upper());
        }
        let tree = Self::make(&image.path(), lower, label)?;
        if !tree.lower.is_empty() {
            for dir in PLAIN {
                copy(&image.path().join(dir).join("."), &tree.path().join(dir))?;
            }
        }
        Ok(tree)
    }

    /// The tree's root directory on the host.
    pub(crate) fn path(&self) -> PathBuf {
        self.home.join("root")
    }

    /// Makes the tree read-only for good, as an image is.
    pub(crate) fn freeze(&mut self) -> Result<()> {
        let root = self.path();
        if self.lower.is_empty() {
            let (none, flags) = (None::<&str>, MsFlags::MS_BIND);
            return mount(Some(&root), &root, none, flags, none)
                .and_then(|()| {
                    let read_only = flags | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
                    mount(none, &root, none, read_only, none)
                })
                .map_err(|e| doing("making read-only", &root, &e));
        }
        self.unmount()?;
        let mut lower = vec![self.upper()];
        lower.extend(self.lower.iter().cloned());
        overlay(&root, &format!("lowerdir={}", join(&lower)))?;
        self.bind_plain()
    }

    fn make(origin: &Path, lower: Vec<PathBuf>, label: &str) -> Result<Self> {
        let all = cache::target_dir().join("machines");
        fs::create_dir_all(&all).map_err(|e| doing("creating", &all, &e))?;
        sweep(&all)?;
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let home = all.join(format!("{label}.{}.{count}", std::process::id()));
        let mut tree = Self { home, lower };
        for dir in ["upper", "work", "root", "plain"] {
            let path = tree.home.join(dir);
            fs::create_dir_all(&path).map_err(|e| doing("creating", &path, &e))?;
        }
        if tree.lower.is_empty() || tree.mount_writable().is_err() {
            tree.lower.clear();
            copy(&origin.join("."), &tree.path())?;
            for dir in PLAIN.map(|dir| tree.path().join(dir)) {
                fs::create_dir_all(&dir).map_err(|e| doing("creating", &dir, &e))?;
            }
        } else {
            tree.bind_plain()?;
        }
        Ok(tree)
    }

    fn upper(&self) -> PathBuf {
        self.home.join("upper")
    }

    fn mount_writable(&self) -> Result<()> {
        let (lower, upper) = (join(&self.lower), self.upper());
        let work = self.home.join("work");
        // redirect_dir: renaming a directory of the lower layer works, as on any file system.
        let options = format!(
            "redirect_dir=on,lowerdir={lower},upperdir={},workdir={}",
            upper.display(),
            work.display()
        );
        overlay(&self.path(), &options)
    }

    fn bind_plain(&self) -> Result<()> {
        for dir in PLAIN {
            let source = self.home.join("plain").join(dir);
            let target = self.path().join(dir);
            fs::create_dir_all(&source).map_err(|e| doing("creating", &source, &e))?;
            fs::create_dir_all(&target).map_err(|e| doing("creating", &target, &e))?;
            mount(
                Some(&source),
                &target,
                None::<&str>,
                MsFlags::MS_BIND,
                None::<&str>,
            )
            .map_err(|e| doing("binding", &target, &e))?;
        }
        Ok(())
    }

    fn unmount(&self) -> Result<()> {
        unmount_below(&self.home)
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        if let Err(error) = self.unmount().and_then(|()| cache::remove(&self.home)) {
            // A leftover costs disk only, and the next tree's making sweeps it.
            std::io::Write::write_all(&mut std::io::stderr(), format!("{error}\n").as_bytes())
                .unwrap_or_default();
        }
    }
}

fn overlay(target: &Path, options: &str) -> Result<()> {
    mount(
        Some("overlay"),
        target,
        Some("overlay"),
        MsFlags::empty(),
        Some(options),
    )
    .map_err(|e| doing("mounting an overlay on", target, &e))
}

fn join(layers: &[PathBuf]) -> String {
    let names: Vec<String> = layers.iter().map(|p| p.display().to_string()).collect();
    names.join(":")
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    let mut copy = Command::new("cp");
    copy.args(["-a", "--reflink=auto"]).arg(from).arg(to);
    run::ok(&mut copy, Duration::from_mins(10)).map(|_| ())
}

/// Undoes every mount below `home`, the newest first.
fn unmount_below(home: &Path) -> Result<()> {
    let table = Path::new("/proc/self/mountinfo");
    let text = fs::read_to_string(table).map_err(|e| doing("reading", table, &e))?;
    let points = text
        .lines()
        .filter_map(|line| line.split(' ').nth(4))
        .map(Path::new);
    let ours: Vec<&Path> = points.filter(|point| point.starts_with(home)).collect();
    for point in ours.into_iter().rev() {
        umount2(point, MntFlags::MNT_DETACH).map_err(|e| doing("unmounting", point, &e))?;
    }
    Ok(())
}

/// Removes what processes that no longer exist left behind.
fn sweep(all: &Path) -> Result<()> {
    let names = fs::read_dir(all).map_err(|e| doing("listing", all, &e))?;
    for name in names {
        let path = name.map_err(|e| doing("listing", all, &e))?.path();
        let text = path
            .file_name()
            .map(|n| n.to_string_lossy().into_owned())
            .unwrap_or_default();
        let owner = text
            .rsplit('.')
            .nth(1)
            .and_then(|pid| pid.parse::<u32>().ok());
        if owner.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
            unmount_below(&path).and_then(|()| cache::remove(&path))?;
        }
    }
    Ok(())
}
