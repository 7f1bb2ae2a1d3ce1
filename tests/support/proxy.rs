//! A proxy that carries connections by CONNECT, with or without a login.
//! It is separate because no site's proxy is at hand, and what is asked of it is the witness.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Whom it lets through, and what it knows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rules {
    /// Name and password that are wanted.
    pub(crate) login: Option<(String, String)>,
    /// Addresses of names that nobody else knows.
    pub(crate) names: BTreeMap<String, String>,
}

/// The proxy. It serves as long as the test runs.
#[derive(Debug)]
pub(crate) struct Proxy {
    host: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    /// Starts one on loopback.
    pub(crate) fn start(rules: &Rules) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (heard, rules) = (Arc::clone(&asked), rules.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (heard, rules) = (Arc::clone(&heard), rules.clone());
                std::thread::spawn(move || carry(&stream, &rules, &heard));
            }
        });
        Self { host, asked }
    }

    /// `host:port`.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// What it was asked so far: the first line of each question.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn carry(stream: &TcpStream, rules: &Rules, heard: &Mutex<Vec<String>>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let first = head.lines().next()?.to_owned();
    heard.lock().unwrap().push(first.clone());
    let mut stream = stream;
    if !may(rules, &head) {
        let refusal = "HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm=\"site\"\r\nContent-Length: 0\r\n\r\n";
        stream.write_all(refusal.as_bytes()).ok()?;
        return None;
    }
    let wanted = first.strip_prefix("CONNECT ")?.split(' ').next()?;
    let address = rules.names.get(wanted).map_or(wanted, String::as_str);
    let far = TcpStream::connect(address).ok()?;
    stream.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").ok()?;
    let (mut from, mut to) = (far.try_clone().ok()?, stream.try_clone().ok()?);
    let back = std::thread::spawn(move || {
        std::io::copy(&mut from, &mut to).unwrap_or_default();
        to.shutdown(Shutdown::Both).unwrap_or_default();
    });
    std::io::copy(&mut reader, &mut &far).unwrap_or_default();
    far.shutdown(Shutdown::Both).unwrap_or_default();
    back.join().ok()
}

fn may(rules: &Rules, head: &str) -> bool {
    let Some((name, password)) = &rules.login else {
        return true;
    };
    let wanted = format!("Basic {}", STANDARD.encode(format!("{name}:{password}")));
    let shown = head.lines().filter_map(|line| line.split_once(": "));
    let mut shown = shown.filter(|(key, _)| key.eq_ignore_ascii_case("proxy-authorization"));
    shown.any(|(_, value)| value == wanted)
}
