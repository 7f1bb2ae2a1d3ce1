//! The files that the realistic set is made of: programs and trees that every machine that builds the project has.
//! It is separate because which files these are decides how honest the benchmark is.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::generations::Generation;
use crate::images::Entry;
use crate::rig::{Result, doing, rootfs, run};

/// A part of a layer.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    /// Where it lies in the layer.
    pub(crate) name: String,
    /// Where its bytes come from.
    pub(crate) path: PathBuf,
    /// The first byte and how many; the whole file otherwise.
    pub(crate) cut: Option<(u64, u64)>,
}

impl Source {
    /// A program in `/usr/local/bin`.
    pub(crate) fn program(path: &Path) -> Self {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        Self {
            name: format!("usr/local/bin/{name}"),
            path: path.to_owned(),
            cut: None,
        }
    }

    /// Bytes that it has in the layer.
    pub(crate) fn size(&self) -> u64 {
        let whole = || fs::symlink_metadata(&self.path).map_or(0, |m| m.len());
        self.cut.map_or_else(whole, |(_, length)| length)
    }

    /// What tells this input from another: one line.
    pub(crate) fn identity(&self) -> String {
        let (size, time) =
            fs::symlink_metadata(&self.path).map_or((0, 0), |m| (m.len(), m.mtime()));
        format!("{} {size} {time} {:?}", self.name, self.cut)
    }

    /// Itself as an entry of a layer; `None` for devices, which no image holds.
    pub(crate) fn entry(&self) -> Result<Option<Entry>> {
        let meta =
            fs::symlink_metadata(&self.path).map_err(|e| doing("looking at", &self.path, &e))?;
        let kind = meta.file_type();
        let entry = if kind.is_symlink() {
            let to = fs::read_link(&self.path).map_err(|e| doing("reading", &self.path, &e))?;
            Entry::symlink(&self.name, &to.to_string_lossy())
        } else if kind.is_dir() {
            Entry::dir(&format!("{}/", self.name)).mode(meta.mode() & 0o7777)
        } else if kind.is_file() {
            Entry::file(&self.name, &self.read()?).mode(meta.mode() & 0o7777)
        } else {
            return Ok(None);
        };
        let owner = (u64::from(meta.uid()), u64::from(meta.gid()));
        Ok(Some(
            entry
                .owner(owner.0, owner.1)
                .mtime(meta.mtime().cast_unsigned()),
        ))
    }

    fn read(&self) -> Result<Vec<u8>> {
        let mut bytes = fs::read(&self.path).map_err(|e| doing("reading", &self.path, &e))?;
        if let Some((from, length)) = self.cut {
            let range =
                usize::try_from(from).unwrap_or(0)..usize::try_from(from + length).unwrap_or(0);
            bytes = bytes.get(range).unwrap_or_default().to_vec();
        }
        Ok(bytes)
    }
}

/// Large files, cut or whole.
#[derive(Debug)]
pub(crate) struct Programs {
    pub(crate) llvm: Vec<Vec<Source>>,
    pub(crate) compiler: Vec<Vec<Source>>,
    pub(crate) core: Vec<Source>,
    pub(crate) cargo: Vec<Source>,
    pub(crate) packer: Vec<Source>,
    pub(crate) tools: Vec<Source>,
    /// containerd, its client and its shim, of each generation.
    pub(crate) daemons: Vec<Vec<Source>>,
}

