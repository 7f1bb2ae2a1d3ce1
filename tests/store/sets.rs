//! The small set of images over every kind of registry, read back by a program that is not ours.
//! It is separate because every other test of this tier trusts the maker of images and the registries.

use std::process::Command;
use std::time::Duration;

use crate::support::images::small::small;
use crate::support::machine::run::{Done, run};
use crate::support::registry::{PASSWORD, Registry, Storage, USER};

fn skopeo(args: &[&str]) -> Done {
    let mut command = Command::new("skopeo");
    run(command.args(args), Duration::from_secs(60)).unwrap()
}

#[test]
fn the_small_set_is_as_another_reader_wants_it() {
    let dir = tempfile::tempdir().unwrap();
    let storage = Storage::new(dir.path());
    let registry = Registry::plain(&storage);
    for image in small(b"a program") {
        assert_eq!(registry.push(&image), image.top.digest);
        let from = format!("docker://{}", image.tagged(registry.host()));
        let to = format!("dir:{}", dir.path().join("copy").display());
        let args = ["copy", "--quiet", "--all", "--src-tls-verify=false"];
        let done = skopeo(&[&args[..], &[&from, &to]].concat());
        assert_eq!(done.code, 0, "{from}: {}", done.stderr);
        let name = image.top.digest.replace("sha256:", "");
        let written = dir.path().join("copy/manifest.json");
        let bytes = std::fs::read(written).unwrap();
        assert_eq!(nodeagent::host::root::sha256(&bytes), name, "{from}");
        std::fs::remove_dir_all(dir.path().join("copy")).unwrap();
    }
    let asked = registry.requests();
    assert!(
        asked
            .iter()
            .any(|r| r.is_blob() && r.status == 200 && r.bytes > 0)
    );
    assert!(asked.iter().any(|r| r.method == "PUT" && r.status == 201));
}

#[test]
fn a_locked_registry_gives_nothing_without_its_ca_and_login() {
    let dir = tempfile::tempdir().unwrap();
    let storage = Storage::new(dir.path());
    let image = &small(b"a program")[0];
    Registry::plain(&storage).push(image);
    let registry = Registry::locked(&storage);
    let from = format!("docker://{}", image.tagged(registry.host()));
    let certificates = dir.path().join("certificates");
    std::fs::create_dir(&certificates).unwrap();
    let known = ["--cert-dir", certificates.to_str().unwrap()];
    let login = format!("{USER}:{PASSWORD}");
    let inspect = |ca: bool, login: &[&str]| {
        let known: &[&str] = if ca { &known } else { &[] };
        skopeo(&[&["inspect", "--raw"], known, login, &[&from]].concat())
    };
    let creds = ["--creds", &login];
    assert_ne!(inspect(true, &creds).code, 0, "the directory is empty yet");
    std::fs::copy(storage.ca(), certificates.join("ca.crt")).unwrap();
    assert_ne!(inspect(false, &creds).code, 0);
    assert_ne!(inspect(true, &[]).code, 0);
    let done = inspect(true, &creds);
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert_eq!(done.stdout.as_bytes(), image.top.bytes);
}
