//! A Keystone that lets Packer's OpenStack builder log in when it validates.
//! It is separate because it serves one answer over HTTP, and no other builder needs a cloud to look at a template.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;

use super::packer::packer;
use crate::support::machine::run::Done;

/// Answers one login as Keystone does, with a token and an empty catalogue.
fn keystone(listener: &TcpListener) {
    let (mut stream, _) = listener.accept().unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut line, mut length) = (String::new(), 0);
    while reader.read_line(&mut line).unwrap() > 2 {
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap();
        }
        line.clear();
    }
    reader.read_exact(&mut vec![0; length]).unwrap();
    let body = r#"{"token":{"catalog":[],"expires_at":"2099-01-01T00:00:00.000000Z"}}"#;
    let size = body.len();
    let head = "HTTP/1.1 201 Created\r\nX-Subject-Token: t\r\nConnection: close";
    write!(stream, "{head}\r\nContent-Length: {size}\r\n\r\n{body}").unwrap();
}

/// `packer validate` of the Ubuntu template, with a Keystone to log in to.
pub(super) fn validate_openstack(template: &Path, env: &[(&str, String)]) -> Done {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut env = env.to_vec();
    env.push(("OS_AUTH_URL", format!("http://{address}/v3")));
    for name in [
        "OS_USERNAME",
        "OS_PASSWORD",
        "OS_DOMAIN_NAME",
        "OS_PROJECT_NAME",
    ] {
        env.push((name, "test".to_owned()));
    }
    std::thread::scope(|scope| {
        let served = scope.spawn(|| keystone(&listener));
        let done = packer(&["validate"], template, &env);
        if !served.is_finished() {
            // A template with mistakes is refused before the login: end the wait for it.
            drop(TcpStream::connect(address));
        }
        // What was sent is judged by packer's exit code.
        drop(served.join());
        done
    })
}
