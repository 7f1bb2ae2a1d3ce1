//! Kind `file`: each way in which a file can be wrong, and hostile trees.
//! It is separate because it has the longest table.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};

use nodeagent::host::root::sha256;
use nodeagent::resource::file::{Action, File};
use nodeagent::resource::{Accept, Kind as _, Place};

use super::{Bench, lines, steps};

const PATH: &str = "/etc/app/app.conf";

pub(super) fn wanted(content: &str) -> File {
    File {
        path: PATH.to_owned(),
        sha256: sha256(content.as_bytes()),
        content: Some(content.to_owned()),
        source: None,
        mode: "0640".to_owned(),
        owner: "root".to_owned(),
        group: "web".to_owned(),
        accept: Accept::Exact,
        validate: None,
    }
}

fn mode(bench: &Bench, bits: u32) {
    std::fs::set_permissions(bench.at(PATH), std::fs::Permissions::from_mode(bits)).unwrap();
}

fn good(bench: &Bench) {
    bench.put(PATH, "right\n");
    chown(bench.at(PATH), Some(0), Some(34)).unwrap();
    mode(bench, 0o640);
}

/// What is done to a good file, what then differs, and the steps against it.
type Case = (
    &'static str,
    fn(&Bench),
    &'static [&'static str],
    &'static [&'static str],
);

const RIGHT: &str = "sha256:55c97802b397…";

const CASES: &[Case] = &[
    ("nothing", |_| (), &[], &[]),
    (
        "missing",
        |b| std::fs::remove_file(b.at(PATH)).unwrap(),
        &["content: absent -> RIGHT"],
        &["write 6 bytes, 0640 root:web"],
    ),
    (
        "missing with its directory",
        |b| std::fs::remove_dir_all(b.at("/etc/app")).unwrap(),
        &["content: absent -> RIGHT"],
        &["write 6 bytes, 0640 root:web"],
    ),
    (
        "other content",
        |b| std::fs::write(b.at(PATH), "wrong\n").unwrap(),
        &["content: sha256:543df89fec85… -> RIGHT"],
        &["write 6 bytes, 0640 root:web"],
    ),
    (
        "wider mode",
        |b| mode(b, 0o666),
        &["mode: 0666 -> 0640"],
        &["set 0640 root:web"],
    ),
    (
        "stricter mode",
        |b| mode(b, 0o600),
        &["mode: 0600 -> 0640"],
        &["set 0640 root:web"],
    ),
    (
        "setuid",
        |b| mode(b, 0o4640),
        &["mode: 4640 -> 0640"],
        &["set 0640 root:web"],
    ),
    (
        "other owner",
        |b| chown(b.at(PATH), Some(33), Some(0)).unwrap(),
        &["owner: 33 -> root", "group: 0 -> web"],
        &["set 0640 root:web"],
    ),
    (
        "symlink to the right content",
        |b| {
            std::fs::rename(b.at(PATH), b.at("/etc/elsewhere")).unwrap();
            b.link(PATH, "../elsewhere");
        },
        &["kind: symlink -> file"],
        &["write 6 bytes, 0640 root:web"],
    ),
    (
        "dangling symlink",
        |b| {
            std::fs::remove_file(b.at(PATH)).unwrap();
            b.link(PATH, "/nowhere");
        },
        &["kind: symlink -> file"],
        &["write 6 bytes, 0640 root:web"],
    ),
    (
        "pipe",
        |b| {
            std::fs::remove_file(b.at(PATH)).unwrap();
            let bits = nix::sys::stat::Mode::from_bits_truncate(0o600);
            nix::unistd::mkfifo(&b.at(PATH), bits).unwrap();
        },
        &["kind: special file -> file"],
        &["write 6 bytes, 0640 root:web"],
    ),
];

#[test]
fn every_violation_is_seen_and_ended() {
    for (name, spoil, differences, actions) in CASES {
        let bench = Bench::new();
        good(&bench);
        spoil(&bench);
        let file = wanted("right\n");
        let diff = bench.diff(&file, Place::Build);
        let found: Vec<String> = lines(&diff)
            .iter()
            .map(|l| l.replace(RIGHT, "RIGHT"))
            .collect();
        assert_eq!(found, *differences, "{name}");
        assert_eq!(steps(&diff), *actions, "{name}");
        bench.settle(&file, Place::Build).unwrap();
        assert_eq!(bench.text(PATH), "right\n", "{name}");
        let meta = std::fs::symlink_metadata(bench.at(PATH)).unwrap();
        assert_eq!(
            (meta.mode(), meta.uid(), meta.gid()),
            (0o100_640, 0, 34),
            "{name}"
        );
    }
}

