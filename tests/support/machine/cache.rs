//! Keeps expensive, content-keyed directories under `target/cache`, built once whoever asks first.
//! Separate because the root and the package pool share the same locking and renaming.

use super::{Result, doing};
use std::{
    fs::{self, File},
    hash::{DefaultHasher, Hash as _, Hasher as _},
    path::{Path, PathBuf},
};

/// Cargo's target directory: everything the rig writes lies below it.
pub(crate) fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("target"),
        PathBuf::from,
    )
}

/// A short name for a set of inputs: equal inputs, equal name.
pub(crate) fn key(inputs: &[&str]) -> String {
    let mut hasher = DefaultHasher::new();
    inputs.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// One cached directory, and whether this call had to build it.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) path: PathBuf,
    pub(crate) built: bool,
}

/// Other entries of a kind that stay beside a new one.
const KEPT: usize = 3;

/// Gives `target/cache/KIND-KEY`, calling `build` with an empty directory when it is not there yet.
///
/// A lock file per kind keeps two builders apart; an interrupted build is thrown away; entries of
/// the same kind under another key are removed once the new one stands, but for the newest ones.
pub(crate) fn entry(
    kind: &str,
    key: &str,
    build: impl FnOnce(&Path) -> Result<()>,
) -> Result<Entry> {
    entry_in(&target_dir().join("cache"), kind, key, build)
}

/// [`entry`] in a directory of the caller's choice.
pub(crate) fn entry_in(
    cache: &Path,
    kind: &str,
    key: &str,
    build: impl FnOnce(&Path) -> Result<()>,
) -> Result<Entry> {
    fs::create_dir_all(cache).map_err(|e| doing("creating", cache, &e))?;
    let path = cache.join(format!("{kind}-{key}"));
    let _lock = lock(&cache.join(format!("{kind}.lock")))?;
    if path.exists() {
        return Ok(Entry { path, built: false });
    }
    let partial = cache.join(format!("{kind}-{key}.partial"));
    remove(&partial)?;
    fs::create_dir(&partial).map_err(|e| doing("creating", &partial, &e))?;
    build(&partial)?;
    fs::rename(&partial, &path).map_err(|e| doing("renaming", &partial, &e))?;
    remove_older(cache, kind, &path)?;
    Ok(Entry { path, built: true })
}

/// Removes a directory tree; a missing one is fine.
pub(crate) fn remove(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(doing("removing", path, &error))
        }
        _ => Ok(()),
    }
}

fn lock(path: &Path) -> Result<File> {
    let file = File::create(path).map_err(|e| doing("creating lock", path, &e))?;
    file.lock().map_err(|e| doing("locking", path, &e))?;
    Ok(file)
}

/// Removes all but the newest entries of a kind: tests that run side by side use different ones.
fn remove_older(cache: &Path, kind: &str, keep: &Path) -> Result<()> {
    let names = fs::read_dir(cache).map_err(|e| doing("listing", cache, &e))?;
    let mut others = Vec::new();
    for name in names {
        let name = name.map_err(|e| doing("listing", cache, &e))?;
        if is_entry(&name.file_name().to_string_lossy(), kind) && name.path() != keep {
            let made = name
                .metadata()
                .and_then(|m| m.modified())
                .map_err(|e| doing("looking at", &name.path(), &e))?;
            others.push((made, name.path()));
        }
    }
    others.sort();
    others.reverse();
    others
        .iter()
        .skip(KEPT)
        .try_for_each(|(_, path)| remove(path))
}

/// Whether a name is `KIND-KEY`, finished or not: locks, and kinds whose names begin alike, are none of ours.
fn is_entry(name: &str, kind: &str) -> bool {
    let key = name
        .strip_prefix(kind)
        .and_then(|rest| rest.strip_prefix('-'));
    let key = key.map(|key| key.strip_suffix(".partial").unwrap_or(key));
    key.is_some_and(|key| key.len() == 16 && key.bytes().all(|byte| byte.is_ascii_hexdigit()))
}
