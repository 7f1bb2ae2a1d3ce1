//! One bake at a time: an advisory lock on a file below the root that names its holder.
//! It is separate because the kernel drops it with the process, however that ends.

use std::io::{Seek as _, Write as _};

use nix::fcntl::{FcntlArg, Flock, FlockArg, OFlag, fcntl};

use super::write::own;
use super::{Root, found};
use crate::error::{Context as _, Result};

/// A lock that is held until it is dropped.
#[derive(Debug)]
pub struct Lock {
    _held: Flock<std::fs::File>,
}

impl Root {
    /// The process that holds a record lock (fcntl(2), as dpkg and apt use) on a file; none when nobody does.
    /// A holder in another PID namespace is 0.
    pub fn lock_holder(&self, path: &str) -> Result<Option<i32>> {
        let doing = || format!("ask who holds {path}");
        let Some(fd) = found(self.open_at(path, OFlag::O_RDONLY, 0)).context(doing)? else {
            return Ok(None);
        };
        let mut lock = nix::libc::flock {
            l_type: i16::try_from(nix::libc::F_WRLCK).unwrap_or_default(),
            l_whence: i16::try_from(nix::libc::SEEK_SET).unwrap_or_default(),
            l_start: 0,
            l_len: 0,
            l_pid: 0,
        };
        fcntl(&fd, FcntlArg::F_GETLK(&mut lock)).context(doing)?;
        Ok((i32::from(lock.l_type) != nix::libc::F_UNLCK).then_some(lock.l_pid))
    }

    /// Takes the lock at a path and writes `holder` in it; when another has it, says who.
    pub fn try_lock(&self, path: &str, holder: &str) -> Result<std::result::Result<Lock, String>> {
        let doing = || format!("lock {path}");
        let flags = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
        let fd = self.open_at(path, flags, 0o600).context(doing)?;
        own(&fd, 0o600, path)?;
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
