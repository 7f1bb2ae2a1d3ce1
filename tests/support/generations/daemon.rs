//! A daemon of one generation on a root of its own, for as long as a test needs it.
//! Separate because the agent starts its own daemons another way: this one is what a node, or a rival, would run.

use super::{Generation, Programs};
use crate::support::machine::{Result, doing, run};
use std::{
    fs::{self, File},
    os::unix::{fs::DirBuilderExt as _, net::UnixStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

/// How long a daemon may take to answer, or to end.
const LIMIT: Duration = Duration::from_secs(60);
/// Where programs find each other when they are not a generation's own.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// CRI under its names in all generations.
const CRI: [&str; 3] = [
    "io.containerd.grpc.v1.cri",
    "io.containerd.cri.v1.images",
    "io.containerd.cri.v1.runtime",
];
/// What would reach beyond the daemon's own directories, or look around on the host for long.
const NEEDLESS: [&str; 4] = [
    "io.containerd.nri.v1.nri",
    "io.containerd.snapshotter.v1.devmapper",
    "io.containerd.snapshotter.v1.zfs",
    "io.containerd.snapshotter.v1.btrfs",
];

/// What a daemon is started with.
#[derive(Debug, Clone, Default)]
pub(crate) struct Options {
    /// Its root; a directory of its own without one. Must not lie on an overlay.
    pub(crate) root: Option<PathBuf>,
    /// CRI is on, as on a node.
    pub(crate) cri: bool,
    /// Directories that come first in its PATH, such as one with `igzip`.
    pub(crate) path: Vec<PathBuf>,
    /// More lines of its configuration.
    pub(crate) config: String,
}

/// A running daemon. It dies with the thread that started it, and when dropped, by SIGKILL; [`Daemon::stop`] ends it well.
#[derive(Debug)]
pub(crate) struct Daemon {
    generation: Generation,
    programs: Programs,
    root: PathBuf,
    home: tempfile::TempDir,
    child: Child,
}

impl Daemon {
    /// Starts one on an empty root, CRI off.
    pub(crate) fn start(generation: Generation) -> Result<Self> {
        Self::start_with(generation, &Options::default())
    }

    /// Starts one and waits until its socket takes connections.
    pub(crate) fn start_with(generation: Generation, options: &Options) -> Result<Self> {
        let programs = generation.programs()?;
        // In the usual place for scratch files, because a socket has a short path limit.
        let home = tempfile::tempdir().map_err(|e| format!("making a scratch directory: {e}"))?;
        let root = options
            .root
            .clone()
            .unwrap_or_else(|| home.path().join("root"));
        let mut mode = fs::DirBuilder::new();
        mode.recursive(true).mode(0o711);
        mode.create(&root)
            .map_err(|e| doing("creating", &root, &e))?;
        let config = home.path().join("config.toml");
        fs::write(&config, text(generation, &root, home.path(), options))
            .map_err(|e| doing("writing", &config, &e))?;
        let child = spawn(&programs, &config, &home.path().join("log"), options)?;
        let mut daemon = Self {
            generation,
            programs,
            root,
            home,
            child,
        };
        daemon.wait_until_it_answers()?;
        Ok(daemon)
    }

    /// Its generation.
    pub(crate) fn generation(&self) -> Generation {
        self.generation
    }

    /// Its root: `io.containerd.content.v1.content`, `io.containerd.snapshotter.v1.overlayfs`, ….
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Its socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.home.path().join("s")
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its own `ctr` with these arguments, in the namespace of kubelet.
    pub(crate) fn ctr(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.programs.ctr);
        command
            .arg("-a")
            .arg(self.socket())
            .args(["-n", "k8s.io"])
            .args(args)
            .env("PATH", path(&self.programs, &[]));
        command
    }

    /// [`Daemon::ctr`] that must exit 0; gives its standard output.
    pub(crate) fn ctr_ok(&self, args: &[&str]) -> Result<String> {
        run::ok(&mut self.ctr(args), LIMIT)
    }

    /// What it wrote to its log.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.home.path().join("log")).unwrap_or_default()
    }

    /// Ends it by SIGTERM and waits.
    pub(crate) fn stop(mut self) -> Result<()> {
        let pid = nix::unistd::Pid::from_raw(self.child.id().cast_signed());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM)
            .map_err(|e| format!("ending containerd {}: {e}", self.generation.name()))?;
        match run::wait(&mut self.child, LIMIT)? {
            Some(_) => Ok(()),
            None => Err(self.failed("no end")),
        }
    }

    fn wait_until_it_answers(&mut self) -> Result<()> {
        let start = Instant::now();
        while start.elapsed() < LIMIT {
            if UnixStream::connect(self.socket()).is_ok() {
                return Ok(());
            }
            if let Some(status) = run::wait(&mut self.child, Duration::ZERO)? {
                return Err(self.failed(&format!("it ended with {status}")));
            }
            sleep(run::TICK);
        }
        Err(self.failed("no answer"))
    }

    fn failed(&self, what: &str) -> String {
        let (name, said) = (self.generation.name(), run::tail(&self.log(), 20));
        format!("containerd {name}: {what}\n{said}")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.child
            .kill()
            .and_then(|()| self.child.wait().map(|_| ()))
            .unwrap_or_default();
    }
}

fn path(programs: &Programs, first: &[PathBuf]) -> std::ffi::OsString {
    let own = [programs.bin.clone()];
    let usual = std::env::split_paths(PATH);
    let all = first.iter().cloned().chain(own).chain(usual);
    std::env::join_paths(all).unwrap_or_else(|_| PATH.into())
}

fn spawn(programs: &Programs, config: &Path, log: &Path, options: &Options) -> Result<Child> {
    let out = File::create(log).map_err(|e| doing("creating", log, &e))?;
    let err = out.try_clone().map_err(|e| doing("sharing", log, &e))?;
    Command::new("setpriv")
        .args(["--pdeathsig", "KILL"])
        .arg(&programs.containerd)
        .arg("--config")
        .arg(config)
        .env_clear()
        .env("PATH", path(programs, &options.path))
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(err)
        .spawn()
        .map_err(|e| doing("starting", &programs.containerd, &e))
}

fn text(generation: Generation, root: &Path, home: &Path, options: &Options) -> String {
    let disabled = NEEDLESS.iter().chain(CRI.iter().filter(|_| !options.cri));
    let disabled: Vec<String> = disabled.map(|name| format!("{name:?}")).collect();
    let (root, home) = (root.display(), home.display());
    format!(
        "version = {}\nroot = \"{root}\"\nstate = \"{home}/state\"\ndisabled_plugins = [{}]\n\
         [grpc]\naddress = \"{home}/s\"\n[ttrpc]\naddress = \"{home}/t\"\n\
         [plugins.\"io.containerd.internal.v1.opt\"]\npath = \"{home}/opt\"\n{}",
        generation.config(),
        disabled.join(", "),
        options.config
    )
}
