//! Signed repositories through the kind and the real apt: what is proved is installed, all else refused.
//! Separate because here apt itself judges the signatures that the kind only prepares for.

use super::{PACKAGES, run, sources};
use crate::sandbox::{PROGRAM, debian};
use crate::support::machine::tree::Tree;
use crate::support::openpgp::Signer;
use nodeagent::error::Result;
use nodeagent::host::{Context, Host, PackageRequest, Where};
use nodeagent::resource::repository::Repository;
use nodeagent::resource::{Kind as _, Place};
use std::path::Path;
use std::process::Command;

/// A repository below /srv of a tree, with its release file; signed where somebody signs.
fn publish(tree: &Tree, name: &str, signer: Option<&Signer>) {
    let repository = tree.path().join("srv").join(name);
    std::fs::create_dir_all(&repository).unwrap();
    super::build(&repository);
    let release = Command::new("apt-ftparchive")
        .current_dir(&repository)
        .args(["release", "."])
        .output()
        .unwrap();
    assert!(release.status.success());
    std::fs::write(repository.join("Release"), release.stdout).unwrap();
    if let Some(signer) = signer {
        signer.clearsign(&repository.join("Release"), &repository.join("InRelease"));
    }
}

fn host(tree: &Tree) -> Host {
    let context = Context {
        place: Where::Root,
        evidence: "test".to_owned(),
    };
    Host::open(&tree.path(), context, Path::new(PROGRAM)).unwrap()
}

fn repository(name: &str, key: &Signer) -> Repository {
    serde_json::from_value(serde_json::json!({
        "name": name,
        "uris": [format!("copy:/srv/{name}")],
        "suites": ["./"],
        "key": key.public(),
        "fingerprint": key.fingerprint,
    }))
    .unwrap()
}

fn settle(repository: &Repository, host: &Host) {
    for action in repository
        .diff(&repository.observe(host).unwrap(), Place::Build)
        .actions
    {
        Repository::apply(&[(repository, &action)], host).unwrap();
    }
    let after = repository.diff(&repository.observe(host).unwrap(), Place::Build);
    assert!(after.conforms(), "{after:?}");
}

fn install(host: &Host, name: &str) -> Result<()> {
    host.packages.install(&[PackageRequest {
        name: name.to_owned(),
        version: None,
        offline: None,
    }])
}

#[test]
fn a_signed_repository_is_used_and_a_second_one_is_fetched_before_the_next_install() {
    let tree = debian("apt-signed");
    sources(&tree, "");
    std::fs::write(tree.path().join("etc/apt/sources.list"), "").unwrap();
    let (first, second) = (Signer::new("ed25519"), Signer::new("rsa2048"));
    publish(&tree, "first", Some(&first));
    let host = host(&tree);
    settle(&repository("first", &first), &host);
    install(&host, "extra").unwrap();
    // The newcomer has a package that the first one has not; only its own index can name it.
    publish(&tree, "second", Some(&second));
    let mut control = PACKAGES.iter().map(|(name, ..)| *name);
    assert!(control.all(|name| name != "later"));
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(dir.path().join("DEBIAN")).unwrap();
    let text = "Package: tiny\nVersion: 3.0\nArchitecture: all\nMaintainer: x <x@example.org>\nDescription: x\n";
    std::fs::write(dir.path().join("DEBIAN/control"), text).unwrap();
    let mut deb = Command::new("dpkg-deb");
    deb.args(["--root-owner-group", "-Znone", "--build"])
        .arg(dir.path());
    run(deb.arg(tree.path().join("srv/second")));
    let index = tree.path().join("srv/second");
    let packages = Command::new("apt-ftparchive")
        .current_dir(&index)
        .args(["packages", "."])
        .output();
    std::fs::write(index.join("Packages"), packages.unwrap().stdout).unwrap();
    let release = Command::new("apt-ftparchive")
        .current_dir(&index)
        .args(["release", "."])
        .output();
    std::fs::write(index.join("Release"), release.unwrap().stdout).unwrap();
    second.clearsign(&index.join("Release"), &index.join("InRelease"));
    settle(&repository("second", &second), &host);
    // Without a fetch apt would take the 2.0-1 that it knows, and be content.
    install(&host, "tiny").unwrap();
    assert_eq!(host.packages.installed().unwrap()["tiny"].version, "3.0");
    let lists = std::fs::metadata(tree.path().join("var/lib/apt/lists")).unwrap();
    install(&host, "slow").unwrap();
    let again = std::fs::metadata(tree.path().join("var/lib/apt/lists")).unwrap();
    assert_eq!(
        lists.modified().unwrap(),
        again.modified().unwrap(),
        "nothing is fetched twice"
    );
}

#[test]
fn unsigned_repositories_and_signatures_by_another_key_are_refused() {
    let (owner, stranger) = (Signer::new("ed25519"), Signer::new("ed25519"));
    for (label, by, want) in [
        ("apt-unsigned", None, "is not signed"),
        ("apt-stranger", Some(&stranger), "couldn't be verified"),
    ] {
        let tree = debian(label);
        sources(&tree, "");
        std::fs::write(tree.path().join("etc/apt/sources.list"), "").unwrap();
        publish(&tree, "site", by);
        let host = host(&tree);
        settle(&repository("site", &owner), &host);
        let error = install(&host, "tiny").unwrap_err();
        let said = error.one_line();
        assert!(
            said.contains("/srv/site") && said.contains(want),
            "{label}: {said}"
        );
        assert!(!host.packages.installed().unwrap().contains_key("tiny"));
        // By explicit word it is taken all the same.
        if by.is_none() {
            let mut unsigned = repository("site", &owner);
            (unsigned.key, unsigned.fingerprint, unsigned.unsigned) = (None, None, true);
            settle(&unsigned, &host);
            install(&host, "tiny").unwrap();
        }
    }
}
