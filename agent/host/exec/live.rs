//! The real child seam, our side: starts a supervisor (see `child`), feeds it, drains it and keeps the time limit.
//! It is separate from the supervisor because the two run in different processes.

use std::io::{Seek as _, Write as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getpid};

use super::drain::{Drained, drain};
use super::{CHILD, Cmd, Exec, Output, PATH, Running, child};
use crate::error::{Context as _, Error, Result};

/// How long a supervisor may take to kill everything below it before it is killed itself.
const GRACE: Duration = Duration::from_secs(10);

/// Runs children through a hidden re-exec of our own binary.
#[derive(Debug, Clone)]
pub struct LiveExec {
    /// Our own binary. `/proc/self/exe` also leads to it after the bake has replaced the file.
    program: PathBuf,
    /// The tree to run in; none for the system we run on.
    tree: Option<PathBuf>,
}

impl LiveExec {
    /// Children of the system we run on.
    pub fn live(program: &Path) -> Self {
        Self {
            program: program.to_owned(),
            tree: None,
        }
    }

    /// Children confined to an unbooted tree (an absolute path).
    pub fn in_tree(program: &Path, tree: &Path) -> Self {
        Self {
            program: program.to_owned(),
            tree: Some(tree.to_owned()),
        }
    }

    fn spawn(&self, cmd: &Cmd, step: &str, output: Stdio) -> Result<Child> {
        // A file and not a pipe: nothing to feed while draining, and a child that reads none of it blocks nobody.
        let mut input = std::fs::File::from(
            memfd_create("input", MFdFlags::MFD_CLOEXEC).context(|| "make its input")?,
        );
        input.write_all(&cmd.stdin).context(|| "fill its input")?;
        input.rewind().context(|| "fill its input")?;
        let tree = self.tree.as_deref().unwrap_or(Path::new(child::NO_TREE));
        Command::new(&self.program)
            .arg0("nodeagent")
            .args([CHILD, step, &getpid().to_string()])
            .arg(tree)
            .args(&cmd.argv)
            .env_clear()
            .envs([("PATH", PATH), ("LC_ALL", "C.UTF-8"), ("HOME", "/root")])
            .envs(cmd.env.iter().map(|(name, value)| (name, value)))
            .current_dir("/")
            // A ^C on our terminal stops us between two steps; it must not reach a package manager half-way.
            .process_group(0)
            .stdin(Stdio::from(input))
            .stdout(output)
            .stderr(Stdio::piped())
            .spawn()
            .context(|| format!("start {}", self.program.display()))
    }
}

impl Exec for LiveExec {
    fn run(&self, cmd: &Cmd) -> Result<Output> {
        let doing = || format!("run '{}'", cmd.brief());
        if cmd.argv.is_empty() {
            return Err(Error::host("run a command without a program"));
        }
        let deadline = Instant::now() + cmd.timeout;
        let mut supervisor = self
            .spawn(cmd, child::SUPERVISE, Stdio::piped())
            .context(doing)?;
        let (Some(out), Some(err)) = (supervisor.stdout.take(), supervisor.stderr.take()) else {
            return Err(Error::host(doing()).because("its output is not connected"));
        };
        let drained = drain(out, err, deadline);
        let in_time = matches!(&drained, Ok(all) if all.in_time);
        if !in_time {
            stop(&mut supervisor).context(doing)?;
        }
        let status = supervisor.wait().context(doing)?;
        let all = drained.context(doing)?;
        if !in_time {
            return Err(late(cmd, &all));
        }
        let code = status
            .code()
            .unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
        if let Some(why) = child::failure(code, &all.stderr) {
            return Err(Error::host(doing()).because(why));
        }
        Ok(Output {
            code,
            stdout: all.stdout,
            stderr: all.stderr,
        })
    }

    fn start(&self, cmd: &Cmd) -> Result<Running> {
        let doing = || format!("start '{}'", cmd.brief());
        if cmd.argv.is_empty() {
            return Err(Error::host("start a command without a program"));
        }
        let started = self.spawn(cmd, child::KEEP, Stdio::null());
        let supervisor = started.context(doing)?;
        Ok(Running::new(cmd, supervisor, self.tree.as_deref()))
    }
}

fn late(cmd: &Cmd, all: &Drained) -> Error {
    let tail = String::from_utf8_lossy(&all.stderr);
    let said = tail.lines().next_back().unwrap_or("nothing").to_owned();
    Error::host(format!(
        "run '{}': not finished after {} s and killed",
        cmd.brief(),
        cmd.timeout.as_secs()
    ))
    .because(format!("its last line on standard error: {said}"))
    .hint("run it by hand to see what it waits for, or raise its time limit")
}

/// Asks the supervisor to kill everything below it, then ends the supervisor itself.
fn stop(supervisor: &mut Child) -> Result<()> {
    let pid = Pid::from_raw(supervisor.id().cast_signed());
    let asked = Instant::now();
    let signalled = kill(pid, Signal::SIGTERM);
    while signalled.is_ok() && asked.elapsed() < GRACE {
        if supervisor.try_wait().context(|| "wait for it")?.is_some() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    supervisor.kill().context(|| "kill it")
}
