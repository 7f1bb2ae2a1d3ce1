//! Mirrors of registries.yaml, asked: the table of what it means is beside the code.
//! They are separate because several registries take part.

use nodeagent::host::failure::Class;
use nodeagent::host::oci::Name;
use nodeagent::host::registry::Access;

use super::{access, blob, document, is_whole, noise, puller, told};
use crate::support::images::small::tiny;
use crate::support::lying::{Demand, Lie, Lying};

/// Access by this registries.yaml.
fn through(mut access: Access, file: &str) -> (Access, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("registries.yaml");
    std::fs::write(&path, file).unwrap();
    access.registries = Some(path);
    (access, dir)
}

/// A mirror and the registry itself, and a name at the latter.
fn pair() -> (Lying, Lying, Name) {
    let (mirror, registry) = (Lying::on("127.0.0.2"), Lying::start());
    let name = Name::parse(&format!("{}/k8s/a:1", registry.host())).unwrap();
    (mirror, registry, name)
}

fn file(mirror: &Lying, registry: &Lying, more: &str) -> String {
    format!(
        "mirrors:\n  \"{}\":\n    endpoint: [\"http://{}\"]\n{more}",
        registry.host(),
        mirror.host()
    )
}

#[test]
fn a_mirror_is_asked_by_the_name_it_has_there_and_told_for_whom() {
    let (mirror, registry, name) = pair();
    mirror.hold(&tiny("cache/k8s/a:1", "one"));
    let wanted = mirror.blob(&noise(100_000));
    let rewrite = "    rewrite:\n      \"^k8s/(.*)\": \"cache/k8s/$1\"\n";
    let (access, _dir) = through(access(&[&registry]), &file(&mirror, &registry, rewrite));
    let puller = puller(&access);
    document(&puller, &name, "1").unwrap();
    is_whole(&blob(&puller, &name, &wanted).unwrap(), &wanted);
    assert!(registry.asked("").is_empty());
    let ns = format!("?ns={}", registry.host().replace(':', "%3A"));
    for asked in mirror.asked("") {
        assert!(
            asked.target.starts_with("/v2/cache/k8s/a/"),
            "{}",
            asked.target
        );
        assert!(asked.target.ends_with(&ns), "{}", asked.target);
    }
}

#[test]
fn what_a_mirror_does_not_give_is_had_from_the_next_by_the_original_name() {
    let bad = [
        Lie::Status(404, vec![]),
        Lie::Status(500, vec![]),
        Lie::Status(403, vec![]),
        Lie::HangUp,
        Lie::Corrupt,
    ];
    for lie in bad {
        let (mirror, registry, name) = pair();
        let image = tiny("k8s/a:1", "one");
        mirror.hold(&image);
        registry.hold(&image);
        mirror.always("/manifests/", lie.clone());
        let (access, _dir) = through(access(&[&registry]), &file(&mirror, &registry, ""));
        let got = document(&puller(&access), &name, &image.top.digest).unwrap();
        assert_eq!(got.digest.as_str(), image.top.digest, "{lie:?}");
        assert!(!mirror.asked("/manifests/").is_empty());
        assert!(!registry.asked("")[0].target.contains("ns="));
    }
}

#[test]
fn a_blob_that_breaks_at_the_mirror_goes_on_at_the_registry() {
    let (mirror, registry, name) = pair();
    let bytes = noise(300_000);
    let wanted = mirror.blob(&bytes);
    registry.blob(&bytes);
    mirror.always("/blobs/", Lie::Truncate(100_000));
    let (access, _dir) = through(access(&[&registry]), &file(&mirror, &registry, ""));
    is_whole(&blob(&puller(&access), &name, &wanted).unwrap(), &wanted);
    let asked = registry.asked("/blobs/");
    assert_eq!(asked[0].header("range"), Some("bytes=100000-299999"));
}

#[test]
fn each_endpoint_gets_its_own_login_and_no_other() {
    let (mirror, registry, name) = pair();
    mirror.demand(Demand::basic("m", "mirror-secret"));
    registry.demand(Demand::basic("r", "registry-secret"));
    registry.hold(&tiny("k8s/a:1", "one"));
    let configs = format!(
        "configs:\n  \"{}\":\n    auth: {{username: m, password: mirror-secret}}\n  \"{}\":\n    auth: {{username: r, password: registry-secret}}\n",
        mirror.host(),
        registry.host()
    );
    let (access, _dir) = through(access(&[&registry]), &file(&mirror, &registry, &configs));
    document(&puller(&access), &name, "1").unwrap();
    // base64 of `m:mirror-secret` and of `r:registry-secret`
    for (who, want) in [
        (&mirror, "Basic bTptaXJyb3Itc2VjcmV0"),
        (&registry, "Basic cjpyZWdpc3RyeS1zZWNyZXQ="),
    ] {
        let shown: Vec<_> = who
            .asked("")
            .iter()
            .filter_map(|a| a.header("authorization").map(str::to_owned))
            .collect();
        assert_eq!(shown, [want]);
    }
}

#[test]
fn all_that_failed_is_told_and_the_first_endpoint_says_the_class() {
    let (mirror, registry, name) = pair();
    registry.always("", Lie::Status(500, vec![]));
    let (mut access, _dir) = through(access(&[&registry]), &file(&mirror, &registry, ""));
    let got = document(&puller(&access), &name, "1");
    let parts = ["HTTP 404", "HTTP 500", &mirror.host(), &registry.host()];
    told(got.map(|fetched| fetched.bytes), Class::NotFound, &parts);
    // Who has nothing is asked once, who fails as often as may be.
    assert_eq!((mirror.asked("").len(), registry.asked("").len()), (1, 3));
    access.mirrors_only = true;
    assert!(document(&puller(&access), &name, "1").is_err());
    assert_eq!((mirror.asked("").len(), registry.asked("").len()), (2, 3));
}

#[test]
fn a_file_that_is_none_is_a_usage_error() {
    let text = "mirrors: [secret";
    let (access, _dir) = through(Access::default(), text);
    let error = nodeagent::host::registry::Puller::new(&access).unwrap_err();
    assert_eq!(error.exit().code(), 2);
    assert!(
        error.one_line().contains("registries.yaml"),
        "{}",
        error.one_line()
    );
    assert!(!error.one_line().contains("secret"), "{}", error.one_line());
}
