//! One answer of the lying registry: the true one, bent by a lie.
//! It is separate because it alone writes HTTP.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::login::Entry;
use super::{Asked, Lie, State};

/// A head and a body.
struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// Answers; false where the connection is to be closed.
pub(super) fn answer(shared: &Arc<Mutex<State>>, asked: &Asked, stream: &TcpStream) -> bool {
    let (lie, reply) = {
        let mut state = shared.lock().unwrap();
        state.asked.push(asked.clone());
        let host = state.host.clone();
        match state.login.judge(&host, asked) {
            // Who is not let in is not worth a lie.
            Entry::Closed(challenge) => {
                let reply = status_of(401, &[("WWW-Authenticate", challenge)], asked);
                (Lie::Truth, reply)
            }
            entry => {
                let lie = state.lie(&asked.target);
                (lie.clone(), state.reply(asked, &lie, entry))
            }
        }
    };
    let far = shared.lock().unwrap().far;
    std::thread::sleep(far.unwrap_or_default());
    let sent = send(stream, &lie, reply, far);
    sent.unwrap_or(false)
}

impl State {
    fn lie(&mut self, target: &str) -> Lie {
        let found = self
            .lies
            .iter_mut()
            .rev()
            .find(|lies| target.contains(&lies.part));
        found.map_or(Lie::Truth, |lies| {
            lies.next.pop_front().unwrap_or_else(|| lies.then.clone())
        })
    }

    fn reply(&self, asked: &Asked, lie: &Lie, entry: Entry) -> Reply {
        match (lie, entry) {
            (Lie::Status(status, headers), _) => return status_of(*status, headers, asked),
            (Lie::Redirect(to), _) => return status_of(307, &[("Location", to.clone())], asked),
            (_, Entry::Token(status, body)) => {
                return Reply::new(status, "application/json", body.into_bytes());
            }
            _ => {}
        }
        let path = asked.target.split('?').next().unwrap_or_default();
        let found = path
            .strip_prefix("/v2/")
            .and_then(|path| self.content.find(path));
        let Some((kind, bytes)) = found else {
            return status_of(404, &[], asked);
        };
        let range = asked
            .header("range")
            .and_then(|range| parse(range, bytes.len()));
        match (range, lie) {
            (Some((from, to)), Lie::WrongRange) if from > 0 => {
                Reply::part(&kind, &bytes, from - 1, to - 1)
            }
            (Some((from, to)), lie) if !matches!(lie, Lie::IgnoreRange) => {
                Reply::part(&kind, &bytes, from, to)
            }
            _ => Reply::new(200, &kind, bytes.to_vec()),
        }
    }
}

impl Reply {
    fn new(status: u16, kind: &str, body: Vec<u8>) -> Self {
        Self {
            status,
            headers: vec![("Content-Type".to_owned(), kind.to_owned())],
            body,
        }
    }

    /// Bytes `from` up to and with `to`.
    fn part(kind: &str, bytes: &[u8], from: usize, to: usize) -> Self {
        let mut reply = Self::new(206, kind, bytes[from..=to].to_vec());
        let range = format!("bytes {from}-{to}/{}", bytes.len());
        reply.headers.push(("Content-Range".to_owned(), range));
        reply
    }
}

/// An answer that is none; like a careless registry it repeats what it was sent.
fn status_of(status: u16, headers: &[(&'static str, String)], asked: &Asked) -> Reply {
    let code = match status {
        401 => "UNAUTHORIZED",
        404 => "MANIFEST_UNKNOWN",
        429 => "TOOMANYREQUESTS",
        _ => "UNKNOWN",
    };
    let sent = asked.header("authorization").unwrap_or_default();
    let body = format!("{{\"errors\":[{{\"code\":\"{code}\",\"message\":\"you sent {sent}\"}}]}}");
    let mut reply = Reply::new(status, "application/json", body.into_bytes());
    let headers = headers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()));
    reply.headers.extend(headers);
    reply
}

/// `bytes=FROM-[TO]`, within a length.
fn parse(range: &str, length: usize) -> Option<(usize, usize)> {
    let (from, to) = range.strip_prefix("bytes=")?.split_once('-')?;
    let from = from.parse().ok()?;
    let to = to.parse().unwrap_or(usize::MAX).min(length.checked_sub(1)?);
    (from <= to).then_some((from, to))
}

fn send(
    mut stream: &TcpStream,
    lie: &Lie,
    mut reply: Reply,
    far: Option<Duration>,
) -> std::io::Result<bool> {
    let bend = (200..300).contains(&reply.status);
    match lie {
        Lie::HangUp => return Ok(false),
        Lie::Silence => return wait(stream),
        Lie::Corrupt if bend => reply.body[0] ^= 1,
        Lie::Resize(length) if bend => reply.body.resize(*length, 0),
        Lie::Header(name, value) if bend => {
            reply
                .headers
                .retain(|(other, _)| !other.eq_ignore_ascii_case(name));
            reply.headers.push(((*name).to_owned(), value.clone()));
        }
        Lie::Excess(more) if bend => return chunked(stream, &reply, more),
        _ => {}
    }
    let head = head(&reply, &format!("Content-Length: {}", reply.body.len()));
    stream.write_all(head.as_bytes())?;
    match lie {
        Lie::Truncate(count) if bend && *count < reply.body.len() => {
            slowly(stream, &reply.body[..*count], far)?;
            Ok(false)
        }
        Lie::Stall(count) if bend => {
            stream.write_all(&reply.body[..*count])?;
            wait(stream)
        }
        Lie::Drip(pause) if bend => {
            for byte in &reply.body {
                stream.write_all(&[*byte])?;
                std::thread::sleep(*pause);
            }
            Ok(true)
        }
        _ => slowly(stream, &reply.body, far).map(|()| true),
    }
}

fn slowly(mut stream: &TcpStream, bytes: &[u8], far: Option<Duration>) -> std::io::Result<()> {
    let Some(far) = far else {
        return stream.write_all(bytes);
    };
    for piece in bytes.chunks(16 << 10) {
        stream.write_all(piece)?;
        std::thread::sleep(far / 16);
    }
    Ok(())
}

fn head(reply: &Reply, length: &str) -> String {
    let lines = reply
        .headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"));
    let lines: String = lines.collect();
    format!("HTTP/1.1 {} Said\r\n{length}\r\n{lines}\r\n", reply.status)
}

fn chunked(mut stream: &TcpStream, reply: &Reply, more: &[u8]) -> std::io::Result<bool> {
    stream.write_all(head(reply, "Transfer-Encoding: chunked").as_bytes())?;
    for part in [&reply.body[..], more] {
        if !part.is_empty() {
            write!(stream, "{:x}\r\n", part.len())?;
            stream.write_all(part)?;
            stream.write_all(b"\r\n")?;
        }
    }
    stream.write_all(b"0\r\n\r\n").map(|()| true)
}

/// Until the client goes away.
fn wait(mut stream: &TcpStream) -> std::io::Result<bool> {
    let mut rest = [0; 64];
    while stream.read(&mut rest)? > 0 {}
    Ok(false)
}
