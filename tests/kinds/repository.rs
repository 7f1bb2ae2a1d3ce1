//! Kind `repository`: files of both families, and keys of the real gpg that are pinned or refused.
//! It is separate because nothing may be written before the key is proved.

use nodeagent::host::Manager;
use nodeagent::resource::repository::Repository;
use nodeagent::resource::{Kind as _, Place};

use super::{Bench, lines, snapshot, steps};
use crate::support::openpgp::Signer;

fn repository(fingerprint: &str) -> Repository {
    serde_json::from_value(serde_json::json!({
        "name": "site",
        "uris": ["https://packages.example/deb"],
        "suites": ["stable"],
        "components": ["main", "extra"],
        "baseurl": "https://packages.example/el9/$basearch",
        "key_file": "/root/site.key",
        "fingerprint": fingerprint,
    }))
    .unwrap()
}

#[test]
fn a_pinned_key_and_the_source_are_written_for_either_family() {
    let signer = Signer::new("rsa2048");
    for (manager, key, source, want) in [
        (
            Manager::Apt,
            "/etc/apt/keyrings/site.asc",
            "/etc/apt/sources.list.d/site.sources",
            "Types: deb\nURIs: https://packages.example/deb\nSuites: stable\nComponents: main extra\n\
             Signed-By: /etc/apt/keyrings/site.asc\n",
        ),
        (
            Manager::Dnf,
            "/etc/pki/rpm-gpg/RPM-GPG-KEY-site",
            "/etc/yum.repos.d/site.repo",
            "[site]\nname=site\nbaseurl=https://packages.example/el9/$basearch\nenabled=1\ngpgcheck=1\n\
             repo_gpgcheck=0\ngpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-site\n",
        ),
    ] {
        let bench = Bench::new();
        bench.fakes.packages.edit().manager = Some(manager);
        bench.put("/root/site.key", "");
        std::fs::write(bench.at("/root/site.key"), signer.binary()).unwrap();
        let wanted = repository(&signer.fingerprint.to_lowercase());
        let diff = bench.diff(&wanted, Place::Build);
        assert_eq!(
            lines(&diff),
            [
                format!("{key}: absent -> {}", signer.fingerprint),
                format!("{source}: absent -> as the policy says")
            ]
        );
        assert_eq!(steps(&diff), ["write the pinned key", "write the source"]);
        bench.settle(&wanted, Place::Build).unwrap();
        assert!(bench.text(source).ends_with(want), "{}", bench.text(source));
        assert_eq!(bench.text(key), signer.public(), "as gpg itself armours it");
        // The key's file was needed once; what is in place proves itself.
        std::fs::remove_file(bench.at("/root/site.key")).unwrap();
        assert!(bench.diff(&wanted, Place::Image).conforms());
        for (path, what) in [(key, "not only root"), (source, "not only root")] {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = |mode| std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(bench.at(path), mode(0o666)).unwrap();
            let found = lines(&bench.diff(&wanted, Place::Build)).join("\n");
            assert!(found.contains(path) && found.contains(what), "{found}");
            std::fs::set_permissions(bench.at(path), mode(0o644)).unwrap();
        }
        bench.put(source, "Types: deb\n");
        let found = lines(&bench.diff(&wanted, Place::Node));
        assert_eq!(
            found,
            [format!("{source}: other content -> as the policy says")]
        );
        bench.settle(&wanted, Place::Node).unwrap();
    }
}

#[test]
fn another_key_or_one_more_is_refused_and_nothing_is_written() {
    let (signer, other) = (Signer::new("ed25519"), Signer::new("ed25519"));
    let both = format!("{}{}", signer.public(), other.public());
    let table = [
        (Some(other.public()), other.fingerprint.as_str()),
        (Some(both), "2 keys"),
        (Some("-----BEGIN PGP".to_owned()), "no key"),
        (None, "absent"),
    ];
    for (file, why) in table {
        let bench = Bench::new();
        if let Some(text) = &file {
            bench.put("/root/site.key", text);
        }
        let wanted = repository(&signer.fingerprint);
        let diff = bench.diff(&wanted, Place::Build);
        let found = lines(&diff).join("\n");
        assert!(
            found.contains("the key in /root/site.key") && found.contains(why),
            "{found}"
        );
        assert_eq!(steps(&diff), Vec::<String>::new());
    }
    // A key that changes between looking and writing is not written either.
    let bench = Bench::new();
    bench.put("/root/site.key", &signer.public());
    let wanted = repository(&signer.fingerprint);
    let diff = bench.diff(&wanted, Place::Build);
    bench.put("/root/site.key", &other.public());
    let before = snapshot(bench.dir.path());
    let error = Repository::apply(&[(&wanted, &diff.actions[0])], &bench.host).unwrap_err();
    assert!(
        error.one_line().contains("changed since it was judged"),
        "{error}"
    );
    assert_eq!(before, snapshot(bench.dir.path()));
}

#[test]
fn an_unsigned_source_is_written_by_explicit_word_only_and_told() {
    let bench = Bench::new();
    let unsigned: Repository = serde_json::from_value(serde_json::json!({
        "name": "lab", "uris": ["file:/srv/lab"], "suites": ["./"], "unsigned": true,
    }))
    .unwrap();
    bench.settle(&unsigned, Place::Build).unwrap();
    let text = bench.text("/etc/apt/sources.list.d/lab.sources");
    assert!(text.ends_with("Suites: ./\nTrusted: yes\n"), "{text}");
    let diff = bench.diff(&unsigned, Place::Node);
    assert!(diff.not_applicable[0].why.contains("unsigned"), "{diff:?}");
    bench.fakes.packages.edit().manager = Some(Manager::Dnf);
    let diff = bench.diff(&unsigned, Place::Build);
    assert!(diff.actions.is_empty());
    assert_eq!(diff.not_applicable[0].what, nodeagent::resource::ENTRY);
}
