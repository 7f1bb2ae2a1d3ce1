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

    /// Who holds a lock of the other kind (flock(2), as bolt databases use) on a file; none when nobody does.
    pub fn flock_holder(&self, path: &str) -> Result<Option<String>> {
        let doing = || format!("ask who holds {path}");
        let Some((file, meta)) = self.open_file(path).context(doing)? else {
            return Ok(None);
        };
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(_) => Ok(None),
            Err((_, nix::errno::Errno::EWOULDBLOCK)) => {
                let locks = std::fs::read_to_string("/proc/locks").unwrap_or_default();
                let holder = flocker(&locks, meta.inode).map(process);
                Ok(Some(holder.unwrap_or_else(|| "another process".to_owned())))
            }
            Err((_, errno)) => Err(errno).context(doing),
        }
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

/// The process in /proc/locks (proc_locks(5)) that holds an flock(2) lock on an inode. The device is not compared: some
/// file systems give each of their parts a device of its own, which is not the one there.
fn flocker(locks: &str, inode: u64) -> Option<i32> {
    let held = locks.lines().find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [_, "FLOCK", _, _, pid, file, ..] = words.as_slice() else {
            return None;
        };
        let (_, found) = file.rsplit_once(':')?;
        (found.parse() == Ok(inode)).then_some(*pid)
    });
    held?.parse().ok().filter(|pid| *pid > 0)
}

/// A process as a person knows it.
fn process(pid: i32) -> String {
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    format!("process {pid} ({})", name.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_of_an_flock_is_found_by_the_inode() {
        let locks = "1: POSIX  ADVISORY  WRITE 11 fe:00:77 0 EOF\n\
                     1: -> FLOCK  ADVISORY  WRITE 12 fe:00:77 0 EOF\n\
                     2: FLOCK  ADVISORY  WRITE 13 fe:00:77 0 EOF\n\
                     3: FLOCK  ADVISORY  WRITE 0 fe:00:78 0 EOF\n";
        for (inode, want) in [(77, Some(13)), (78, None), (79, None)] {
            assert_eq!(flocker(locks, inode), want);
        }
    }

    #[test]
    fn a_file_is_held_for_as_long_as_its_lock() {
        let dir = tempfile::tempdir().unwrap();
        let root = Root::open(dir.path()).unwrap();
        assert_eq!(root.flock_holder("/db").unwrap(), None);
        let file = std::fs::File::create(dir.path().join("db")).unwrap();
        let held = Flock::lock(file, FlockArg::LockExclusive).unwrap();
        let holder = root.flock_holder("/db").unwrap().unwrap();
        let own = format!("process {} (", std::process::id());
        assert!(holder.starts_with(&own), "{holder}");
        drop(held);
        assert_eq!(root.flock_holder("/db").unwrap(), None);
    }
}
