//! What is judged of RKE2, as tables.
//! They are apart from the kind because every way in which it can differ is a row.

use super::*;

const VERSION: &str = "v1.28.15+rke2r1";

fn wanted() -> Artifact {
    Artifact {
        name: "rke2".into(),
        dir: "/tmp/rke2-artifacts".into(),
        version: VERSION.into(),
        arch: default_arch(),
        sums_sha256: String::new(),
        parts: default_parts(),
        cache: false,
    }
}

fn seen() -> Seen {
    Seen {
        receipt: Some(Box::new(Receipt {
            schema: 1,
            version: VERSION.into(),
            prefix: "/usr/local".into(),
            parts: default_parts(),
            sums_sha256: "a".repeat(64),
            artifacts: std::collections::BTreeMap::new(),
            files: std::collections::BTreeMap::new(),
        })),
        authenticated: false,
        read_all: false,
        unreadable: None,
        damage: Vec::new(),
        beside: Vec::new(),
        cache: false,
        source: None,
    }
}

fn judged(wanted: &Artifact, seen: &Seen, place: Place) -> (Vec<String>, usize) {
    let diff = wanted.diff(seen, place);
    let lines = diff.differences.iter();
    let lines = lines.map(|d| format!("{}: {} -> {}", d.what, d.have, d.want));
    (lines.collect(), diff.actions.len())
}

#[test]
fn what_is_installed_is_judged_by_its_receipt() {
    type Change = fn(&mut Artifact, &mut Seen);
    let gone =
        "/tmp/rke2-artifacts: no file of an RKE2 release -> the release's files, to install from";
    let table: &[(&str, Change, &[&str])] = &[
        ("as wanted", |_, _| (), &[]),
        (
            "not installed",
            |_, s| s.receipt = None,
            &[
                "RKE2: absent -> v1.28.15+rke2r1 (binary, images, runtime)",
                gone,
            ],
        ),
        (
            "broken receipt",
            |_, s| {
                s.receipt = None;
                s.unreadable = Some("unreadable: x".into());
            },
            &[
                "RKE2: its receipt is unreadable: x -> v1.28.15+rke2r1 (binary, images, runtime)",
                gone,
            ],
        ),
        (
            "other version",
            |w, _| w.version = "v1.34.2+rke2r1".into(),
            &[
                "RKE2: v1.28.15+rke2r1 (binary, images, runtime) -> v1.34.2+rke2r1 (binary, images, runtime)",
                gone,
            ],
        ),
        (
            "fewer parts, in another order",
            |w, _| w.parts = vec![Part::Runtime, Part::Images],
            &[
                "RKE2: v1.28.15+rke2r1 (binary, images, runtime) -> v1.28.15+rke2r1 (images, runtime)",
                gone,
            ],
        ),
        (
            "another pin",
            |w, _| w.sums_sha256 = format!("sha256:{}", "B".repeat(64)),
            &[
                "sha256sum-amd64.txt: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa -> bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
                gone,
            ],
        ),
        (
            "cache",
            |w, _| w.cache = true,
            &[
                "/var/lib/rancher/rke2/agent/images/.cache.json: absent -> present",
                gone,
            ],
        ),
        (
            "foreign file: no step helps",
            |_, s| s.beside.push("/x".into()),
            &["/x: present -> not there: the release has no such file"],
        ),
        (
            "nothing wanted any more",
            |w, _| w.parts.clear(),
            &["RKE2: v1.28.15+rke2r1 (binary, images, runtime) -> no part of it"],
        ),
    ];
    for (name, change, want) in table {
        let (mut wanted, mut seen) = (wanted(), seen());
        change(&mut wanted, &mut seen);
        let (lines, actions) = judged(&wanted, &seen, Place::Image);
        assert_eq!(
            (
                lines.iter().map(String::as_str).collect::<Vec<_>>(),
                actions
            ),
            (want.to_vec(), 0),
            "{name}"
        );
    }
}

#[test]
fn with_the_release_at_hand_it_is_installed() {
    let mut seen = seen();
    seen.source = Some(Box::default());
    assert_eq!(judged(&wanted(), &seen, Place::Build), (vec![], 0));
    seen.source = Some(Box::new(Listing {
        faults: vec!["x has no line".into()],
        ..Listing::default()
    }));
    assert_eq!(
        judged(&wanted(), &seen, Place::Build),
        (vec![], 0),
        "nothing is to be installed"
    );
    seen.receipt = None;
    let (lines, actions) = judged(&wanted(), &seen, Place::Build);
    assert_eq!((lines.len(), actions), (2, 1), "{lines:?}");
    assert!(lines[1].contains("x has no line"));
}

#[test]
fn nothing_wanted_and_nothing_there_does_not_apply() {
    let (mut wanted, mut seen) = (wanted(), seen());
    wanted.parts.clear();
    seen.receipt = None;
    let diff = wanted.diff(&seen, Place::Build);
    assert!(diff.conforms() && diff.actions.is_empty());
    assert_eq!(diff.not_applicable[0].what, ENTRY);
}

#[test]
fn a_policy_names_a_version_and_a_digest() {
    for (version, right) in [
        (VERSION, true),
        ("v1.34.2-rc1+rke2r1", true),
        ("1.34.2+rke2r1", false),
        ("v1.34.2", false),
        ("v1.34.2+k3s1", false),
        ("v1/../x+rke2r1", false),
        ("latest", false),
    ] {
        let artifact = Artifact {
            version: version.into(),
            ..wanted()
        };
        assert_eq!(artifact.faults().is_empty(), right, "{version}");
    }
    for (pin, right) in [("", true), ("abc", false), ("sha256:", true)] {
        let artifact = Artifact {
            sums_sha256: pin.into(),
            ..wanted()
        };
        assert_eq!(artifact.faults().is_empty(), right, "{pin}");
    }
}
