//! A registry that wants to be shown a certificate, as registries.yaml names it.
//! It is separate because the registry is a real one, and refuses before any question is asked.

use std::fmt::Write as _;
use std::path::PathBuf;

use nodeagent::host::failure::{Class, Failure};
use nodeagent::host::oci::Name;
use nodeagent::host::registry::{Access, Puller};

use super::{access, document, puller, said};
use crate::support::images::small::tiny;
use crate::support::registry::{Registry, Setup, Storage};

/// registries.yaml with TLS files for a host.
fn yaml(dir: &std::path::Path, host: &str, files: &[(&str, &str)]) -> PathBuf {
    let mut text = format!("configs:\n  {host:?}:\n    tls:\n");
    for (key, file) in files {
        writeln!(text, "      {key}: {file}").unwrap();
    }
    let path = dir.join(format!("registries-{}.yaml", files.len()));
    std::fs::write(&path, text).unwrap();
    path
}

fn asked(registries: PathBuf, name: &Name) -> Result<(), Failure> {
    let access = Access {
        registries: Some(registries),
        ..access(&[])
    };
    document(&puller(&access), name, name.version()).map(drop)
}

#[test]
fn a_certificate_of_registries_yaml_is_shown_to_a_registry_that_wants_one() {
    let dir = tempfile::tempdir().unwrap();
    let storage = Storage::new(dir.path());
    let image = tiny("k8s/a:1", "one");
    Registry::plain(&storage).push(&image);
    let setup = Setup {
        tls: true,
        certificate: true,
        ..Setup::default()
    };
    let registry = Registry::start(&storage, &setup);
    let host = registry.host();
    let name = Name::parse(&image.pinned(host)).unwrap();
    let (cert, key) = storage.client();
    let ca = storage.ca();
    let all = [
        ("ca_file", ca.as_str()),
        ("cert_file", &cert),
        ("key_file", &key),
    ];
    asked(yaml(dir.path(), host, &all), &name).unwrap_or_else(|f| panic!("{}", said(&f)));
    // Nobody is let in without, nor under another authority's certificate.
    let failure = asked(yaml(dir.path(), host, &all[..1]), &name).unwrap_err();
    assert_eq!(failure.class, Class::Tls, "{}", said(&failure));
    let text = said(&failure);
    assert!(text.to_lowercase().contains("certificate"), "{text}");
    let elsewhere = tempfile::tempdir().unwrap();
    let other = Storage::new(elsewhere.path());
    drop(Registry::tls(&other));
    let (cert, key) = other.client();
    let foreign = [
        ("ca_file", ca.as_str()),
        ("cert_file", &cert),
        ("key_file", &key),
    ];
    let failure = asked(yaml(elsewhere.path(), host, &foreign), &name).unwrap_err();
    assert_eq!(failure.class, Class::Tls, "{}", said(&failure));
}

#[test]
fn a_certificate_that_cannot_be_shown_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let storage = Storage::new(dir.path());
    drop(Registry::tls(&storage));
    let (cert, key) = storage.client();
    let (_, other) = {
        let elsewhere = Storage::new(&dir.path().join("registry"));
        drop(Registry::tls(&elsewhere));
        elsewhere.client()
    };
    let junk = dir.path().join("junk").display().to_string();
    std::fs::write(&junk, "no PEM at all").unwrap();
    let name = Name::parse("127.0.0.1:9/k8s/a:1").unwrap();
    let table = [
        (junk.as_str(), key.as_str(), junk.as_str()),
        (&cert, &junk, &junk),
        (&cert, "/no/such.key", "/no/such.key"),
        (&cert, &other, &cert),
    ];
    for (cert, key, named) in table {
        let files = [("cert_file", cert), ("key_file", key)];
        let failure = asked(yaml(dir.path(), "127.0.0.1:9", &files), &name).unwrap_err();
        let text = said(&failure);
        assert_eq!(failure.class, Class::Tls, "{text}");
        assert!(text.contains(named), "{named}: {text}");
    }
    // Half of a pair is a mistake of the file.
    let half = yaml(dir.path(), "127.0.0.1:9", &[("cert_file", &cert)]);
    let access = Access {
        registries: Some(half),
        ..access(&[])
    };
    let error = Puller::new(&access).unwrap_err();
    assert!(error.one_line().contains("belong together"), "{error}");
}
