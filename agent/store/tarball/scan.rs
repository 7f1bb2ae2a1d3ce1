//! One pass over an archive: which files it holds and where their bytes are to be had afterwards.
//! It is separate because it alone reads the tar, packed or not; what the files mean is decided later.

use std::collections::BTreeMap;
use std::io::{self, Read};

use sha2::Digest as _;

use super::ahead::ahead;
use super::held::{Held, Store};
use super::{Archive, of_io};
use crate::error::Error;
use crate::host::archive::{EntryKind, Limits, Names, Packing, Tar, bad};
use crate::host::failure::{Class, Failure};
use crate::host::oci::Digest;
use crate::host::root::{Paged, Spool};

/// An archive of all images of a release holds some hundred entries and some GB.
const LIMITS: Limits = Limits {
    entries: 100_000,
    bytes: 512 << 30,
};

/// Largest `manifest.json`; containerd takes 20 MiB at most.
const JSON: u64 = 16 << 20;

/// Bytes that are read at once.
const CHUNK: usize = 256 << 10;

/// The files of an archive.
#[derive(Debug, Default)]
pub(super) struct Files {
    /// The content of `oci-layout`.
    pub(super) layout: Option<Vec<u8>>,
    /// The content of `manifest.json`.
    pub(super) manifest: Option<Vec<u8>>,
    /// Regular files by path.
    regular: BTreeMap<String, File>,
    /// Symbolic links by path, and where they lead: docker once wrote a layer of two images so.
    links: BTreeMap<String, String>,
}

/// A regular file.
#[derive(Debug, Clone)]
pub(super) struct File {
    /// Where it is.
    pub(super) held: Held,
    /// The digest of its bytes, where they were read.
    pub(super) digest: Option<Digest>,
}

impl Files {
    /// A file, by its path or by a link to it.
    pub(super) fn get(&self, path: &str) -> Option<&File> {
        let path = clean(path)?;
        let target = self.links.get(&path).unwrap_or(&path);
        self.regular.get(target)
    }

    /// All regular files with their paths.
    pub(super) fn all(&self) -> impl Iterator<Item = (&str, &File)> {
        self.regular
            .iter()
            .map(|(path, file)| (path.as_str(), file))
    }
}

/// Goes through an archive.
pub(super) fn scan(archive: &Archive<'_>) -> Result<(Store, Files), Failure> {
    let path = archive.path;
    let fail = |error| Failure::new(Class::Store, error);
    let Some(file) = archive.root.paged(path).map_err(fail)? else {
        let error = Error::host(format!("read the archive {path}: there is no such file"));
        return Err(Failure::new(Class::NotFound, error));
    };
    let read = |error| of_io(path, error);
    match packing(&file).map_err(read)? {
        Packing::Plain => {
            let plain = Whole { file: &file, at: 0 };
            let files = pass(plain, &mut in_place).map_err(read)?;
            Ok((Store::Archive(file), files))
        }
        packed => {
            let mut spool = archive.scratch.spool(archive.scratch_dir).map_err(fail)?;
            let files = unpack(&file, packed, &mut spool).map_err(read)?;
            Ok((Store::Copy(spool), files))
        }
    }
}

/// How an archive is packed, by its first bytes.
fn packing(file: &Paged) -> io::Result<Packing> {
    let mut head = Vec::new();
    Whole { file, at: 0 }.take(4).read_to_end(&mut head)?;
    match head.as_slice() {
        b"BZh1" | b"BZh9" => Err(bad("it is packed with bzip2: pack it with zstd or gzip")),
        [0x04, 0x22, 0x4d, 0x18] => Err(bad("it is packed with lz4: pack it with zstd or gzip")),
        [0xfd, b'7', b'z', b'X'] => Err(bad("it is packed with xz: pack it with zstd or gzip")),
        head => Ok(Packing::of_magic(head)),
    }
}

