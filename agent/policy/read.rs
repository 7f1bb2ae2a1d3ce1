//! Reads policy files from this machine: the site's folder and what `--policy` names.
//! It is separate because the rest of loading is a pure function of what is read here.

use std::path::{Path, PathBuf};

use super::layers::{Layer, SITE_DIR, Sources};
use super::load::{Loaded, Request, resolve};
use super::source::MAX_BYTES;
use crate::error::{Context as _, Error, Kind, Result};
use crate::host::binary::self_digest;
use crate::host::root::{FileKind, Root};

/// More files than any policy has: a wrong folder was named.
const MAX_FILES: usize = 2000;
/// More bytes than any policy has.
const MAX_TOTAL: usize = 32 * 1024 * 1024;
/// Deeper than any path of a root file system that is worth an entry.
const MAX_DEPTH: usize = 16;

/// Loads a profile with this machine's site folder and the given files; warnings go to the log.
///
/// Policies belong to the machine that runs this, never to the tree given by `--root`.
pub fn load(profile: &str, files: &[PathBuf], sets: &[String]) -> Result<super::Policy> {
    let Loaded {
        policy, warnings, ..
    } = resolve(
        &sources(files)?,
        &Request {
            profile,
            sets,
            self_sha256: &self_digest()?,
            unset_is_fine: false,
        },
    )?;
    for warning in warnings {
        let (at, help) = (warning.at.origin(), warning.help.unwrap_or_default());
        tracing::warn!("{at}: {}; {help}", warning.message);
    }
    Ok(policy)
}

/// All layers: what is shipped, the site's folder, and each of `files` above it.
pub fn sources(files: &[PathBuf]) -> Result<Sources> {
    let root = Root::open(Path::new("/"))?;
    let mut sources = Sources::shipped();
    if root.present(SITE_DIR)? {
        sources.layers.push(layer(&root, Path::new(SITE_DIR))?);
    }
    for file in files {
        sources.layers.push(layer(&root, file)?);
    }
    Ok(sources)
}

/// Reads a folder of policy files, or one fragment, as a layer.
pub fn layer(root: &Root, path: &Path) -> Result<Layer> {
    let full = std::path::absolute(path).context(|| format!("find {}", path.display()))?;
    let (full, shown) = (text(&full)?, text(path)?);
    let meta = root.meta_followed(&full)?;
    let mut reader = Reader {
        root,
        total: 0,
        layer: Layer::default(),
    };
    match meta.map(|m| m.kind) {
        Some(FileKind::Directory) => {
            reader.layer.name = shown;
            reader.folder(&full, "", 0)?;
        }
        Some(FileKind::File) if full.ends_with(".toml") || full.ends_with("/images.lock") => {
            let (folder, name) = shown.rsplit_once('/').unwrap_or(("", &shown));
            reader.layer.name = folder.to_owned();
            reader.file(&full, name)?;
        }
        Some(_) => {
            return Err(unusable(
                &shown,
                "it is neither a folder, a .toml file nor images.lock",
            ));
        }
        None => return Err(unusable(&shown, "it does not exist")),
    }
    Ok(reader.layer)
}

fn text(path: &Path) -> Result<String> {
    let shown = path.display();
    let text = path.to_str().map(str::to_owned);
    text.ok_or_else(|| unusable(&shown.to_string(), "its name is not UTF-8"))
}

fn unusable(path: &str, why: &str) -> Error {
    Error::new(Kind::Policy, format!("read the policy {path}: {why}"))
        .hint("name a fragment NAME.toml, or a folder with fragments, profiles/ and rootfs/")
}

struct Reader<'a> {
    root: &'a Root,
    total: usize,
    layer: Layer,
}

impl Reader<'_> {
    fn folder(&mut self, full: &str, inside: &str, depth: usize) -> Result<()> {
        if depth > MAX_DEPTH {
            return Err(unusable(full, "it is nested too deeply"));
        }
        for name in self.root.list(full)? {
            let path = format!("{}/{name}", full.trim_end_matches('/'));
            let key = if inside.is_empty() {
                name.clone()
            } else {
                format!("{inside}/{name}")
            };
            match self.root.meta_followed(&path)?.map(|m| m.kind) {
                Some(FileKind::Directory) if wanted(&key) => self.folder(&path, &key, depth + 1)?,
                // Named by a warning, not read.
                Some(FileKind::Directory) => {
                    self.layer.files.insert(key, Vec::new());
                }
                // `ln -s /dev/null NAME.toml` masks as an empty file does.
                Some(FileKind::Other) if self.masks(&path)? => {
                    self.layer.files.insert(key, Vec::new());
                }
                Some(FileKind::File) => self.file(&path, &key)?,
                Some(_) => return Err(unusable(&path, "it is not a regular file")),
                None => return Err(unusable(&path, "its symlink leads nowhere")),
            }
        }
        Ok(())
    }

    fn masks(&self, path: &str) -> Result<bool> {
        Ok(self.root.read_link(path)?.as_deref() == Some("/dev/null"))
    }

    fn file(&mut self, full: &str, key: &str) -> Result<()> {
        let size = self.root.meta_followed(full)?.map_or(0, |m| m.size);
        // One byte more than is accepted is enough to be told so with the file's name.
        let bytes = if size > MAX_BYTES as u64 {
            vec![b'#'; MAX_BYTES + 1]
        } else {
            self.root.read(full)?.unwrap_or_default()
        };
        self.total += bytes.len();
        if self.layer.files.len() >= MAX_FILES || self.total > MAX_TOTAL {
            let why = format!("the folder has more than {MAX_FILES} files or {MAX_TOTAL} bytes");
            return Err(unusable(full, &why));
        }
        self.layer.files.insert(key.to_owned(), bytes);
        Ok(())
    }
}

fn wanted(folder: &str) -> bool {
    ["profiles", "rootfs"]
        .iter()
        .any(|w| folder == *w || folder.starts_with(&format!("{w}/")))
}

#[cfg(test)]
#[expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests build their own temporary folders"
)]
mod tests;
