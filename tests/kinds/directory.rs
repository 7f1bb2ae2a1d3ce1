//! Kind `directory`: what can be wrong with one, and what is never replaced.
//! It is separate because it follows other rules than files.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};

use nodeagent::resource::directory::Directory;
use nodeagent::resource::{Accept, Place};

use super::{Bench, lines, steps};

const PATH: &str = "/var/lib/app/data";

fn wanted() -> Directory {
    Directory {
        path: PATH.to_owned(),
        mode: "0750".to_owned(),
        owner: "web".to_owned(),
        group: "root".to_owned(),
        accept: Accept::Exact,
    }
}

fn good(bench: &Bench, bits: u32, uid: u32) {
    std::fs::create_dir_all(bench.at(PATH)).unwrap();
    chown(bench.at(PATH), Some(uid), Some(0)).unwrap();
    std::fs::set_permissions(bench.at(PATH), std::fs::Permissions::from_mode(bits)).unwrap();
}

#[test]
fn every_violation_is_seen_and_ended() {
    type Case = (
        &'static str,
        fn(&Bench),
        &'static [&'static str],
        &'static [&'static str],
    );
    let cases: &[Case] = &[
        ("good", |b| good(b, 0o750, 33), &[], &[]),
        (
            "missing",
            |_| (),
            &["directory: absent -> 0750 web:root"],
            &["make the directory, 0750 web:root"],
        ),
        (
            "mode",
            |b| good(b, 0o777, 33),
            &["mode: 0777 -> 0750"],
            &["set 0750 web:root"],
        ),
        (
            "owner",
            |b| good(b, 0o750, 0),
            &["owner: 0 -> web"],
            &["set 0750 web:root"],
        ),
    ];
    for (name, arrange, differences, actions) in cases {
        let bench = Bench::new();
        arrange(&bench);
        let diff = bench.diff(&wanted(), Place::Build);
        assert_eq!(lines(&diff), *differences, "{name}");
        assert_eq!(steps(&diff), *actions, "{name}");
        bench.settle(&wanted(), Place::Build).unwrap();
        let meta = std::fs::metadata(bench.at(PATH)).unwrap();
        assert_eq!((meta.mode(), meta.uid()), (0o040_750, 33), "{name}");
        let parent = std::fs::metadata(bench.at("/var/lib/app")).unwrap();
        assert_eq!((parent.mode() & 0o7777, parent.uid()), (0o755, 0), "{name}");
    }
}

#[test]
fn what_is_in_its_place_is_left_to_a_person() {
    for (kind, arrange) in [
        ("file", (|b| b.put(PATH, "data")) as fn(&Bench)),
        ("symlink", |b| b.link(PATH, "/tmp")),
    ] {
        let bench = Bench::new();
        arrange(&bench);
        let diff = bench.diff(&wanted(), Place::Build);
        assert_eq!(
            lines(&diff),
            [format!(
                "kind: {kind} -> a directory: move the {kind} away first"
            )]
        );
        assert!(diff.actions.is_empty());
    }
}

#[test]
fn at_most_accepts_less() {
    let bench = Bench::new();
    let mut wanted = wanted();
    wanted.accept = Accept::AtMost;
    good(&bench, 0o700, 33);
    assert!(bench.diff(&wanted, Place::Build).conforms());
    good(&bench, 0o755, 33);
    assert_eq!(
        lines(&bench.diff(&wanted, Place::Build)),
        ["mode: 0755 -> 0750 or stricter"]
    );
    bench.settle(&wanted, Place::Build).unwrap();
}

#[test]
fn a_hostile_parent_never_leads_outside() {
    let outside = tempfile::tempdir().unwrap();
    let bench = Bench::new();
    bench.link("/var/lib/app", &outside.path().display().to_string());
    assert!(bench.settle(&wanted(), Place::Build).is_err());
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
}
