//! Manifests from a registry that lies.
//! They are separate because a document is proved before it is handed on, and may be asked for by a tag.

use nodeagent::host::failure::Class;
use nodeagent::host::oci::Digest;

use super::{access, document, impatient, name, puller, told};
use crate::support::images::{Dialect, small::tiny};
use crate::support::lying::{Lie, Lying};

const DOCUMENTS: &str = "/manifests/";

/// A registry with `k8s/a:1`, and the digest of its manifest.
fn registry() -> (Lying, String) {
    let registry = Lying::start();
    let image = tiny("k8s/a:1", "one");
    registry.hold(&image);
    (registry, image.top.digest.clone())
}

#[test]
fn tag_and_digest_lead_to_the_same_proved_bytes() {
    let (registry, digest) = registry();
    let puller = puller(&access(&[&registry]));
    let by_tag = document(&puller, &name(&registry), "1").unwrap();
    let by_digest = document(&puller, &name(&registry), &digest).unwrap();
    assert_eq!(by_tag, by_digest);
    assert_eq!(by_tag.digest, Digest::of(&by_tag.bytes));
    assert_eq!(by_tag.media_type, Dialect::Docker.manifest());
    let accept = registry.asked(DOCUMENTS)[0]
        .header("accept")
        .unwrap()
        .to_owned();
    for dialect in [Dialect::Oci, Dialect::Docker] {
        assert!(accept.contains(dialect.manifest()) && accept.contains(dialect.index()));
    }
}

#[test]
fn what_passes_is_survived() {
    let kind = |kind: &str| Lie::Header("Content-Type", kind.to_owned());
    let table = [
        vec![Lie::Corrupt],
        vec![Lie::Truncate(10), Lie::Status(500, vec![])],
        vec![
            Lie::HangUp,
            Lie::Status(429, vec![("Retry-After", "0".to_owned())]),
        ],
        vec![Lie::Resize(5)],
        vec![kind("text/plain")],
        vec![kind("application/json; charset=utf-8")],
        vec![Lie::Excess(Vec::new())],
    ];
    for lies in table {
        let (registry, digest) = registry();
        registry.lie(DOCUMENTS, lies.clone());
        let got = document(&puller(&access(&[&registry])), &name(&registry), &digest);
        let got = got.unwrap_or_else(|failure| panic!("{lies:?}: {}", super::said(&failure)));
        assert_eq!(got.digest.as_str(), digest, "{lies:?}");
    }
}

#[test]
fn every_lie_that_stays_is_an_error_of_its_class() {
    let says = Lie::Header(
        "Docker-Content-Digest",
        format!("sha256:{}", "0".repeat(64)),
    );
    let index = Lie::Header("Content-Type", Dialect::Oci.index().to_owned());
    let table: Vec<(Lie, &str, Class, &str)> = vec![
        (Lie::Corrupt, "@", Class::Digest, "its digest is sha256:"),
        (Lie::Resize(10), "@", Class::Digest, "its digest is sha256:"),
        (
            Lie::Corrupt,
            "1",
            Class::Registry,
            "the answer is no manifest",
        ),
        (says, "1", Class::Digest, "not sha256:0000000000000000"),
        (index, "1", Class::Image, "says of itself"),
        (
            Lie::Resize(9 << 20),
            "@",
            Class::Image,
            "more than 8388608 bytes",
        ),
        (
            Lie::Excess(vec![b' '; 9 << 20]),
            "1",
            Class::Image,
            "more than 8388608 bytes",
        ),
        (
            Lie::Status(404, vec![]),
            "1",
            Class::NotFound,
            "MANIFEST_UNKNOWN",
        ),
        (Lie::Status(500, vec![]), "1", Class::Registry, "HTTP 500"),
        (Lie::HangUp, "1", Class::Network, "3 tries"),
        (Lie::Truncate(10), "1", Class::Network, "3 tries"),
    ];
    for (lie, version, class, part) in table {
        let (registry, digest) = registry();
        registry.always(DOCUMENTS, lie.clone());
        let version = if version == "@" { &digest } else { version };
        let got = document(&puller(&access(&[&registry])), &name(&registry), version);
        let host = registry.host();
        let parts = [
            part,
            &format!("{host}/k8s/a:1"),
            version,
            &format!("from {host}"),
        ];
        told(got.map(|fetched| fetched.bytes), class, &parts);
    }
}

#[test]
fn a_document_that_crawls_is_given_up() {
    for lie in [
        Lie::Silence,
        Lie::Stall(5),
        Lie::Drip(std::time::Duration::from_millis(20)),
    ] {
        let (registry, _) = registry();
        registry.always(DOCUMENTS, lie);
        let mut access = impatient(&[&registry]);
        access.patience.connect = access.patience.answer;
        access.patience.tries = 2;
        let got = document(&puller(&access), &name(&registry), "1");
        told(
            got.map(|fetched| fetched.bytes),
            Class::Timeout,
            &["2 tries"],
        );
    }
}
