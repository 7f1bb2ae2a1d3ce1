//! Waiting for a program and killing whatever is left below it.
//! It is separate because a supervisor waits for processes it did not start: those that reparent to it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, getpid};

use crate::error::{Context as _, Result};

/// A process in uninterruptible sleep cannot be killed; nobody waits longer than this for one.
const PATIENCE: Duration = Duration::from_secs(8);

/// Ends this process with SIGKILL, as a power cut would end it: for the crash tests.
pub fn kill_self() {
    if kill(getpid(), Signal::SIGKILL).is_err() {
        std::process::abort();
    }
}

/// How long a program that was asked to end may take before it is killed.
const ASKED: Duration = Duration::from_secs(300);

/// Waits until the program ends or a signal asks to stop, then kills everything below us. Returns the exit code.
/// A program that is `kept` is asked to end first.
pub(super) fn wait_and_kill_rest(program: Pid, signals: &SigSet, kept: bool) -> Result<i32> {
    let mut ended = None;
    while ended.is_none() {
        match signals.wait().context(|| "wait for a signal")? {
            Signal::SIGCHLD => ended = reap(program)?,
            signal if kept => ended = Some(ask(program)?.unwrap_or(128 + signal as i32)),
            signal => ended = Some(128 + signal as i32),
        }
    }
    kill_rest()?;
    Ok(ended.unwrap_or_default())
}

/// Asks the program to end and waits; none when it does not.
fn ask(program: Pid) -> Result<Option<i32>> {
    let begun = Instant::now();
    match kill(program, Signal::SIGTERM) {
        Ok(()) | Err(Errno::ESRCH) => {}
        Err(errno) => return Err(errno).context(|| format!("end process {program}")),
    }
    while begun.elapsed() < ASKED {
        if let Some(code) = reap(program)? {
            return Ok(Some(code));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(None)
}

/// As the init of a PID namespace: as [`reap_until`], and what asks us to end is passed on to the program.
pub(super) fn pass_on_until(program: Pid, signals: &SigSet) -> Result<i32> {
    loop {
        match signals.wait().context(|| "wait for a signal")? {
            Signal::SIGCHLD => {
                if let Some(code) = reap(program)? {
                    return Ok(code);
                }
            }
            _ => match kill(program, Signal::SIGTERM) {
                Ok(()) | Err(Errno::ESRCH) => {}
                Err(errno) => return Err(errno).context(|| "end the program"),
            },
        }
    }
}

/// As the init of a PID namespace: reaps orphans until the program ends; our own end kills the rest.
pub(super) fn reap_until(program: Pid) -> Result<i32> {
    loop {
        match waitpid(None, None) {
            Err(Errno::EINTR) => {}
            status => {
                if let Some(code) = ended(status.context(|| "wait for the program")?, program) {
                    return Ok(code);
                }
            }
        }
    }
}

/// The exit code of the program, if that is what has ended, as a shell would give it.
fn ended(status: WaitStatus, program: Pid) -> Option<i32> {
    match status {
        WaitStatus::Exited(pid, code) if pid == program => Some(code),
        WaitStatus::Signaled(pid, signal, _) if pid == program => Some(128 + signal as i32),
        _ => None,
    }
}

/// Takes note of all that have ended so far; the program's code when it is among them.
fn reap(program: Pid) -> Result<Option<i32>> {
    let mut found = None;
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => return Ok(found),
            Ok(status) => found = ended(status, program).or(found),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno).context(|| "wait for a child"),
        }
    }
}

/// Kills all descendants until there are none. What forks meanwhile reparents to us and is met in the next round.
fn kill_rest() -> Result<()> {
    let begun = Instant::now();
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Err(Errno::ECHILD) => return Ok(()),
            Err(Errno::EINTR) => continue,
            Err(errno) => return Err(errno).context(|| "wait for a child"),
            Ok(WaitStatus::StillAlive) => {}
            Ok(_) => continue,
        }
        if begun.elapsed() > PATIENCE {
            return Ok(());
        }
        for pid in descendants()? {
            match kill(pid, Signal::SIGKILL) {
                Ok(()) | Err(Errno::ESRCH) => {}
                Err(errno) => return Err(errno).context(|| format!("kill process {pid}")),
            }
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Every process below us, by the parents that /proc shows.
fn descendants() -> Result<Vec<Pid>> {
    let mut children: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
    for entry in std::fs::read_dir("/proc").context(|| "list /proc")? {
        let name = entry.context(|| "list /proc")?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<i32>().ok()) else {
            continue;
        };
        // Gone between listing and reading: nothing to kill.
        let Ok(stat) = std::fs::read(format!("/proc/{pid}/stat")) else {
            continue;
        };
        if let Some(parent) = parent_in(&String::from_utf8_lossy(&stat)) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut found = Vec::new();
    let mut next = vec![getpid().as_raw()];
    while let Some(pid) = next.pop() {
        let below = children.remove(&pid).unwrap_or_default();
        found.extend(below.iter().copied().map(Pid::from_raw));
        next.extend(below);
    }
    Ok(found)
}

/// The parent in a line of /proc/PID/stat; the name before it is free text in parentheses (proc_pid_stat(5)).
pub(super) fn parent_in(stat: &str) -> Option<i32> {
    let (_, after) = stat.rsplit_once(')')?;
    after.split_ascii_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parent_is_found_behind_a_hostile_name() {
        let table = [
            ("7 (sh) S 3 7 7", Some(3)),
            ("7 (a) S 9 ) R 4 7", Some(4)),
            ("7 (a b", None),
            ("", None),
        ];
        for (stat, want) in table {
            assert_eq!(parent_in(stat), want, "{stat}");
        }
    }
}
