//! Commands to a running QEMU over its control socket (QEMU Machine Protocol).
//! Separate because the protocol has a greeting, a handshake, and events between the answers.

use crate::support::machine::{Result, doing};
use serde_json::{Value, json};
use std::{
    io::{BufRead as _, BufReader, Write as _},
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

/// QEMU answers at once, however slow the guest is.
const LIMIT: Duration = Duration::from_mins(1);

/// Gives a command without arguments and waits for its answer.
pub(crate) fn tell(socket: &Path, command: &str) -> Result<()> {
    ask(socket, command, &json!({})).map(|_| ())
}

/// Gives a command with arguments, and its answer.
pub(crate) fn ask(socket: &Path, command: &str, arguments: &Value) -> Result<Value> {
    let failed = |e: std::io::Error| doing(&format!("telling {command} to"), socket, &e);
    let mut stream = UnixStream::connect(socket).map_err(failed)?;
    stream.set_read_timeout(Some(LIMIT)).map_err(failed)?;
    let mut lines = BufReader::new(stream.try_clone().map_err(failed)?).lines();
    let mut last = Value::Null;
    for (command, arguments) in [("qmp_capabilities", &json!({})), (command, arguments)] {
        let line = json!({ "execute": command, "arguments": arguments });
        writeln!(stream, "{line}").map_err(failed)?;
        loop {
            let line = lines
                .next()
                .unwrap_or_else(|| Err(std::io::ErrorKind::UnexpectedEof.into()))
                .map_err(failed)?;
            let mut answer: Value = serde_json::from_str(&line)
                .map_err(|e| doing("reading the answer of", socket, &e))?;
            if let Some(error) = answer.get("error") {
                return Err(format!("{command}: {error}"));
            }
            if let Some(found) = answer.get_mut("return") {
                last = found.take();
                break;
            }
        }
    }
    Ok(last)
}
