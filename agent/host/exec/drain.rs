//! Reads a child's two outputs at once, within bounds and until a deadline.
//! It is separate because reading one after the other deadlocks as soon as the child fills the second pipe.

use std::io::Read;
use std::os::fd::AsFd;
use std::time::Instant;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// Standard output is kept up to here; the rest is read and dropped, so that the child is never blocked.
const STDOUT: usize = 16 << 20;

/// Of standard error the last part is kept: that is where the cause stands.
const STDERR: usize = 16 << 10;

/// What was read, and whether both ends were closed before the deadline.
#[derive(Debug, Default)]
pub(super) struct Drained {
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
    pub(super) in_time: bool,
}

/// Reads both pipes until both are closed or the deadline passes.
pub(super) fn drain<O, E>(mut out: O, mut err: E, deadline: Instant) -> nix::Result<Drained>
where
    O: Read + AsFd,
    E: Read + AsFd,
{
    let mut all = Drained::default();
    let (mut out_open, mut err_open) = (true, true);
    while out_open || err_open {
        let Some((out_ready, err_ready)) = wait((&out, out_open), (&err, err_open), deadline)?
        else {
            return Ok(all);
        };
        if out_ready {
            out_open = take(&mut out, &mut all.stdout)?;
            all.stdout.truncate(STDOUT);
        }
        if err_ready {
            err_open = take(&mut err, &mut all.stderr)?;
            keep_last(&mut all.stderr, STDERR);
        }
    }
    all.in_time = true;
    Ok(all)
}

/// Which of the two can be read; none when the deadline has passed.
fn wait(
    (out, out_open): (&impl AsFd, bool),
    (err, err_open): (&impl AsFd, bool),
    deadline: Instant,
) -> nix::Result<Option<(bool, bool)>> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(None);
        }
        // A second at most: a timeout beyond poll's range is no special case.
        let slice = u16::try_from(left.as_millis().clamp(1, 1000)).unwrap_or(1000);
        let interest = |open| {
            if open {
                PollFlags::POLLIN
            } else {
                PollFlags::empty()
            }
        };
        let mut fds = [
            PollFd::new(out.as_fd(), interest(out_open)),
            PollFd::new(err.as_fd(), interest(err_open)),
        ];
        match poll(&mut fds, PollTimeout::from(slice)) {
            Err(Errno::EINTR) | Ok(0) => continue,
            Err(errno) => return Err(errno),
            Ok(_) => {}
        }
        let [out_fd, err_fd] = &fds;
        let ready = |fd: &PollFd<'_>, open: bool| open && fd.any().unwrap_or(true);
        let found = (ready(out_fd, out_open), ready(err_fd, err_open));
        if found != (false, false) {
            return Ok(Some(found));
        }
        // A closed pipe keeps reporting its hang-up: look again, but not in a tight loop.
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

/// Reads what is there; false at the end.
fn take(from: &mut impl Read, into: &mut Vec<u8>) -> nix::Result<bool> {
    let mut part = [0u8; 16 << 10];
    match from.read(&mut part) {
        Ok(0) => Ok(false),
        Ok(count) => {
            into.extend_from_slice(part.get(..count).unwrap_or_default());
            Ok(true)
        }
        Err(error) if error.kind() == std::io::ErrorKind::Interrupted => Ok(true),
        Err(error) => Err(error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)),
    }
}

pub(super) fn keep_last(bytes: &mut Vec<u8>, most: usize) {
    if let Some(over) = bytes.len().checked_sub(most) {
        bytes.drain(..over);
    }
}
