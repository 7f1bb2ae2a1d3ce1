//! Children and time in memory: a script instead of programs, a clock that moves by sleeping.
//! They are separate because both stand for what happens outside of files and state.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use nodeagent::error::{Error, Result};
use nodeagent::host::{Clock, Cmd, Exec, Output};

use super::Calls;

/// The child seam: a script of expected command lines and how each ends.
#[derive(Debug, Clone, Default)]
pub(crate) struct FakeExec {
    script: Rc<RefCell<Vec<(String, Output)>>>,
    /// Its calls, as `run COMMAND LINE`.
    pub(crate) calls: Calls,
}

impl FakeExec {
    /// Expects a command whose line begins so, and says how it ends. Used once, in any order.
    pub(crate) fn expect(&self, begins: &str, code: i32, stdout: &str) {
        let output = Output {
            code,
            stdout: stdout.as_bytes().to_vec(),
            stderr: Vec::new(),
        };
        self.script.borrow_mut().push((begins.to_owned(), output));
    }

    /// Expected commands that were not run; a test ends with this being empty.
    pub(crate) fn left(&self) -> Vec<String> {
        let script = self.script.borrow();
        script.iter().map(|(begins, _)| begins.clone()).collect()
    }
}

impl Exec for FakeExec {
    fn run(&self, cmd: &Cmd) -> Result<Output> {
        let line = cmd.line();
        self.calls.change("run", &line)?;
        let mut script = self.script.borrow_mut();
        match script
            .iter()
            .position(|(begins, _)| line.starts_with(begins.as_str()))
        {
            Some(at) => Ok(script.remove(at).1),
            None => Err(Error::host(format!(
                "run '{line}': the script has no such command"
            ))),
        }
    }
}

/// The clock seam: time passes by sleeping alone.
#[derive(Debug, Clone)]
pub(crate) struct FakeClock {
    start: u64,
    passed: Rc<Cell<Duration>>,
    epoch: Option<u64>,
}

impl FakeClock {
    /// A clock that shows `start`, in seconds since 1970, and stamps `epoch` when there is one.
    pub(crate) fn at(start: u64, epoch: Option<u64>) -> Self {
        Self {
            start,
            passed: Rc::default(),
            epoch,
        }
    }

    /// Lets time pass.
    pub(crate) fn pass(&self, time: Duration) {
        self.passed.set(self.passed.get() + time);
    }
}

impl Clock for FakeClock {
    fn now(&self) -> u64 {
        self.start + self.passed.get().as_secs()
    }

    fn elapsed(&self) -> Duration {
        self.passed.get()
    }

    fn sleep(&self, time: Duration) {
        self.pass(time);
    }

    fn stamp(&self) -> u64 {
        self.epoch.unwrap_or_else(|| self.now())
    }
}
