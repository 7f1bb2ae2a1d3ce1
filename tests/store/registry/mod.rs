//! The registry client against a registry that lies, and against real ones.
//! Separate because it needs no store: what is judged is what comes out of a session.

mod blobs;
mod certificates;
mod documents;
mod far;
mod harbor;
mod lanes;
mod logins;
mod mirrors;
mod proxies;
mod real;
mod wire;

use std::io::Read as _;
use std::sync::OnceLock;
use std::time::Duration;

use nodeagent::host::failure::{Class, Failure};
use nodeagent::host::oci::{Descriptor, Digest, Fetched, Name, Source as _};
use nodeagent::host::registry::{Access, Patience, Puller};

use crate::support::lying::Lying;

/// Access to these registries without TLS, with waits that a test can afford. The limits of time are long: a busy
/// machine must not meet them.
fn access(registries: &[&Lying]) -> Access {
    Access {
        plain_http: registries.iter().map(|registry| registry.host()).collect(),
        patience: Patience {
            tries: 3,
            first: Duration::from_millis(1),
            longest: Duration::from_millis(20),
            ..Patience::default()
        },
        ..Access::default()
    }
}

/// The same, for registries that do not answer: those limits are met.
fn impatient(registries: &[&Lying]) -> Access {
    let mut access = access(registries);
    access.patience.stall = Duration::from_millis(200);
    access.patience.answer = Duration::from_millis(200);
    access
}

fn puller(access: &Access) -> Puller {
    Puller::new(access).unwrap()
}

fn name(registry: &Lying) -> Name {
    Name::parse(&format!("{}/k8s/a:1", registry.host())).unwrap()
}

/// Reads a blob to its end, as the store does: whoever asks checks the digest.
fn blob(puller: &Puller, name: &Name, blob: &Descriptor) -> Result<Vec<u8>, Failure> {
    let mut session = puller.session()?;
    let mut bytes = Vec::new();
    let mut body = session.blob(name, blob)?;
    match body.read_to_end(&mut bytes) {
        Ok(_) => Ok(bytes),
        Err(error) => Err(Failure::of_io(error, "read")),
    }
}

fn document(puller: &Puller, name: &Name, version: &str) -> Result<Fetched, Failure> {
    puller.session()?.document(name, version)
}

/// Bytes that are different everywhere; at most 40 MiB.
fn noise(length: usize) -> Vec<u8> {
    static MADE: OnceLock<Vec<u8>> = OnceLock::new();
    let made = MADE.get_or_init(|| {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()
        };
        (0..5 << 20).flat_map(|_| next()).collect()
    });
    made[..length].to_vec()
}

/// All that is said of a failure, the next step included.
fn said(failure: &Failure) -> String {
    let next = failure.error.next_step().unwrap_or_default();
    format!(
        "{failure}: {} next: {next} {failure:?}",
        failure.error.one_line()
    )
}

/// What every failure must be: of the class, and naming the image, the blob and whom it came from.
fn told(result: Result<Vec<u8>, Failure>, class: Class, named: &[&str]) -> String {
    let failure = match result {
        Ok(bytes) => panic!("{} bytes came, wanted {class}", bytes.len()),
        Err(failure) => failure,
    };
    let text = said(&failure);
    assert_eq!(failure.class, class, "{text}");
    for name in named {
        assert!(text.contains(name), "{name:?} is not in {text}");
    }
    assert!(failure.error.next_step().is_some(), "{text}");
    text
}

fn is_whole(bytes: &[u8], blob: &Descriptor) {
    assert_eq!(bytes.len() as u64, blob.size);
    assert_eq!(Digest::of(bytes), blob.digest);
}
