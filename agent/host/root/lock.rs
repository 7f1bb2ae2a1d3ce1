//! One bake at a time: an advisory lock on a file below the root that names its holder.
//! It is separate because the kernel drops it with the process, however that ends.

use std::io::{Seek as _, Write as _};

use nix::fcntl::{Flock, FlockArg, OFlag};

use super::Root;
use crate::error::{Context as _, Result};

/// A lock that is held until it is dropped.
#[derive(Debug)]
pub struct Lock {
    _held: Flock<std::fs::File>,
}

impl Root {
    /// Takes the lock at a path and writes `holder` in it; when another has it, says who.
    pub fn try_lock(&self, path: &str, holder: &str) -> Result<std::result::Result<Lock, String>> {
        let doing = || format!("lock {path}");
        let flags = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_NOFOLLOW;
        let fd = self.open_at(path, flags, 0o600).context(doing)?;
        match Flock::lock(std::fs::File::from(fd), FlockArg::LockExclusiveNonblock) {
            Ok(mut held) => {
                held.set_len(0).context(doing)?;
                held.rewind().context(doing)?;
                held.write_all(holder.as_bytes()).context(doing)?;
                Ok(Ok(Lock { _held: held }))
            }
            Err((_, nix::errno::Errno::EWOULDBLOCK)) => {
                let who = self.read(path)?.unwrap_or_default();
                Ok(Err(String::from_utf8_lossy(&who).trim().to_owned()))
            }
            Err((_, errno)) => Err(errno).context(doing),
        }
    }
}
