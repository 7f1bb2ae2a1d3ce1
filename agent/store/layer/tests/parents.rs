//! What directories that no entry made inherit, from which layer, and what not.
//! It is separate because it takes several layers.

use std::os::fd::AsFd as _;
use std::path::Path;

use super::*;

/// The trees of layers on top of each other, the lowest first; the outcome of the last.
fn stack(layers: Vec<Tar>) -> (Vec<tempfile::TempDir>, Result<(), Failure>) {
    let mut dirs: Vec<tempfile::TempDir> = Vec::new();
    let mut outcome = Ok(());
    for tar in layers {
        let (dir, written) = unpack_as(&tar.end(), dirs.is_empty(), usize::MAX).unwrap();
        let lowers: Vec<_> = dirs.iter().rev().map(|dir| open(dir.path())).collect();
        outcome = settle_parents(open(dir.path()).as_fd(), &written, &lowers);
        dirs.push(dir);
    }
    (dirs, outcome)
}

/// The tree of the topmost layer.
fn top(layers: Vec<Tar>) -> BTreeMap<String, Node> {
    let (dirs, outcome) = stack(layers);
    outcome.unwrap();
    look(dirs.last().unwrap().path())
}

fn special(name: &str, mode: i64) -> Tar {
    Tar::default()
        .pax(&[("SCHILY.xattr.user.k", b"low"), ("atime", b"2000000000")])
        .add(entry(b'5', name).mode(mode).owner(7, 8))
}

#[test]
fn the_nearest_layer_that_has_the_directory_counts() {
    let found = top(vec![
        special("d", 0o700).dir("only"),
        special("d", 0o3775),
        Tar::default().file("unrelated", ""),
        Tar::default().file("d/only/x", "").file("only/x", ""),
    ]);
    let d = &found["d"];
    assert_eq!((d.mode, d.uid, d.gid), (0o3775, 7, 8));
    assert_eq!(d.xattrs["user.k"], b"low");
    // Below it there is none to inherit from.
    let only = &found["d/only"];
    assert_eq!((only.mode, only.uid, only.gid), (0o755, 0, 0));
    assert_eq!((found["only"].mode, found["d/only/x"].uid), (0o755, 0));
}

#[test]
fn a_directory_in_which_nothing_was_put_keeps_the_time_as_well() {
    let low = || special("d", 0o700).add(entry(b'5', "e").mtime(5));
    let found = top(vec![
        low(),
        Tar::default().file("d/.wh..wh..opq", "").file("e/x", ""),
    ]);
    assert_eq!(found["d"].mtime, (1_000_000_000, 0));
    assert_eq!(found["d"].xattrs["trusted.overlay.opaque"], b"y");
    assert!(found["e"].mtime.0 > 1_700_000_000, "{:?}", found["e"].mtime);
    // Where there is nothing to inherit it was made just now.
    let alone = tree(&Tar::default().file("d/.wh..wh..opq", "").end());
    assert!(alone["d"].mtime.0 > 1_700_000_000, "{:?}", alone["d"].mtime);
}

#[test]
fn an_entry_that_comes_late_counts_and_inherits_attributes_only() {
    let late = Tar::default()
        .file("d/x", "")
        .pax(&[("SCHILY.xattr.user.own", b"1")])
        .add(entry(b'5', "d").mode(0o711).mtime(9));
    let found = top(vec![special("d", 0o700), late]);
    let d = &found["d"];
    assert_eq!((d.mode, d.uid, d.mtime), (0o711, 0, (9, 0)));
    assert_eq!(
        (&d.xattrs["user.k"][..], &d.xattrs["user.own"][..]),
        (&b"low"[..], &b"1"[..])
    );
}

#[test]
fn what_was_replaced_below_is_not_inherited() {
    let table = [
        ("a file", Tar::default().file("d", "")),
        ("a whiteout", Tar::default().file(".wh.d", "")),
        (
            "a link to a file",
            Tar::default().file("f", "").add(entry(b'2', "d").link("f")),
        ),
    ];
    for (name, middle) in table {
        let found = top(vec![
            special("d", 0o700),
            middle,
            Tar::default().file("d/x", ""),
        ]);
        assert_eq!((found["d"].mode, found["d"].uid), (0o755, 0), "{name}");
    }
    // Links are followed inside the layer that has them.
    let linked = special("real", 0o700).add(entry(b'2', "d").link("/real"));
    assert_eq!(
        top(vec![linked, Tar::default().file("d/x", "")])["d"].mode,
        0o700
    );
    let nowhere = Tar::default().add(entry(b'2', "d").link("/nowhere"));
    let found = top(vec![
        special("d", 0o700),
        nowhere,
        Tar::default().file("d/x", ""),
    ]);
    assert_eq!(found["d"].mode, 0o700);
}

#[test]
fn containerd_fails_below_what_was_replaced_and_so_do_we() {
    let (_, outcome) = stack(vec![
        Tar::default().file("d", ""),
        Tar::default().file("d/e/x", ""),
    ]);
    assert_eq!(
        outcome.unwrap_err().class,
        crate::host::failure::Class::Image
    );
}

#[test]
fn nothing_is_inherited_from_outside_of_a_layer() {
    let outside = tempfile::tempdir().unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o707);
    std::fs::set_permissions(outside.path(), mode).unwrap();
    let way: &Path = outside.path();
    for link in [
        way.to_str().unwrap().to_owned(),
        format!("../..{}", way.display()),
    ] {
        let low = Tar::default().add(entry(b'2', "d").link(&link));
        let found = top(vec![low, Tar::default().file("d/x", "")]);
        assert_eq!(found["d"].mode, 0o755, "{link}");
    }
}
