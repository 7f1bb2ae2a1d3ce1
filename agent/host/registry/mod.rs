//! Registries over the OCI distribution API: documents and blobs, and which digest a tag stands for now.
//! It is separate because it is the only part that speaks to the network by itself, and it is asynchronous inside.

mod ask;
mod auth;
mod body;
mod challenge;
mod document;
mod fault;
mod lanes;
mod link;
mod pace;
mod patience;
mod puller;
mod rke2;
mod route;
mod stream;
mod tls;
mod tokens;
mod turns;
mod yaml;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::PoisonError;

use super::Root;
use super::failure::Failure;
use super::oci::{Name, Source as _};
use crate::error::{Context as _, Error, Result};

pub use pace::Join;
pub use patience::Patience;
pub use puller::Puller;

use link::Link;
use route::Endpoint;

/// Questions that are asked at the same time.
const PARALLEL: usize = 8;

/// How registries are reached.
#[derive(Debug, Clone)]
pub struct Access {
    /// `host[:port]` of registries without TLS.
    pub plain_http: Vec<String>,
    /// `host[:port]` of registries whose certificate is not checked.
    pub insecure_tls: Vec<String>,
    /// PEM files with certificate authorities that are trusted beside the system's.
    pub ca: Vec<PathBuf>,
    /// A docker config file with logins.
    pub auth_file: Option<PathBuf>,
    /// RKE2's registries.yaml: mirrors, and TLS and logins by host, which win over `auth_file`.
    pub registries: Option<PathBuf>,
    /// Registries that have mirrors are not asked themselves (RKE2's `disable-default-registry-endpoint`).
    pub mirrors_only: bool,
    /// Bytes that all sessions together may buffer.
    pub memory: u64,
    /// When parts of a blob are fetched side by side.
    pub join: Join,
    /// How long the network is waited for.
    pub patience: Patience,
}

impl Default for Access {
    fn default() -> Self {
        Self {
            plain_http: Vec::new(),
            insecure_tls: Vec::new(),
            ca: Vec::new(),
            auth_file: None,
            registries: None,
            mirrors_only: false,
            memory: 64 << 20,
            join: Join::default(),
            patience: Patience::default(),
        }
    }
}

/// Asks registries which digests tags stand for.
#[derive(Debug)]
pub struct Registries {
    puller: Puller,
}

impl Registries {
    /// A client with this access; nothing is connected before it is needed.
    pub fn new(access: &Access) -> Result<Self> {
        let puller = Puller::new(access)?;
        Ok(Self { puller })
    }

    /// The digest of each image; all are asked, whatever becomes of the others.
    pub fn digests(&self, images: &BTreeSet<String>) -> BTreeMap<String, Result<String>> {
        let left = Mutex::new(images.iter());
        let found = Mutex::new(BTreeMap::new());
        let worker = || {
            let mut session = self.puller.session();
            loop {
                let image = left.lock().unwrap_or_else(PoisonError::into_inner).next();
                let Some(image) = image else { return };
                let answer = match &mut session {
                    Ok(session) => digest(&mut **session, image),
                    Err(failure) => Err(Error::host(failure.error.one_line())),
                };
                let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
                found.insert(image.clone(), answer);
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..PARALLEL.min(images.len()) {
                scope.spawn(worker);
            }
        });
        found.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What comes is hashed here: nobody's word is taken for it.
fn digest(session: &mut dyn super::oci::Session, image: &str) -> Result<String> {
    let name = Name::parse(image).context(|| format!("ask for the digest of {image}"))?;
    let fetched = session.document(&name, name.version());
    let fetched = fetched.map_err(|failure| failure.error);
    Ok(fetched?.digest.to_string())
}

/// The endpoints of an image.
fn endpoints(link: &Link, name: &Name, doing: &str) -> Result<Vec<Endpoint>, Failure> {
    let found = link.shared.routes.of(name);
    found.map_err(|error| puller::no_endpoint(error, doing))
}

/// A file that the caller named, whatever root is worked on.
fn file(path: &Path) -> Result<Vec<u8>> {
    let root = Root::open(Path::new("/"))?;
    let full = std::path::absolute(path).context(|| format!("find {}", path.display()))?;
    let bytes = root.read(&full.to_string_lossy())?;
    bytes.ok_or_else(|| {
        Error::usage(format!("read {}: it does not exist", path.display()))
            .hint("name a file that exists")
    })
}