#[test]
fn the_target_of_a_replaced_symlink_stays() {
    let bench = Bench::new();
    bench.put("/etc/elsewhere", "theirs");
    bench.link(PATH, "../elsewhere");
    bench.settle(&wanted("right\n"), Place::Build).unwrap();
    assert_eq!(bench.text("/etc/elsewhere"), "theirs");
}

#[test]
fn a_directory_in_the_place_is_left_to_a_person() {
    let bench = Bench::new();
    bench.put("/etc/app/app.conf/precious", "data");
    let diff = bench.diff(&wanted("right\n"), Place::Build);
    assert_eq!(diff.differences[0].what, "kind");
    assert!(
        diff.differences[0]
            .want
            .contains("remove the directory first")
    );
    assert!(diff.actions.is_empty());
}

#[test]
fn at_most_accepts_a_stricter_mode_and_keeps_it() {
    let bench = Bench::new();
    good(&bench);
    let mut file = wanted("right\n");
    file.accept = Accept::AtMost;
    for (bits, differs) in [
        (0o640, false),
        (0o400, false),
        (0o600, false),
        (0o644, true),
        (0o740, true),
        (0o604, true),
    ] {
        mode(&bench, bits);
        assert_eq!(
            !bench.diff(&file, Place::Build).conforms(),
            differs,
            "{bits:o}"
        );
    }
    mode(&bench, 0o400);
    std::fs::write(bench.at(PATH), "wrong\n").unwrap();
    bench.settle(&file, Place::Build).unwrap();
    let meta = std::fs::metadata(bench.at(PATH)).unwrap();
    assert_eq!(meta.mode() & 0o7777, 0o400);
}

#[test]
fn an_unknown_user_is_a_difference_and_then_an_error() {
    let bench = Bench::new();
    let mut file = wanted("right\n");
    file.owner = "chrony".to_owned();
    let diff = bench.diff(&file, Place::Build);
    assert!(lines(&diff).contains(&"owner: no such user -> chrony".to_owned()));
    let error = bench.settle(&file, Place::Build).unwrap_err();
    assert!(error.one_line().contains("chrony"));
    assert!(error.next_step().unwrap().contains("package"));
    good(&bench);
    let diff = bench.diff(&file, Place::Build);
    assert_eq!(lines(&diff), ["owner: 0, and no such owner -> chrony"]);
    assert!(!bench.at("/etc/app/.app.conf.nodeagent").exists());
}

#[test]
fn hostile_parents_never_lead_outside() {
    let outside = tempfile::tempdir().unwrap();
    for target in [
        outside.path().display().to_string(),
        format!("../../../../../../../..{}", outside.path().display()),
    ] {
        let bench = Bench::new();
        bench.link("/etc/app", &target);
        let error = bench.settle(&wanted("right\n"), Place::Build).unwrap_err();
        assert!(
            error.one_line().contains("/etc/app"),
            "{}",
            error.one_line()
        );
        // The same place inside the root is a directory of the tree, and so is used.
        std::fs::create_dir_all(bench.at(&outside.path().display().to_string())).unwrap();
        bench.settle(&wanted("right\n"), Place::Build).unwrap();
        assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
    }
}

#[test]
fn a_file_in_the_place_of_a_parent_is_an_error_that_names_it() {
    let bench = Bench::new();
    bench.put("/etc/app", "a file");
    let error = bench.settle(&wanted("right\n"), Place::Build).unwrap_err();
    assert!(
        error.one_line().contains("/etc/app"),
        "{}",
        error.one_line()
    );
    assert_eq!(bench.text("/etc/app"), "a file");
}

#[test]
fn what_was_seen_has_the_names_of_the_manifest() {
    let bench = Bench::new();
    good(&bench);
    let file = wanted("right\n");
    let seen = serde_json::to_value(file.observe(&bench.host).unwrap()).unwrap();
    let want = serde_json::json!({
        "kind": "file", "mode": "0640", "uid": 0, "gid": 34, "size": 6, "sha256": file.sha256,
    });
    assert_eq!(seen, want);
    std::fs::remove_file(bench.at(PATH)).unwrap();
    let seen = serde_json::to_value(file.observe(&bench.host).unwrap()).unwrap();
    assert_eq!(seen, serde_json::json!({}));
    assert_eq!(
        Action::SetAttr(nodeagent::resource::access::Access {
            mode: 0o7,
            owner: "a".to_owned(),
            group: "b".to_owned(),
        })
        .to_string(),
        "set 0007 a:b"
    );
}
