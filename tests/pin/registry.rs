//! Real registries on loopback (Debian's docker-registry), filled over their own API.
//! It is separate because how one is started says nothing about pinning.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nodeagent::host::root::sha256;
use serde_json::{Value, json};

use crate::support::machine::run::ok;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// `user` with the password `secret`.
const HTPASSWD: &str = "user:$2y$05$ePlvtUfsFPh.MIaDIZF6muWIzsg/jDmDS7mikiIYyoNfozaYlrkIK\n";

/// An address where nobody listens.
pub(super) fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

/// Where registries keep their images, their certificates and their configuration.
pub(super) struct Storage {
    dir: PathBuf,
}

impl Storage {
    pub(super) fn new(dir: &Path) -> Self {
        let dir = dir.join("registry");
        std::fs::create_dir(&dir).unwrap();
        Self { dir }
    }

    pub(super) fn path(&self, name: &str) -> String {
        self.dir.join(name).display().to_string()
    }

    /// A CA, and a certificate of it for 127.0.0.1.
    fn certify(&self) {
        let openssl = |args: &str| {
            let mut command = Command::new("openssl");
            command.args(args.split(' ')).current_dir(&self.dir);
            ok(&mut command, Duration::from_secs(60)).unwrap();
        };
        let new = "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
        openssl(&format!(
            "{new} -x509 -subj /CN=ca -keyout ca.key -out ca.pem"
        ));
        openssl(&format!(
            "{new} -subj /CN=registry -keyout tls.key -out tls.csr"
        ));
        let names = "basicConstraints=CA:FALSE\nsubjectAltName=IP:127.0.0.1\n";
        std::fs::write(self.dir.join("names"), names).unwrap();
        let sign = "x509 -req -in tls.csr -CA ca.pem -CAkey ca.key -CAcreateserial";
        openssl(&format!("{sign} -extfile names -out tls.pem"));
    }
}

/// A running registry; it ends with the value.
pub(super) struct Registry {
    child: Child,
    host: String,
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Registry {
    /// Without TLS, for everybody.
    pub(super) fn plain(storage: &Storage) -> Self {
        Self::serve(storage, json!({}), json!({}))
    }

    /// With TLS from a private CA, and a login.
    pub(super) fn locked(storage: &Storage) -> Self {
        storage.certify();
        std::fs::write(storage.path("htpasswd"), HTPASSWD).unwrap();
        let tls = json!({"certificate": storage.path("tls.pem"), "key": storage.path("tls.key")});
        let login = json!({"htpasswd": {"realm": "test", "path": storage.path("htpasswd")}});
        Self::serve(storage, json!({"tls": tls}), login)
    }

    fn serve(storage: &Storage, mut http: Value, auth: Value) -> Self {
        let host = free_address();
        http["addr"] = json!(host);
        let mut config = json!({
            "version": "0.1",
            "log": {"level": "error", "accesslog": {"disabled": true}},
            "storage": {"filesystem": {"rootdirectory": storage.path("images")}},
            "http": http,
        });
        if auth.as_object().is_some_and(|auth| !auth.is_empty()) {
            config["auth"] = auth;
        }
        // JSON is YAML.
        let file = storage.path("config.yml");
        std::fs::write(&file, config.to_string()).unwrap();
        let mut command = Command::new("docker-registry");
        command.args(["serve", &file]).env_clear();
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().expect("docker-registry is installed");
        let mut registry = Self { child, host };
        let start = Instant::now();
        while TcpStream::connect(&registry.host).is_err() {
            let ended = registry.child.try_wait().unwrap();
            assert!(ended.is_none(), "docker-registry ended: {ended:?}");
            assert!(start.elapsed() < Duration::from_secs(30), "no registry");
            std::thread::sleep(Duration::from_millis(20));
        }
        registry
    }

    /// `host:port`.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// Pushes an image of one tiny layer and gives the digest of its manifest.
    pub(super) fn push_image(&self, name: &str, tag: &str, content: &str) -> String {
        let (bytes, digest) = self.manifest(name, content);
        self.put_manifest(name, tag, MANIFEST, &bytes);
        digest
    }

    /// Pushes an index with one image an architecture and gives the digest of the index.
    pub(super) fn push_index(&self, name: &str, tag: &str, arches: &[&str]) -> String {
        let entry = |arch: &&str| {
            let (bytes, digest) = self.manifest(name, arch);
            self.put_manifest(name, &digest, MANIFEST, &bytes);
            json!({"mediaType": MANIFEST, "digest": digest, "size": bytes.len(),
                "platform": {"os": "linux", "architecture": arch}})
        };
        let manifests: Vec<Value> = arches.iter().map(entry).collect();
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests});
        let bytes = index.to_string().into_bytes();
        self.put_manifest(name, tag, INDEX, &bytes);
        format!("sha256:{}", sha256(&bytes))
    }

    fn manifest(&self, name: &str, content: &str) -> (Vec<u8>, String) {
        let config = json!({"os": "linux", "architecture": "amd64", "rootfs": {"type": "layers", "diff_ids": []}});
        let layer = self.put_blob(name, content.as_bytes());
        let config = self.put_blob(name, config.to_string().as_bytes());
        let of = |kind: &str, (digest, size): (String, usize)| json!({"mediaType": kind, "digest": digest, "size": size});
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": of("application/vnd.oci.image.config.v1+json", config),
            "layers": [of("application/vnd.oci.image.layer.v1.tar", layer)],
        });
        let bytes = manifest.to_string().into_bytes();
        let digest = format!("sha256:{}", sha256(&bytes));
        (bytes, digest)
    }

    fn put_blob(&self, name: &str, bytes: &[u8]) -> (String, usize) {
        let digest = format!("sha256:{}", sha256(bytes));
        let begun = self.ask("POST", &format!("/v2/{name}/blobs/uploads/"), "", &[]);
        let location = begun.lines().find_map(|l| l.strip_prefix("Location: "));
        let location = location.unwrap_or_else(|| panic!("{begun}"));
        let path = &location[location.find("/v2/").unwrap()..];
        let path = format!("{path}&digest={digest}");
        self.ask("PUT", &path, "application/octet-stream", bytes);
        (digest, bytes.len())
    }

    fn put_manifest(&self, name: &str, tag: &str, kind: &str, bytes: &[u8]) {
        self.ask("PUT", &format!("/v2/{name}/manifests/{tag}"), kind, bytes);
    }

    /// One request over a connection of its own; anything but success ends the test.
    fn ask(&self, verb: &str, path: &str, kind: &str, body: &[u8]) -> String {
        let (host, size) = (&self.host, body.len());
        let head = format!(
            "{verb} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
             Content-Type: {kind}\r\nContent-Length: {size}\r\n\r\n"
        );
        let mut stream = TcpStream::connect(host).unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 20"), "{verb} {path}: {answer}");
        answer.replace('\r', "")
    }
}
