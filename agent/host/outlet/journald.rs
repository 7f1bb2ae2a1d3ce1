//! journald's native protocol: one datagram of fields (systemd.io/JOURNAL_NATIVE_PROTOCOL).
//! It is separate because its form for values of several lines is binary.

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Duration;

use crate::error::{Context as _, Result};

/// Where journald listens.
pub(super) const SOCKET: &str = "/run/systemd/journal/socket";
/// A journald that takes nothing for so long is stuck.
const LIMIT: Duration = Duration::from_secs(5);

/// Sends one message.
pub(super) fn send(socket: &Path, fields: &[(String, String)]) -> Result<()> {
    let doing = || format!("send a message to journald at {}", socket.display());
    let sender = UnixDatagram::unbound().context(doing)?;
    sender.set_write_timeout(Some(LIMIT)).context(doing)?;
    sender
        .send_to(&encode(fields), socket)
        .map(|_| ())
        .context(doing)
        .map_err(|error| error.hint("see systemctl status systemd-journald"))
}

fn encode(fields: &[(String, String)]) -> Vec<u8> {
    let mut message = Vec::new();
    for (name, value) in fields {
        message.extend(name.as_bytes());
        if value.contains('\n') {
            message.push(b'\n');
            message.extend((value.len() as u64).to_le_bytes());
        } else {
            message.push(b'=');
        }
        message.extend(value.as_bytes());
        message.push(b'\n');
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_of_several_lines_states_its_length() {
        let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let message = encode(&[field("A", "b=c"), field("D", "e\nF=g")]);
        assert_eq!(message, b"A=b=c\nD\n\x05\0\0\0\0\0\0\0e\nF=g\n");
    }

    #[test]
    fn what_is_sent_arrives_and_nobody_there_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("socket");
        let fields = [("MESSAGE".to_owned(), "hello".to_owned())];
        let error = send(&socket, &fields).unwrap_err();
        assert!(error.next_step().unwrap().contains("journald"));
        let journald = UnixDatagram::bind(&socket).unwrap();
        send(&socket, &fields).unwrap();
        let mut buffer = [0; 64];
        let length = journald.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], b"MESSAGE=hello\n");
    }
}