impl Programs {
    pub(crate) fn find() -> Result<Self> {
        let printed = run::ok(
            Command::new("rustc").args(["--print", "sysroot"]),
            Duration::from_secs(60),
        )?;
        let sysroot = Path::new(printed.trim());
        let host = |names: &[&str]| {
            names
                .iter()
                .map(|name| on_path(name))
                .collect::<Result<_>>()
        };
        let daemon = |generation: Generation| {
            let programs = generation.programs()?;
            let all = [&programs.containerd, &programs.ctr, &programs.shim];
            Ok(all.map(|path| Source::program(path)).to_vec())
        };
        Ok(Self {
            llvm: cut(&largest(&sysroot.join("lib"), "libLLVM")?, 3),
            compiler: cut(&largest(&sysroot.join("lib"), "librustc_driver")?, 2),
            core: vec![largest(
                &sysroot.join("lib/rustlib/x86_64-unknown-linux-gnu/lib"),
                "libcore",
            )?],
            cargo: vec![Source::program(&sysroot.join("bin/cargo"))],
            packer: host(&["packer"])?,
            tools: host(&["skopeo", "docker-registry", "runc"])?,
            daemons: Generation::ALL
                .into_iter()
                .map(daemon)
                .collect::<Result<_>>()?,
        })
    }
}

fn on_path(name: &str) -> Result<Source> {
    let dirs = ["/usr/bin", "/usr/sbin", "/usr/local/bin"];
    let found = dirs
        .iter()
        .map(|dir| Path::new(dir).join(name))
        .find(|path| path.exists());
    found
        .map(|path| Source::program(&path))
        .ok_or_else(|| format!("{name} is not installed: `make deps` installs it"))
}

/// The largest file of a directory whose name begins so.
fn largest(dir: &Path, prefix: &str) -> Result<Source> {
    let names = fs::read_dir(dir).map_err(|e| doing("listing", dir, &e))?;
    let files = names
        .flatten()
        .filter(|n| n.file_name().to_string_lossy().starts_with(prefix));
    let largest = files.max_by_key(|n| n.metadata().map_or(0, |m| m.len()));
    let found = largest.ok_or_else(|| format!("no {prefix}… in {}", dir.display()))?;
    Ok(Source::program(&found.path()))
}

/// Equal pieces of a file.
fn cut(source: &Source, pieces: u64) -> Vec<Vec<Source>> {
    let each = source.size() / pieces;
    let piece = |at: u64| {
        vec![Source {
            name: format!("{}-{at}", source.name),
            cut: Some((at * each, each)),
            ..source.clone()
        }]
    };
    (0..pieces).map(piece).collect()
}

/// Everything below directories of the stock Debian root, in a fixed order.
pub(crate) fn tree(dirs: &[&str]) -> Result<Vec<Source>> {
    let root = rootfs::stock()?.path;
    let mut all = Vec::new();
    for dir in dirs {
        walk(&root, &root.join(dir), &mut all)?;
    }
    Ok(all)
}

fn walk(root: &Path, path: &Path, into: &mut Vec<Source>) -> Result<()> {
    let name = path
        .strip_prefix(root)
        .map_err(|e| doing("naming", path, &e))?;
    into.push(Source {
        name: name.to_string_lossy().into_owned(),
        path: path.to_owned(),
        cut: None,
    });
    if !path.is_dir() || path.is_symlink() {
        return Ok(());
    }
    let names = fs::read_dir(path).map_err(|e| doing("listing", path, &e))?;
    let mut names: Vec<PathBuf> = names.flatten().map(|n| n.path()).collect();
    names.sort();
    names.iter().try_for_each(|name| walk(root, name, into))
}

/// Consecutive parts whose sizes are in these proportions.
pub(crate) fn split(all: Vec<Source>, parts: &[u64]) -> Vec<Vec<Source>> {
    let total: u64 = all.iter().map(Source::size).sum();
    let whole: u64 = parts.iter().sum();
    let mut out: Vec<Vec<Source>> = parts.iter().map(|_| Vec::new()).collect();
    let (mut seen, mut at, mut limit) = (0, 0, parts.first().map_or(0, |p| total * p / whole));
    for source in all {
        while seen >= limit && at + 1 < parts.len() {
            at += 1;
            limit += parts.get(at).map_or(0, |p| total * p / whole);
        }
        seen += source.size();
        if let Some(part) = out.get_mut(at) {
            part.push(source);
        }
    }
    out
}
