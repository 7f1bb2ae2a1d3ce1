//! Which package files are chosen, and which keys are trusted.
//! It is separate because the tables are longer than what judges them.

use super::*;

fn file(name: &str, version: &str, provides: &str, requires: &str) -> File {
    let line =
        format!("{name}\t0\t{version}\tnoarch\t{name} {provides}\t{requires}\t/usr/bin/{name} ");
    File::of(&line, &format!("/srv/{name}-{version}.rpm")).unwrap()
}

fn request(name: &str, version: Option<&str>) -> PackageRequest {
    PackageRequest {
        name: name.to_owned(),
        version: version.map(str::to_owned),
        offline: Some("/srv".to_owned()),
    }
}

#[test]
fn only_what_is_needed_is_chosen_and_never_an_older_one() {
    let files = [
        file("a", "1-1", "", "lib.so rpmlib(X) /usr/bin/c (d if e)"),
        file("a", "2-1", "", "lib.so"),
        file("b", "1-1", "lib.so", "a"),
        file("c", "1-1", "", ""),
        file("d", "1-1", "", ""),
        file("other", "1-1", "", ""),
    ];
    let now = Installed {
        version: "3-1".into(),
        arch: "noarch".into(),
        held: false,
        complete: true,
    };
    let newer_b = BTreeMap::from([("b".to_owned(), now)]);
    let none = BTreeMap::new();
    let table = [
        (request("a", None), &none, "/srv/a-2-1.rpm /srv/b-1-1.rpm"),
        (request("a", None), &newer_b, "/srv/a-2-1.rpm"),
        (
            request("a", Some("1-1")),
            &none,
            "/srv/a-1-1.rpm /srv/b-1-1.rpm /srv/c-1-1.rpm /srv/d-1-1.rpm",
        ),
        (request("other", None), &none, "/srv/other-1-1.rpm"),
    ];
    for (wanted, installed, want) in table {
        let found = closure(&files, std::slice::from_ref(&wanted), installed).unwrap();
        assert_eq!(found.join(" "), want, "{wanted:?}");
    }
    for (name, version) in [("gone", None), ("a", Some("9"))] {
        let error = closure(&files, &[request(name, version)], &none).unwrap_err();
        assert!(error.one_line().contains(name) && error.one_line().contains("/srv"));
    }
}

#[test]
fn keys_come_from_enabled_repositories_that_check_them() {
    let repo = "[a]\ngpgcheck=1\ngpgkey=file:///k/a, https://x/y\n file:///k/a2\n[b]\nenabled=0\ngpgkey=file:///k/b\n\
                [c]\ngpgkey = file:///k/c\ngpgcheck = no\n[d]\nenabled=1\ngpgkey=file:///k/d\n";
    assert_eq!(local_keys(repo), ["/k/a", "/k/a2", "/k/d"]);
}
