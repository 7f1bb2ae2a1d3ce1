//! A server on loopback that answers as it is told to, with TLS of a private CA or without.
//! It is separate because a real one would have to be taught to misbehave.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// What it does with one request.
#[derive(Debug, Clone, Copy)]
pub(super) enum Answer {
    /// A status, and a line of the head.
    Status(u16, &'static str),
    /// Takes the request and says nothing while the server lives.
    Silence,
    /// Ends the connection.
    HangUp,
}

/// A running server; requests are answered in turn, the last answer for good.
#[derive(Debug)]
pub(super) struct Server {
    port: u16,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub(super) fn plain(answers: &[Answer]) -> Self {
        Self::start(answers, None)
    }

    /// With the certificate in `dir`.
    pub(super) fn tls(answers: &[Answer], dir: &Path) -> Self {
        let certificate = CertificateDer::from_pem_file(dir.join("cert.pem")).unwrap();
        let key = PrivateKeyDer::from_pem_file(dir.join("key.pem")).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        Self::start(answers, Some(Arc::new(config)))
    }

    fn start(answers: &[Answer], tls: Option<Arc<rustls::ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (answers, seen) = (answers.to_vec(), Arc::clone(&requests));
        // The thread ends with the test's process.
        std::thread::spawn(move || {
            let mut held = Vec::new();
            for (number, stream) in listener.incoming().flatten().enumerate() {
                let answer = answers.get(number).or(answers.last()).unwrap();
                held.extend(serve(stream, *answer, tls.as_ref(), &seen));
            }
        });
        Self { port, requests }
    }

    pub(super) fn url(&self, scheme: &str) -> String {
        format!("{scheme}://127.0.0.1:{}/nodes?key=in-the-query", self.port)
    }

    /// Every request so far, head and body.
    pub(super) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

/// Serves one connection; what is to stay silent is given back, so that it stays open.
fn serve(
    stream: TcpStream,
    answer: Answer,
    tls: Option<&Arc<rustls::ServerConfig>>,
    seen: &Mutex<Vec<String>>,
) -> Option<Box<dyn Send>> {
    match tls {
        None => talk(stream, answer, seen),
        Some(config) => {
            let session = rustls::ServerConnection::new(Arc::clone(config)).unwrap();
            talk(rustls::StreamOwned::new(session, stream), answer, seen)
        }
    }
}

fn talk(
    stream: impl Read + Write + Send + 'static,
    answer: Answer,
    seen: &Mutex<Vec<String>>,
) -> Option<Box<dyn Send>> {
    let mut reader = BufReader::new(stream);
    let request = request(&mut reader)?;
    seen.lock().unwrap().push(request);
    let stream = reader.get_mut();
    match answer {
        Answer::Status(status, line) => {
            let head = format!(
                "HTTP/1.1 {status} x\r\n{line}Content-Length: 0\r\nConnection: close\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).unwrap_or_default();
            stream.flush().unwrap_or_default();
            None
        }
        Answer::HangUp => None,
        Answer::Silence => Some(Box::new(reader)),
    }
}

/// None where the peer left before its request was whole, as one does that trusts no certificate of ours.
fn request(reader: &mut impl BufRead) -> Option<String> {
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if let Some(text) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = text.trim().parse().ok()?;
        }
        head.push_str(&line);
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(head + &String::from_utf8(body).ok()?)
}

/// A CA (`ca.pem`), and a certificate of it for 127.0.0.1 with its key, in `dir`.
pub(super) fn certificates(dir: &Path) {
    let openssl = |args: &str| {
        let mut command = Command::new("openssl");
        let out = command
            .current_dir(dir)
            .args(args.split(' '))
            .output()
            .unwrap();
        assert!(
            out.status.success(),
            "{}",
            String::from_utf8_lossy(&out.stderr)
        );
    };
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    openssl(&format!(
        "req -x509 {key} -days 3650 -subj /CN=Site -keyout ca-key.pem -out ca.pem"
    ));
    openssl(&format!(
        "req -x509 {key} -days 3650 -subj /CN=server -addext subjectAltName=IP:127.0.0.1 -addext basicConstraints=CA:FALSE -CA ca.pem -CAkey ca-key.pem -keyout key.pem -out cert.pem"
    ));
}
