//! Overwriting the unused blocks of a file system with zeros, down to a floor.
//! It is separate because its file never has a name: nothing to follow a link to, and nothing is left after a kill.

use std::io::{ErrorKind, Write as _};

use nix::fcntl::OFlag;
use nix::sys::statvfs::fstatvfs;

use super::Root;
use crate::error::{Context as _, Result};

/// Bytes written at once.
const CHUNK: usize = 4 << 20;

impl Root {
    /// Writes zeros to unused blocks of the file system that holds a directory, and frees them again.
    /// `floor` bytes stay available to others all the time. Returns how many were written.
    pub fn fill_with_zeros(&self, dir: &str, floor: u64) -> Result<u64> {
        let doing = || format!("write zeros to the unused blocks of {dir}");
        let flags = OFlag::O_TMPFILE | OFlag::O_WRONLY;
        let fd = self.open_at(dir, flags, 0o600).context(doing)?;
        let mut file = std::fs::File::from(fd);
        let zeros = vec![0u8; CHUNK];
        let mut written = 0u64;
        loop {
            let stat = fstatvfs(&file).context(doing)?;
            let available = stat.blocks_available().saturating_mul(stat.fragment_size());
            if available < floor.saturating_add(zeros.len() as u64) {
                break;
            }
            match file.write(&zeros) {
                Ok(count) => written += count as u64,
                // A quota, or somebody else was faster: what could be written is.
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::StorageFull | ErrorKind::QuotaExceeded
                    ) =>
                {
                    break;
                }
                Err(error) => return Err(error).context(doing),
            }
        }
        file.sync_all().context(doing)?;
        Ok(written)
    }
}
