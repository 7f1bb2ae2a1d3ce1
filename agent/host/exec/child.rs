//! Our binary as its own child: a supervisor, and below it the step that enters the tree and becomes the program.
//! It is separate because it runs in processes of its own, before anything else of nodeagent has started.
//!
//! ```text
//! nodeagent ── supervisor ── enter ── program          the system itself: enter becomes the program by exec
//!              (told when    (PID 1 of its own          a tree: enter stays as the init of a PID namespace
//!               we die)       namespace in a tree)
//! ```
//!
//! On the system itself there is no PID namespace: maintainer scripts and site checks use pid files, `pgrep` and
//! `kill`, which would all miss there. The supervisor is a subreaper instead and kills whatever is left below it.

use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl::{set_child_subreaper, set_pdeathsig};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::stat::{Mode, umask};
use nix::unistd::{Pid, getpid, getppid, setsid};

use super::{CHILD, kill, tree};
use crate::error::{Context as _, Error, Result};

/// The first step's name.
pub(super) const SUPERVISE: &str = "supervise";
/// The second step's name.
const ENTER: &str = "enter";
/// The first step of a program that is asked to end before anything is killed; it goes on as `ENTER_KEPT`.
pub(super) const KEEP: &str = "keep";
/// The second step of such a program.
const ENTER_KEPT: &str = "enter-kept";
/// Stands for "no tree" in the arguments.
pub(super) const NO_TREE: &str = "-";
/// Exit code of a step that failed before the program ran; only with `MARK` on standard error.
const FAILED: i32 = 125;
/// Begins the line that says why a step failed.
const MARK: &str = "nodeagent-child: ";

/// What a step was told.
struct Step<'a> {
    /// The program is asked to end before anything is killed.
    kept: bool,
    parent: i32,
    tree: Option<&'a Path>,
    argv: &'a [OsString],
}

/// Runs as a child of ourselves; `args` are those after `__child`. Returns the exit code.
pub fn child_main(args: &[OsString]) -> i32 {
    match step(args) {
        Ok(code) => code,
        Err(error) => {
            report(&error);
            FAILED
        }
    }
}

#[expect(
    clippy::print_stderr,
    reason = "standard error is this process's channel to its parent"
)]
fn report(error: &Error) {
    eprintln!("{MARK}{}", error.one_line());
}

/// The reason, when a step and not the program failed.
pub(super) fn failure(code: i32, stderr: &[u8]) -> Option<String> {
    if code != FAILED {
        return None;
    }
    let text = String::from_utf8_lossy(stderr);
    let line = text.lines().rev().find_map(|line| line.strip_prefix(MARK));
    line.map(str::to_owned)
}

fn step(args: &[OsString]) -> Result<i32> {
    let usage = || Error::usage("this is an internal command of nodeagent");
    let [name, parent, tree, argv @ ..] = args else {
        return Err(usage());
    };
    let parent = parent.to_str().and_then(|p| p.parse().ok());
    let name = name.to_str();
    let step = Step {
        kept: matches!(name, Some(KEEP | ENTER_KEPT)),
        parent: parent.ok_or_else(usage)?,
        tree: (tree != NO_TREE).then(|| Path::new(tree)),
        argv,
    };
    match name {
        Some(SUPERVISE | KEEP) => supervise(&step),
        Some(ENTER | ENTER_KEPT) => enter(&step),
        _ => Err(usage()),
    }
}

/// The signals that end a supervisor, and the one that tells of a child.
fn watched() -> SigSet {
    let mut set = SigSet::empty();
    for signal in [
        Signal::SIGCHLD,
        Signal::SIGTERM,
        Signal::SIGINT,
        Signal::SIGHUP,
        Signal::SIGQUIT,
    ] {
        set.add(signal);
    }
    set
}

fn supervise(step: &Step<'_>) -> Result<i32> {
    let signals = watched();
    // Blocked before the death signal is asked for, so that it is waited for below and never missed.
    signals.thread_block().context(|| "block signals")?;
    set_pdeathsig(Signal::SIGTERM).context(|| "ask to be told when the parent dies")?;
    if getppid().as_raw() != step.parent {
        return Err(Error::host("the parent is gone"));
    }
    if step.tree.is_some() {
        // The mount namespace is the second step's: here /proc must stay the one that shows all processes.
        unshare(CloneFlags::CLONE_NEWPID).context(|| tree::NEEDS)?;
    } else {
        set_child_subreaper(true).context(|| "become a subreaper")?;
    }
    let next = if step.kept { ENTER_KEPT } else { ENTER };
    let program = Command::new("/proc/self/exe")
        .arg0("nodeagent")
        .args([CHILD, next, &getpid().to_string()])
        .arg(step.tree.map_or(OsStr::new(NO_TREE), Path::as_os_str))
        .args(step.argv)
        .spawn()
        .context(|| "start the second step (is /proc mounted?)")?;
    let program = Pid::from_raw(program.id().cast_signed());
    kill::wait_and_kill_rest(program, &signals, step.kept)
}

fn enter(step: &Step<'_>) -> Result<i32> {
    set_pdeathsig(Signal::SIGKILL).context(|| "ask to die with the parent")?;
    let Some((program, args)) = step.argv.split_first() else {
        return Err(Error::usage("this is an internal command of nodeagent"));
    };
    // Without a terminal nothing can stop to ask a question there.
    setsid().context(|| "begin a session")?;
    umask(Mode::from_bits_truncate(0o022));
    // The init of a PID namespace gets no signal that it does not wait for; its program starts with none blocked.
    let blocked = match step.tree {
        Some(_) if step.kept => watched(),
        _ => SigSet::empty(),
    };
    blocked
        .thread_set_mask()
        .context(|| "set the blocked signals")?;
    let Some(tree) = step.tree else {
        if getppid().as_raw() != step.parent {
            return Err(Error::host("the parent is gone"));
        }
        let error = Command::new(program).args(args).exec();
        return Err(not_started(program, error));
    };
    parent_lives(step.parent)?;
    let env = tree::enter(tree)?;
    let started = Command::new(program).args(args).envs(env).spawn();
    let child = started.map_err(|error| not_started(program, error))?;
    let child = Pid::from_raw(child.id().cast_signed());
    if step.kept {
        return kill::pass_on_until(child, &blocked);
    }
    kill::reap_until(child)
}

/// Inside a PID namespace getppid() is 0 whether the parent lives or not, but the /proc from outside knows.
fn parent_lives(parent: i32) -> Result<()> {
    let stat = std::fs::read_to_string("/proc/self/stat").context(|| "read /proc/self/stat")?;
    match kill::parent_in(&stat) {
        Some(found) if found == parent => Ok(()),
        _ => Err(Error::host("the parent is gone")),
    }
}

fn not_started(program: &OsStr, error: std::io::Error) -> Error {
    Error::host(format!("start {}", program.to_string_lossy())).because(error)
}