/// Goes through a packed archive and copies all its files.
fn unpack(file: &Paged, packed: Packing, spool: &mut Spool) -> io::Result<Files> {
    std::thread::scope(|scope| {
        let open = move || packed.open(io::BufReader::with_capacity(CHUNK, Whole { file, at: 0 }));
        let mut buffer = vec![0; CHUNK];
        pass(ahead(scope, open), &mut |tar, size| {
            copy(tar, size, spool, &mut buffer)
        })
    })
}

/// Keeps a file's content, so that it can be had again.
type Keep<'k, R> = dyn FnMut(&mut Tar<R>, u64) -> io::Result<File> + 'k;

/// Goes through all entries.
fn pass<R: Read>(from: R, keep: &mut Keep<'_, R>) -> io::Result<Files> {
    let mut tar = Tar::new(from, LIMITS);
    let mut names = Names::default();
    let mut found = Files::default();
    while let Some(entry) = tar.advance()? {
        let path = entry.path;
        match entry.kind {
            EntryKind::Directory => names.dir(&path)?,
            EntryKind::Symlink(to) => {
                names.file(&path)?;
                let dir = path.rsplit_once('/').map_or("", |(dir, _)| dir);
                if let Some(target) = clean(&format!("{dir}/{to}")) {
                    found.links.insert(path, target);
                }
            }
            EntryKind::File => {
                names.file(&path)?;
                match path.as_str() {
                    "oci-layout" => found.layout = Some(small(&mut tar, entry.size)?),
                    "manifest.json" => found.manifest = Some(small(&mut tar, entry.size)?),
                    _ => {
                        let file = keep(&mut tar, entry.size)?;
                        found.regular.insert(path, file);
                    }
                }
            }
            other => return Err(bad(format!("{path} is {}", other.word()))),
        }
    }
    Ok(found)
}

fn small(tar: &mut impl Read, size: u64) -> io::Result<Vec<u8>> {
    if size > JSON {
        return Err(bad(format!("a list of its images has {size} bytes")));
    }
    let mut bytes = Vec::new();
    tar.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Leaves a file where it is.
fn in_place(tar: &mut Tar<Whole<'_>>, size: u64) -> io::Result<File> {
    let left = tar.pass();
    let source = tar.source();
    let held = Held {
        at: source.at,
        size,
    };
    let end = source.at.checked_add(left);
    match end.filter(|end| *end <= source.file.size()) {
        Some(end) => source.at = end,
        None => return Err(bad("it is cut off")),
    }
    Ok(File { held, digest: None })
}

/// Copies a file and takes its digest.
fn copy(tar: &mut impl Read, size: u64, spool: &mut Spool, buffer: &mut [u8]) -> io::Result<File> {
    let at = spool.size();
    let mut hash = sha2::Sha256::new();
    loop {
        let count = tar.read(buffer)?;
        let Some(part) = buffer.get(..count).filter(|part| !part.is_empty()) else {
            break;
        };
        hash.update(part);
        spool.append(part)?;
    }
    Ok(File {
        held: Held { at, size },
        digest: Some(Digest::from_hash(&hash.finalize().into())),
    })
}

/// A whole file as a stream.
#[derive(Debug)]
struct Whole<'f> {
    file: &'f Paged,
    at: u64,
}

impl Read for Whole<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_some_at(self.at, into)?;
        self.at += count as u64;
        Ok(count)
    }
}

/// A path without `.` and `..`; none where it leads outside.
fn clean(path: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::clean;

    #[test]
    fn paths_stay_inside() {
        let table = [
            ("a/layer.tar", Some("a/layer.tar")),
            ("./a//b", Some("a/b")),
            ("a/../b/layer.tar", Some("b/layer.tar")),
            ("/a", Some("a")),
            ("../a", None),
            ("a/../../etc/passwd", None),
        ];
        for (path, want) in table {
            assert_eq!(clean(path).as_deref(), want, "{path}");
        }
    }
}
