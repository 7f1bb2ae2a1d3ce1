//! Real registries on loopback (Debian's docker-registry), plain, with TLS of a private CA, with a login.
//! It is separate because pinning, pulling and the benchmark all want the same ones, each for reasons of its own.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "drives real files and processes of the test host; shared with the benchmark's driver"
)]
#![allow(
    dead_code,
    reason = "a shared toolbox: which part is used changes with the tests"
)]

mod log;
mod push;
mod storage;

use std::fs::File;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

pub(crate) use log::Request;
pub(crate) use storage::Storage;

/// The login of registries that want one.
pub(crate) const USER: &str = "user";
/// Its password.
pub(crate) const PASSWORD: &str = "secret";

/// `user` with the password `secret`.
const HTPASSWD: &str = "user:$2y$05$ePlvtUfsFPh.MIaDIZF6muWIzsg/jDmDS7mikiIYyoNfozaYlrkIK\n";

/// An address where nobody listens.
pub(crate) fn free_address() -> String {
    free_address_of("127.0.0.1")
}

fn free_address_of(ip: &str) -> String {
    let listener = TcpListener::bind((ip, 0)).unwrap();
    listener.local_addr().unwrap().to_string()
}

/// How a registry is reached.
#[derive(Debug, Clone, Default)]
pub(crate) struct Setup {
    /// The address it listens on; 127.0.0.1 where none is said. Certificates are made for it.
    pub(crate) ip: Option<String>,
    /// It speaks TLS, with a certificate of the storage's CA (`Storage::ca`).
    pub(crate) tls: bool,
    /// It wants [`USER`] and [`PASSWORD`].
    pub(crate) login: bool,
    /// It wants to be shown a certificate of the storage's CA (`Storage::client`).
    pub(crate) certificate: bool,
}

/// A running registry; it ends with the value.
#[derive(Debug)]
pub(crate) struct Registry {
    child: Child,
    host: String,
    log: PathBuf,
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.child.kill().unwrap_or_default();
        self.child.wait().map(|_| ()).unwrap_or_default();
    }
}

impl Registry {
    /// Without TLS, for everybody.
    pub(crate) fn plain(storage: &Storage) -> Self {
        Self::start(storage, &Setup::default())
    }

    /// With TLS from a private CA, for everybody.
    pub(crate) fn tls(storage: &Storage) -> Self {
        let setup = Setup {
            tls: true,
            ..Setup::default()
        };
        Self::start(storage, &setup)
    }

    /// With TLS from a private CA, and a login.
    pub(crate) fn locked(storage: &Storage) -> Self {
        let setup = Setup {
            tls: true,
            login: true,
            ..Setup::default()
        };
        Self::start(storage, &setup)
    }

    /// Starts a registry on a free port; another program may take the port first, so it is tried again.
    pub(crate) fn start(storage: &Storage, setup: &Setup) -> Self {
        for _ in 0..5 {
            if let Some(registry) = Self::serve(storage, setup) {
                return registry;
            }
        }
        panic!("docker-registry ends at once, five times on five ports");
    }

    fn serve(storage: &Storage, setup: &Setup) -> Option<Self> {
        let ip = setup.ip.as_deref().unwrap_or("127.0.0.1");
        let host = free_address_of(ip);
        // Several registries may serve one storage.
        let name = host.replace(':', "-");
        let file = storage.path(&format!("{name}.yml"));
        let log = PathBuf::from(storage.path(&format!("{name}.log")));
        // JSON is YAML.
        std::fs::write(&file, config(storage, setup, ip, &host).to_string()).unwrap();
        let mut command = Command::new("docker-registry");
        command.args(["serve", &file]).env_clear();
        command
            .stdout(File::create(&log).unwrap())
            .stderr(Stdio::null());
        let child = command.spawn().expect("docker-registry is installed");
        let mut registry = Self { child, host, log };
        let start = Instant::now();
        while TcpStream::connect(&registry.host).is_err() {
            if registry.child.try_wait().unwrap().is_some() {
                return None;
            }
            assert!(start.elapsed() < Duration::from_secs(60), "no registry");
            std::thread::sleep(Duration::from_millis(10));
        }
        Some(registry)
    }

    /// `ip:port`.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Every request that it answered so far, in the order of the answers' ends.
    pub(crate) fn requests(&self) -> Vec<Request> {
        log::read(&std::fs::read_to_string(&self.log).unwrap())
    }
}

fn config(storage: &Storage, setup: &Setup, ip: &str, host: &str) -> Value {
    let mut http = json!({"addr": host});
    if setup.tls {
        let (certificate, key) = storage.certify(ip);
        http["tls"] = json!({"certificate": certificate, "key": key});
        if setup.certificate {
            http["tls"]["clientcas"] = json!([storage.ca()]);
        }
    }
    let mut config = json!({
        "version": "0.1",
        "log": {"level": "error", "accesslog": {"disabled": false}},
        "storage": {"filesystem": {"rootdirectory": storage.path("images")}},
        "http": http,
    });
    if setup.login {
        let path = storage.path("htpasswd");
        std::fs::write(&path, HTPASSWD).unwrap();
        config["auth"] = json!({"htpasswd": {"realm": "test", "path": path}});
    }
    config
}
