//! Where registries keep their images, their certificates and their configuration.
//! It is separate because it outlives any one registry: several may serve one storage, at once or later.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::support::machine::run::ok;

/// A directory that registries serve.
#[derive(Debug, Clone)]
pub(crate) struct Storage {
    dir: PathBuf,
}

impl Storage {
    /// A new, empty storage below a directory.
    pub(crate) fn new(dir: &Path) -> Self {
        let dir = dir.join("registry");
        std::fs::create_dir(&dir).unwrap();
        Self { dir }
    }

    /// Images that lie in `images` are served, and everything else is kept in `dir`.
    pub(crate) fn of(images: &Path, dir: &Path) -> Self {
        let storage = Self::new(dir);
        std::os::unix::fs::symlink(images, storage.path("images")).unwrap();
        storage
    }

    /// A file or directory of the storage.
    pub(crate) fn path(&self, name: &str) -> String {
        self.dir.join(name).display().to_string()
    }

    /// The CA's certificate; there once a registry with TLS was started.
    pub(crate) fn ca(&self) -> String {
        self.path("ca.pem")
    }

    /// A certificate for an address, and its key, of the storage's CA.
    pub(super) fn certify(&self, ip: &str) -> (String, String) {
        self.issue(&format!("tls-{ip}"), &format!("subjectAltName=IP:{ip}"))
    }

    /// A certificate that a client can show, and its key, of the storage's CA.
    pub(crate) fn client(&self) -> (String, String) {
        self.issue("client", "extendedKeyUsage=clientAuth")
    }

    fn issue(&self, name: &str, more: &str) -> (String, String) {
        let openssl = |args: &str| {
            let mut command = Command::new("openssl");
            command.args(args.split(' ')).current_dir(&self.dir);
            ok(&mut command, Duration::from_secs(60)).unwrap();
        };
        let new = "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
        if !self.dir.join("ca.pem").exists() {
            openssl(&format!(
                "{new} -x509 -subj /CN=ca -keyout ca.key -out ca.pem"
            ));
        }
        openssl(&format!(
            "{new} -subj /CN={name} -keyout {name}.key -out {name}.csr"
        ));
        let extensions = format!("basicConstraints=CA:FALSE\n{more}\n");
        std::fs::write(self.dir.join("extensions"), extensions).unwrap();
        let sign = format!("x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial");
        openssl(&format!("{sign} -extfile extensions -out {name}.pem"));
        let path = |kind: &str| self.path(&format!("{name}.{kind}"));
        (path("pem"), path("key"))
    }
}
