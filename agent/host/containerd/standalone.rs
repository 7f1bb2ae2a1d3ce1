//! A containerd of our own on a store that no other one uses: started, adopted, watched and stopped.
//! It is separate because it is the only program that runs beside the agent.
//!
//! Where systemd runs it is a service without a file, so that systemd ends it at a shutdown and the next run finds it when
//! this one was killed. Elsewhere it is a child: in a tree it sees the tree as `/`, with a `/run` of its own.

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::config::{Paths, render};
use super::premises::{self, DIR, LOCK};
use super::{Client, Containerd, Facts};
use crate::error::{Context as _, Error, Result};
use crate::host::exec::Running;
use crate::host::root::{Attr, Lock, Root, sha256};
use crate::host::systemd::Transient;
use crate::host::{Cmd, Host};

/// The service.
pub const UNIT: &str = "nodeagent-containerd.service";
const SOCKET: &str = "/run/nodeagent/containerd/containerd.sock";
const STATE: &str = "/run/nodeagent/containerd/state";
const LOG: &str = "/run/nodeagent/containerd/log";
/// Tells which program and configuration the service was started with.
const KEY: &str = "/run/nodeagent/containerd/key";
/// How long it may take until it answers. It takes 50 ms; opening a large database after a crash takes longer.
const READY: Duration = Duration::from_secs(120);
/// How long it may take to end. It takes 20 ms. Killed, it could lose what it was told last.
const END: Duration = Duration::from_secs(300);
/// How often a waiting loop looks again.
const TICK: Duration = Duration::from_millis(2);
/// An answer takes no longer.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is to be started.
#[derive(Debug, Clone, Copy)]
pub struct Start<'a> {
    /// The program, as the root that is worked on sees it.
    pub program: &'a str,
    /// The store, as the root that is worked on sees it. It is made if it is not there.
    pub root: &'a str,
}

/// A running daemon. Dropped, it is stopped; the thread that started it must live as long as it does.
#[derive(Debug)]
pub struct Standalone<'h> {
    host: &'h Host,
    socket: PathBuf,
    /// None where it is a service.
    child: Option<Running>,
    stopped: bool,
    /// Held on the system itself, where the directory is the system's own.
    lock: Option<Lock>,
}

impl<'h> Standalone<'h> {
    /// Starts it, or adopts the one that a killed run left, and returns when it answers and its store is usable.
    pub fn start(start: &Start<'_>, host: &'h Host) -> Result<Self> {
        let doing = || format!("start containerd {} on {}", start.program, start.root);
        let hint = "name another containerd by its path";
        Self::begin(start, host)
            .context(doing)
            .map_err(|error| match error.next_step() {
                Some(_) => error,
                None => error.hint(hint),
            })
    }

    /// The socket, as this process reaches it.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Asks it to end and waits until it has.
    pub fn stop(mut self) -> Result<()> {
        let code = self.end()?;
        if code == 0 {
            return Ok(());
        }
        let said = self.child.as_ref().map(Running::said).unwrap_or_default();
        Err(
            Error::host(format!("stop containerd: it ended with code {code}"))
                .because(format!("it said: {}", last_lines(&said)))
                .hint("check the store, then run the same command again"),
        )
    }

    fn begin(start: &Start<'_>, host: &'h Host) -> Result<Self> {
        let config = render(&Paths {
            root: start.root,
            state: STATE,
            socket: SOCKET,
        })?;
        premises::carries_snapshots(&host.root, start.root)?;
        let mut daemon = Self {
            host,
            socket: SOCKET.into(),
            child: None,
            stopped: true,
            lock: premises::lock(host)?,
        };
        if host.units.manager() {
            daemon.serve(start, &config)?;
        } else {
            premises::wait_until_free(host, start.root)?;
            let argv = [start.program, "--config", "/dev/stdin"];
            let mut cmd = Cmd::new(argv).timeout(END);
            cmd.stdin = config.into_bytes();
            daemon.child = Some(host.exec.start(&cmd)?);
            daemon.stopped = false;
            daemon.wait_until_it_answers(start.root)?;
        }
        Ok(daemon)
    }

    /// As a service: the one that is there, if it is the same and answers, else a new one.
    fn serve(&mut self, start: &Start<'_>, config: &str) -> Result<()> {
        let (root, units) = (&self.host.root, &self.host.units);
        let key = key(root, start.program, config)?;
        let active = units.state(UNIT)?.active.unwrap_or_default();
        if active == "active" && root.read_text(KEY)?.as_deref() == Some(&key) {
            self.stopped = false;
            match self.answers(start.root) {
                Ok(()) => {
                    tracing::info!("{UNIT} of an earlier run is used again");
                    return Ok(());
                }
                Err(error) => tracing::warn!("{UNIT} is replaced: {}", error.one_line()),
            }
        }
        if active != "inactive" {
            units.stop(UNIT)?;
        }
        premises::wait_until_free(self.host, start.root)?;
        root.empty_dir(DIR)?;
        root.write(KEY, key.as_bytes(), Attr::root(0o600))?;
        let service = Transient {
            description: format!("containerd of nodeagent on {}", start.root),
            argv: [start.program, "--config", "/dev/stdin"]
                .map(str::to_owned)
                .into(),
            stdin: config.as_bytes().to_vec(),
            log: LOG.to_owned(),
            ready: READY,
            end: END,
        };
        self.stopped = false;
        if let Err(error) = units.run(UNIT, &service) {
            return Err(self.failed(error));
        }
        self.wait_until_it_answers(start.root)
    }

