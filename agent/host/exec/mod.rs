//! Children: run a program, in the root that is worked on, so that nothing outlives a killed parent.
//! It is separate because PDEATHSIG, namespaces and time limits must hold for every child alike.

mod child;
mod drain;
mod kill;
mod live;
mod running;
mod shim;
mod tree;

use std::time::Duration;

use crate::error::{Error, Result};

pub use child::child_main;
pub use kill::kill_self;
pub use live::LiveExec;
pub use running::Running;

/// The PATH of every child; nothing is taken from our own environment.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// First argument of our own binary when it runs as a child of itself.
pub const CHILD: &str = "__child";

/// A program to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cmd {
    /// Program and arguments; the program is looked up in a fixed PATH. Never holds a secret.
    pub argv: Vec<String>,
    /// Environment beside PATH, LC_ALL=C.UTF-8 and HOME=/root; nothing is inherited.
    pub env: Vec<(String, String)>,
    /// What it reads from standard input.
    pub stdin: Vec<u8>,
    /// After this it is killed and the call fails.
    pub timeout: Duration,
}

impl Cmd {
    /// A command without input and with a limit of five minutes.
    pub fn new<S: Into<String>>(argv: impl IntoIterator<Item = S>) -> Self {
        Self {
            argv: argv.into_iter().map(Into::into).collect(),
            env: Vec::new(),
            stdin: Vec::new(),
            timeout: Duration::from_secs(300),
        }
    }

    /// Adds a variable to the environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets the time limit.
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = limit;
        self
    }

    /// The command as a person would type it.
    pub fn line(&self) -> String {
        self.argv.join(" ")
    }

    /// The command on one line of bounded length, for errors and the log.
    pub fn brief(&self) -> String {
        let line = self.line().split_whitespace().collect::<Vec<_>>().join(" ");
        match line.char_indices().nth(160) {
            Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
            None => line,
        }
    }
}

/// How a program ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Exit code; 128+n when signal n ended it.
    pub code: i32,
    /// Standard output, first 16 MiB.
    pub stdout: Vec<u8>,
    /// Standard error, last 16 KiB.
    pub stderr: Vec<u8>,
}

impl Output {
    /// Whether it exited with 0.
    pub fn ok(&self) -> bool {
        self.code == 0
    }

    /// Standard output as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Standard error as text.
    pub fn errors(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }
}

/// The child seam.
pub trait Exec {
    /// Runs and waits. An exit code other than 0 is not an error here; not being able to run is.
    fn run(&self, cmd: &Cmd) -> Result<Output>;

    /// Starts a program that runs beside us until it is stopped, dropped, or the thread that started it ends. Its time
    /// limit is how long it may take to end when it is asked to; what it writes to standard output is dropped.
    fn start(&self, cmd: &Cmd) -> Result<Running> {
        let doing = format!("start '{}' beside us", cmd.brief());
        Err(Error::host(doing).because("only programs that end are run here"))
    }
}
