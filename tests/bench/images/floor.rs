//! The floor: the least that any filler of a store does with these bytes, and nothing else.
//! It is separate because it runs as a process of its own, to be measured like everybody else.
//!
//! Every layer is read from the registry's disk (no HTTP), hashed, written as a blob, inflated by the product's own
//! inflater, hashed again, and the bytes of its files are written to as many plain files. No names, owners, times,
//! directories, links or metadata; at the end the same sync.

use std::fs::{self, File};
use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use nodeagent::store::inflate::inflate;
use sha2::{Digest as _, Sha256};

use crate::rig::{Result, doing};

/// Bytes that are read at once.
const CHUNK: usize = 256 * 1024;

/// Does the work for the blobs whose paths are the lines of a file, the largest first.
pub(crate) fn run(list: &Path, into: &Path) -> Result<()> {
    let text = fs::read_to_string(list).map_err(|e| doing("reading", list, &e))?;
    let mut blobs: Vec<PathBuf> = text.lines().map(PathBuf::from).collect();
    blobs.sort_by_key(|path| std::cmp::Reverse(fs::metadata(path).map_or(0, |m| m.len())));
    let next = Mutex::new(blobs.into_iter().enumerate());
    let worker = || -> Result<()> {
        loop {
            let Some((at, blob)) = next.lock().map_err(|e| e.to_string())?.next() else {
                return Ok(());
            };
            layer(&blob, &into.join(at.to_string())).map_err(|e| doing("unpacking", &blob, &e))?;
        }
    };
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(worker)).collect();
        let ended = workers
            .into_iter()
            .map(|w| w.join().map_err(|_| "a worker panicked".to_owned())?);
        ended.collect::<Result<Vec<()>>>()
    })?;
    let here = File::open(into).map_err(|e| doing("opening", into, &e))?;
    nix::unistd::syncfs(&here).map_err(|e| doing("syncing", into, &e))
}

/// A reader that hashes and copies what passes.
struct Tee<R> {
    from: R,
    hash: Sha256,
    copy: Option<File>,
}

impl<R: Read> Read for Tee<R> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let count = self.from.read(into)?;
        let bytes = into.get(..count).unwrap_or_default();
        self.hash.update(bytes);
        if let Some(copy) = &mut self.copy {
            copy.write_all(bytes)?;
        }
        Ok(count)
    }
}

fn layer(blob: &Path, into: &Path) -> std::io::Result<()> {
    fs::create_dir(into)?;
    let packed = Tee {
        from: File::open(blob)?,
        hash: Sha256::new(),
        copy: Some(File::create(into.join("blob"))?),
    };
    let mut tar = Tee {
        from: inflate(Box::new(packed))?,
        hash: Sha256::new(),
        copy: None,
    };
    files(&mut tar, into)
}

/// Writes the content of every regular file of a well-formed tar to a file, by number.
fn files(tar: &mut impl Read, into: &Path) -> std::io::Result<()> {
    let (mut head, mut buffer) = ([0u8; 512], vec![0u8; CHUNK]);
    for number in 0_u64.. {
        match tar.read_exact(&mut head) {
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(()),
            other => other?,
        }
        let size = size(&head);
        let mut left = size.next_multiple_of(512);
        let kept = left - size;
        let mut file = match head.get(156) {
            Some(b'0') => Some(File::create(into.join(number.to_string()))?),
            _ => None,
        };
        while left > 0 {
            let most = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
            let part = buffer.get_mut(..most).unwrap_or_default();
            tar.read_exact(part)?;
            left -= most as u64;
            // The last chunk ends with what fills the block.
            let fill = if left == 0 {
                usize::try_from(kept).unwrap_or(0)
            } else {
                0
            };
            if let Some(file) = &mut file {
                file.write_all(part.get(..most.saturating_sub(fill)).unwrap_or_default())?;
            }
        }
    }
    Ok(())
}

/// The size that a header states, in octal; the set has no larger ones.
fn size(head: &[u8; 512]) -> u64 {
    let digits = head.get(124..135).unwrap_or_default();
    std::str::from_utf8(digits)
        .ok()
        .and_then(|text| u64::from_str_radix(text.trim_matches(['\0', ' ']), 8).ok())
        .unwrap_or(0)
}
