//! Keys and signatures made by the real gpg in a directory of its own.
//! Separate because whoever signs in a test needs the fingerprint, the public half and the signature alike.

use std::path::Path;
use std::process::{Command, Output};

/// A key pair that dies with the value.
pub(crate) struct Signer {
    home: tempfile::TempDir,
    /// Fingerprint of its primary key.
    pub(crate) fingerprint: String,
}

impl Signer {
    /// A new key.
    pub(crate) fn new(algorithm: &str) -> Self {
        // In /tmp, because the key agent's socket has a short path limit.
        let home = tempfile::tempdir_in("/tmp").unwrap();
        let mut signer = Self {
            home,
            fingerprint: String::new(),
        };
        signer.gpg(&[
            "--quick-generate-key",
            "test <t@example.org>",
            algorithm,
            "sign",
            "never",
        ]);
        let list = signer.gpg(&["--with-colons", "--fingerprint"]).stdout;
        let list = String::from_utf8(list).unwrap();
        let line = list.lines().find(|line| line.starts_with("fpr:")).unwrap();
        line.trim_start_matches("fpr:")
            .trim_matches(':')
            .clone_into(&mut signer.fingerprint);
        signer
    }

    /// The public key, armoured.
    pub(crate) fn public(&self) -> String {
        String::from_utf8(self.gpg(&["--armor", "--export"]).stdout).unwrap()
    }

    /// The public key, binary.
    pub(crate) fn binary(&self) -> Vec<u8> {
        self.gpg(&["--export"]).stdout
    }

    /// Signs a file in the clear.
    pub(crate) fn clearsign(&self, from: &Path, to: &Path) {
        let (from, to) = (from.to_str().unwrap(), to.to_str().unwrap());
        self.gpg(&["--output", to, "--clearsign", from]);
    }

    fn gpg(&self, args: &[&str]) -> Output {
        let mut command = Command::new("gpg");
        command.env("GNUPGHOME", self.home.path());
        command.args(["--batch", "--yes", "--quiet", "--pinentry-mode", "loopback"]);
        let out = command
            .args(["--passphrase", ""])
            .args(args)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.success(), "gpg {args:?}: {said}");
        out
    }
}

impl Drop for Signer {
    /// The agent was started for this key only, and dies with it.
    fn drop(&mut self) {
        let mut stop = Command::new("gpgconf");
        stop.env("GNUPGHOME", self.home.path());
        stop.args(["--kill", "gpg-agent"]).status().ok();
    }
}
