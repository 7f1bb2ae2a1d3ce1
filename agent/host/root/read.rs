//! Reading below the root: metadata, content, digests, listings.
//! It is separate because observe may use this half alone.

use std::io::Read as _;
use std::os::fd::{AsFd, AsRawFd as _};

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, readlinkat};
use nix::sys::stat::{fstat, fstatat};
use sha2::Digest as _;

use super::{FileKind, Meta, Root, found, hex, open_here, split};
use crate::error::{Context as _, Error, Result};

/// Larger files are never read into memory: what we read are configuration and records.
const LIMIT: u64 = 64 << 20;

impl Root {
    /// Metadata of a path, symlinks in the last part not followed; none when it does not exist.
    pub fn meta(&self, path: &str) -> Result<Option<Meta>> {
        let doing = || format!("look at {path}");
        if path.trim_matches('/').is_empty() {
            return Ok(Some(Meta::of(&fstat(&self.fd).context(doing)?)));
        }
        let (dir, name) = split(path)?;
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY;
        let Some(fd) = found(self.open_at(dir, flags, 0)).context(doing)? else {
            return Ok(None);
        };
        let stat = found(fstatat(&fd, name, AtFlags::AT_SYMLINK_NOFOLLOW)).context(doing)?;
        Ok(stat.as_ref().map(Meta::of))
    }

    /// Whether something is at the path, be it a dangling symlink.
    pub fn present(&self, path: &str) -> Result<bool> {
        Ok(self.meta(path)?.is_some())
    }

    /// Metadata of what a path leads to, symlinks followed inside the root; none for a dangling one.
    pub fn meta_followed(&self, path: &str) -> Result<Option<Meta>> {
        let doing = || format!("look at {path}");
        match found(self.open_at(path, OFlag::O_PATH, 0)).context(doing)? {
            Some(fd) => Ok(Some(Meta::of(&fstat(&fd).context(doing)?))),
            None => Ok(None),
        }
    }

    /// Whether another file system, or another part of the same one, is mounted at a path; `/` always is.
    pub fn is_mount_point(&self, path: &str) -> Result<bool> {
        if path.trim_matches('/').is_empty() {
            return Ok(true);
        }
        let (dir, name) = self.parent(path)?;
        match open_here(&dir, name, OFlag::O_PATH) {
            Ok(_) => Ok(false),
            Err(Errno::EXDEV) => Ok(true),
            Err(errno) => Err(errno).context(|| format!("look for a mount at {path}")),
        }
    }

    /// Content of a regular file, symlinks followed inside the root; none when it does not exist.
    pub fn read(&self, path: &str) -> Result<Option<Vec<u8>>> {
        let Some((mut file, meta)) = self.open_file(path)? else {
            return Ok(None);
        };
        if meta.size > LIMIT {
            return Err(Error::host(format!(
                "read {path}: {} bytes are over the limit of {LIMIT}",
                meta.size
            )));
        }
        let mut bytes = Vec::new();
        let doing = || format!("read {path}");
        // /proc and /sys state no size, so the limit is on what is read.
        file.by_ref()
            .take(LIMIT)
            .read_to_end(&mut bytes)
            .context(doing)?;
        Ok(Some(bytes))
    }

    /// Content of a text file; bytes that are not UTF-8 are an error.
    pub fn read_text(&self, path: &str) -> Result<Option<String>> {
        let Some(bytes) = self.read(path)? else {
            return Ok(None);
        };
        String::from_utf8(bytes)
            .map(Some)
            .context(|| format!("read {path} as UTF-8 text"))
    }

    /// SHA-256 of a regular file's content, in hex; none when it does not exist.
    pub fn digest(&self, path: &str) -> Result<Option<String>> {
        let Some((mut file, _)) = self.open_file(path)? else {
            return Ok(None);
        };
        let mut hasher = sha2::Sha256::new();
        let mut buffer = vec![0u8; 128 << 10];
        loop {
            let count = file.read(&mut buffer).context(|| format!("read {path}"))?;
            match buffer.get(..count) {
                Some(part) if count > 0 => hasher.update(part),
                _ => return Ok(Some(hex(&hasher.finalize()))),
            }
        }
    }

    /// Names in a directory, sorted, without `.` and `..`; empty when it does not exist.
    pub fn list(&self, path: &str) -> Result<Vec<String>> {
        let doing = || format!("list the directory {path}");
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY;
        let Some(fd) = found(self.open_at(path, flags, 0)).context(doing)? else {
            return Ok(Vec::new());
        };
        let mut names = Vec::new();
        for entry in Dir::from_fd(fd).context(doing)? {
            let entry = entry.context(doing)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name != "." && name != ".." {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    /// Target of a symlink; none when the path is not a symlink.
    pub fn read_link(&self, path: &str) -> Result<Option<String>> {
        let (dir, name) = split(path)?;
        let doing = || format!("read the symlink {path}");
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY;
        let Some(fd) = found(self.open_at(dir, flags, 0)).context(doing)? else {
            return Ok(None);
        };
        match readlinkat(fd.as_fd(), name) {
            Ok(target) => Ok(Some(target.to_string_lossy().into_owned())),
            Err(Errno::EINVAL | Errno::ENOENT) => Ok(None),
            Err(errno) => Err(errno).context(doing),
        }
    }

    /// The path without symlinks, inside the root; none when it does not exist.
    pub fn resolve(&self, path: &str) -> Result<Option<String>> {
        let doing = || format!("resolve {path}");
        let Some(fd) = found(self.open_at(path, OFlag::O_PATH, 0)).context(doing)? else {
            return Ok(None);
        };
        let link = format!("/proc/self/fd/{}", fd.as_raw_fd());
        let full = std::fs::read_link(link).context(doing)?;
        Ok(full
            .strip_prefix(&self.path)
            .ok()
            .map(|inside| format!("/{}", inside.display())))
    }

    pub(super) fn open_file(&self, path: &str) -> Result<Option<(std::fs::File, Meta)>> {
        let doing = || format!("open {path}");
        // Not blocking: opening a pipe must fail below instead of waiting for a writer.
        let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        let Some(fd) = found(self.open_at(path, flags, 0)).context(doing)? else {
            return Ok(None);
        };
        let meta = Meta::of(&fstat(&fd).context(doing)?);
        if meta.kind != FileKind::File {
            return Err(Error::host(format!(
                "read {path}: it is a {}, not a regular file",
                meta.kind
            )));
        }
        Ok(Some((std::fs::File::from(fd), meta)))
    }
}
