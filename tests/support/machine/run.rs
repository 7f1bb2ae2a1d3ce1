//! Runs one program with a deadline and keeps what it printed.
//! Separate so that no test can hang on a child, and every failure shows the child's own words.

use super::Result;
use std::{
    fs::File,
    io::{Read as _, Seek as _},
    os::unix::process::ExitStatusExt as _,
    process::{Child, Command, ExitStatus, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

/// How often a waiting loop looks again.
pub(crate) const TICK: Duration = Duration::from_millis(5);

/// What a finished program left: its exit code (128 + n after signal n) and its two outputs.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs `command` to its end, or kills it at `limit`. Any exit code is a result, not an error.
pub(crate) fn run(command: &mut Command, limit: Duration) -> Result<Done> {
    let name = describe(command);
    let out = scratch()?;
    let err = scratch()?;
    command.stdout(share(&out)?).stderr(share(&err)?);
    let mut child = command
        .spawn()
        .map_err(|e| format!("starting {name}: {e}"))?;
    let Some(status) = wait(&mut child, limit)? else {
        child
            .kill()
            .and_then(|()| child.wait())
            .map_err(|e| format!("killing {name}: {e}"))?;
        let said = tail(&text(err)?, 20);
        return Err(format!(
            "{name}: no end within {} s\n{said}",
            limit.as_secs()
        ));
    };
    Ok(Done {
        code: code(status),
        stdout: text(out)?,
        stderr: text(err)?,
    })
}

/// Runs `command` and gives its standard output; anything but exit 0 is an error with its last words.
pub(crate) fn ok(command: &mut Command, limit: Duration) -> Result<String> {
    let done = run(command, limit)?;
    if done.code == 0 {
        return Ok(done.stdout);
    }
    let name = describe(command);
    let said = format!("{}\n{}", tail(&done.stdout, 10), tail(&done.stderr, 20));
    Err(format!("{name}: exit {}\n{}", done.code, said.trim()))
}

/// Waits for a child until `limit`; `None` when it still runs then.
pub(crate) fn wait(child: &mut Child, limit: Duration) -> Result<Option<ExitStatus>> {
    let start = Instant::now();
    loop {
        match child.try_wait() {
            Ok(None) if start.elapsed() < limit => sleep(TICK),
            Ok(status) => return Ok(status),
            Err(error) => return Err(format!("waiting for process {}: {error}", child.id())),
        }
    }
}

/// The last `count` lines of `text`.
pub(crate) fn tail(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines
        .iter()
        .skip(lines.len().saturating_sub(count))
        .copied()
        .collect::<Vec<_>>()
        .join("\n")
}

/// An exit code, or 128 + n after signal n.
pub(crate) fn code(status: ExitStatus) -> i32 {
    status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

fn describe(command: &Command) -> String {
    let words: Vec<_> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(std::ffi::OsStr::to_string_lossy)
        .collect();
    let line = words.join(" ").replace('\n', " ");
    line.chars().take(200).collect()
}

fn scratch() -> Result<File> {
    tempfile::tempfile().map_err(|e| format!("making a scratch file: {e}"))
}

fn share(file: &File) -> Result<Stdio> {
    file.try_clone()
        .map(Stdio::from)
        .map_err(|e| format!("sharing a scratch file: {e}"))
}

fn text(mut file: File) -> Result<String> {
    let mut bytes = Vec::new();
    file.rewind()
        .and_then(|()| file.read_to_end(&mut bytes))
        .map_err(|e| format!("reading back a program's output: {e}"))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