    fn wait_until_it_answers(&mut self, root: &str) -> Result<()> {
        let clock = &self.host.clock;
        let begun = clock.elapsed();
        while clock.elapsed().saturating_sub(begun) < READY {
            if let Some(child) = &mut self.child {
                if let Some(code) = child.ended()? {
                    let ended = Error::host(format!("it ended with code {code}"));
                    return Err(self.failed(ended));
                }
                let Some(path) = child.reach(SOCKET)? else {
                    // Not yet in its tree: what is at the path now is not its own.
                    clock.sleep(TICK);
                    continue;
                };
                self.socket = path;
            }
            if UnixStream::connect(&self.socket).is_ok() {
                return self.answers(root).map_err(|error| self.failed(error));
            }
            if self.child.is_none() && !self.serves()? {
                return Err(self.failed(Error::host("it ended after it was ready")));
            }
            clock.sleep(TICK);
        }
        let waited = format!("it did not answer within {} s", READY.as_secs());
        Err(self.failed(Error::host(waited)))
    }

    fn serves(&self) -> Result<bool> {
        let state = self.host.units.state(UNIT)?;
        Ok(state.active.is_some_and(|active| active == "active"))
    }

    /// Whether what answers is a daemon on this root that can do what we need.
    fn answers(&self, root: &str) -> Result<()> {
        let facts = Client::patient(&self.socket, "k8s.io", PATIENCE)?.facts()?;
        is_ours(&facts, root)
    }

    /// Adds what the daemon said last; it is ended first, so that nothing of it is still on its way.
    fn failed(&mut self, error: Error) -> Error {
        if let Err(error) = self.end() {
            tracing::warn!("{}", error.one_line());
        }
        let said = match &self.child {
            Some(child) => child.said(),
            None => self
                .host
                .root
                .read(LOG)
                .ok()
                .flatten()
                .map_or_else(String::new, |bytes| {
                    String::from_utf8_lossy(&bytes).into_owned()
                }),
        };
        let hint = if said.contains("no space left on device") {
            "make room for the store, then run the same command again"
        } else {
            "its last lines say why; another containerd can be given by its path"
        };
        let last = last_lines(&said);
        let error = match last.is_empty() {
            true => error,
            false => Error::host(error.one_line()).because(format!("it said: {last}")),
        };
        error.hint(hint)
    }

    /// Ends it, and gives its code; a service's is systemd's affair.
    fn end(&mut self) -> Result<i32> {
        if std::mem::replace(&mut self.stopped, true) {
            return Ok(0);
        }
        match &mut self.child {
            Some(child) => child.stop().context(|| "stop containerd"),
            None => self.host.units.stop(UNIT).map(|()| 0),
        }
    }

    /// Removes what is not the store's. Where a manager runs, the lock stays: another run may wait for it.
    fn tidy(&self) -> Result<()> {
        if self.lock.is_none() {
            return Ok(());
        }
        self.host.root.remove(DIR)?;
        if self.host.units.manager() {
            return Ok(());
        }
        self.host.root.remove(LOCK)
    }
}

impl Drop for Standalone<'_> {
    fn drop(&mut self) {
        // How it ended after a failure says nothing new.
        let ended = self.end().map(|_| ());
        if let Err(error) = ended.and_then(|()| self.tidy()) {
            tracing::warn!("{}", error.one_line());
        }
    }
}

/// Equal for the same program, file and all, with the same configuration.
fn key(root: &Root, program: &str, config: &str) -> Result<String> {
    let meta = root.meta_followed(program)?;
    let file = meta.map(|meta| (meta.device, meta.inode, meta.size, meta.mtime));
    Ok(sha256(format!("{program} {file:?} {config}").as_bytes()))
}

fn is_ours(facts: &Facts, root: &str) -> Result<()> {
    let root = Path::new(root);
    let answers = || Error::host(format!("use containerd {}", facts.version));
    if !facts.content.starts_with(root) {
        let content = facts.content.display();
        return Err(answers().because(format!("its store is {content}")));
    }
    if !facts.shares_content {
        return Err(answers().because("it could not open its database"));
    }
    if facts.overlayfs.is_none() {
        return Err(answers().because("its overlayfs snapshotter is not usable"));
    }
    Ok(())
}

/// The last lines of a log, on one line of bounded length. What it tells of its usual work is left out for what is wrong.
fn last_lines(log: &str) -> String {
    let usual = |line: &&str| line.contains(" level=info ") || line.contains(" level=debug ");
    let all = || log.lines().filter(|line| !line.trim().is_empty());
    let mut lines: Vec<&str> = all().filter(|line| !usual(line)).collect();
    if lines.is_empty() {
        lines = all().collect();
    }
    let from = lines.len().saturating_sub(5);
    let last = lines.get(from..).unwrap_or_default().join(" | ");
    match last.char_indices().rev().nth(1500) {
        Some((at, _)) => format!("…{}", last.get(at..).unwrap_or_default()),
        None => last,
    }
}

#[cfg(test)]
mod tests;
