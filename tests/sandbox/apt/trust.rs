//! A private CA through the real update-ca-certificates.
//! Separate because the fake tool makes no bundle, and the bundle is what counts.

use crate::sandbox::{PROGRAM, debian};
use nodeagent::host::{Context, Host, Where};
use nodeagent::resource::trust::Trust;
use nodeagent::resource::{Kind as _, Place};
use std::path::Path;
use std::process::Command;

#[test]
fn the_bundle_holds_the_certificate_after_one_run() {
    let tree = debian("apt-trust");
    let root = tree.path();
    let (key, cert) = (root.join("root/key.pem"), root.join("root/ca.pem"));
    let mut openssl = Command::new("openssl");
    openssl.args([
        "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3650",
    ]);
    openssl
        .args(["-subj", "/CN=Site CA", "-keyout"])
        .arg(&key)
        .arg("-out")
        .arg(&cert);
    super::run(&mut openssl);
    let mut print = Command::new("openssl");
    print
        .args(["x509", "-noout", "-fingerprint", "-sha256", "-in"])
        .arg(&cert);
    let text = String::from_utf8(print.output().unwrap().stdout).unwrap();
    let hex = text.trim().rsplit_once('=').unwrap().1.replace(':', "");
    let wanted = Trust {
        name: "site".to_owned(),
        certificate: None,
        file: Some("/root/ca.pem".to_owned()),
        sha256: format!("sha256:{}", hex.to_lowercase()),
    };
    let context = Context {
        place: Where::Root,
        evidence: "test".to_owned(),
    };
    let host = Host::open(&root, context, Path::new(PROGRAM)).unwrap();
    let look = || wanted.diff(&wanted.observe(&host).unwrap(), Place::Build);
    let before = look();
    assert_eq!(before.actions.len(), 2);
    for action in &before.actions {
        Trust::apply(&[(&wanted, action)], &host).unwrap();
    }
    assert!(look().conforms(), "{:?}", look());
    // TLS libraries agree.
    let mut verify = Command::new("openssl");
    verify.args(["verify", "-no-CAfile", "-no-CApath", "-CAfile"]);
    super::run(
        verify
            .arg(root.join("etc/ssl/certs/ca-certificates.crt"))
            .arg(&cert),
    );
    // A bundle that somebody made without it is noticed.
    std::fs::write(root.join("etc/ssl/certs/ca-certificates.crt"), "").unwrap();
    assert_eq!(look().actions.len(), 1);
}
