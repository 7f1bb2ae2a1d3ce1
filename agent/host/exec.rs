//! Children: run a program, in the root that is worked on, so that nothing outlives a killed parent.
//! It is separate because PDEATHSIG, namespaces and time limits must hold for every child alike.

use std::time::Duration;

use crate::error::Result;

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

    /// The command as a person would type it.
    pub fn line(&self) -> String {
        self.argv.join(" ")
    }
}

/// How a program ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Exit code; 128+n when signal n ended it.
    pub code: i32,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error, last 16 KiB.
    pub stderr: Vec<u8>,
}

/// The child seam.
pub trait Exec {
    /// Runs and waits. An exit code other than 0 is not an error here; not being able to run is.
    fn run(&self, cmd: &Cmd) -> Result<Output>;
}
