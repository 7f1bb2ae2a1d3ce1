//! What containerd's unpacking means beyond one entry: order, replacement, whiteouts, extension records.
//! It is separate because each of these was got wrong by some unpacker.

use super::*;

#[test]
fn a_later_entry_replaces_an_earlier_one() {
    let tar = Tar::default;
    let link = |name: &str| entry(b'2', name).link("x");
    let table = [
        ("file", tar().file("a", "1").file("a", "2"), "a:f"),
        ("file by link", tar().file("a", "1").add(link("a")), "a:l"),
        (
            "link by file",
            tar().add(link("a")).file("a", "1"),
            "a:l a:f",
        ),
        ("link by directory", tar().add(link("a")).dir("a"), "a:d"),
        ("file by directory", tar().file("a", "").dir("a"), "a:d"),
        (
            "file by pipe",
            tar().file("a", "").add(entry(b'6', "a")),
            "a:p",
        ),
        (
            "whiteout by file",
            tar().file(".wh.a", "").file("a", "1"),
            "a:f",
        ),
        (
            "directory by directory",
            tar().dir("a").file("a/b", "").dir("a"),
            "a:d a/b:f",
        ),
        (
            "a tree that no entry made",
            tar().file("a/b/c", "").file("a", ""),
            "a:f",
        ),
    ];
    for (name, layer, want) in table {
        let got = paths(&layer.end());
        assert_eq!(got, want.rsplit("a:l ").next().unwrap(), "{name}");
    }
    let found = tree(
        &tar()
            .file("a", "long")
            .file("b", "")
            .add(entry(b'1', "b").link("a"))
            .file("a", "2")
            .end(),
    );
    // The file was replaced, not written over: its second name keeps what it had.
    assert_eq!(
        (found["a"].content.as_slice(), found["b"].content.as_slice()),
        (&b"2"[..], &b"long"[..])
    );
    assert_eq!((found["a"].links, found["b"].links), (1, 1));
}

#[test]
fn a_deep_tree_is_replaced_with_few_descriptors() {
    let deep = format!("{}f", "d/".repeat(1500));
    let wide = format!("{}g", "d/".repeat(700));
    let tar = Tar::default().file(&deep, "").file(&wide, "");
    let layer = tar.file("d", "flat").end();
    let found = tree(&layer);
    assert_eq!(found["d"].content, b"flat");
    assert_eq!(found.len(), 2);
}

#[test]
fn links_lead_nowhere_but_inside() {
    let layer = Tar::default()
        .dir("etc")
        .add(entry(b'2', "up").link("../../../../etc"))
        .add(entry(b'2', "abs").link("/etc"))
        .file("up/a", "1")
        .file("abs/b", "2")
        .file("../../etc/c", "3")
        .file("/etc/d", "4")
        .file("etc/../../etc/e", "5")
        .end();
    let want = "abs:l etc:d etc/a:f etc/b:f etc/c:f etc/d:f etc/e:f up:l";
    assert_eq!(paths(&layer), want);
}

#[test]
fn a_directory_is_looked_up_anew_after_its_link_changed() {
    let layer = Tar::default()
        .dir("one")
        .dir("two")
        .add(entry(b'2', "l").link("one"))
        .file("l/a", "")
        .add(entry(b'2', "l").link("two"))
        .file("l/b", "")
        .end();
    assert_eq!(paths(&layer), "l:l one:d one/a:f two:d two/b:f");
}

#[test]
fn whiteouts_become_marks_for_overlayfs() {
    let layer = Tar::default()
        .add(entry(b'0', "d/.wh.gone").owner(5, 6))
        .file("d/.wh..wh..opq", "")
        .file(".wh..wh.odd", "with content")
        .end();
    let found = tree(&layer);
    let gone = &found["d/gone"];
    assert_eq!(
        (gone.kind, gone.device, gone.mode, gone.uid, gone.gid),
        ('c', 0, 0, 5, 6)
    );
    assert_eq!(found["d"].xattrs["trusted.overlay.opaque"], b"y");
    assert_eq!(listed(&found), ".wh.odd:c d:d d/gone:c");
}

#[test]
fn a_bottom_layer_has_no_marks() {
    let bottom = |tar: Tar| unpack_as(&tar.end(), true, usize::MAX);
    let layer = Tar::default()
        .dir("d")
        .file("d/a", "")
        .file("d/b", "")
        .file("d/.wh.a", "")
        .file("d/.wh.never", "")
        .file("d/.wh..wh..opq", "");
    let found = look(bottom(layer).unwrap().0.path());
    assert_eq!(listed(&found), "d:d d/b:f");
    assert!(found["d"].xattrs.is_empty());
    // There containerd would remove what no entry made, with all that is in it.
    let odd = Tar::default().file("d/e/f", "").file("d/.wh..wh..opq", "");
    assert!(bottom(odd).unwrap_err().is_unusual());
    let gone = Tar::default().dir("d").file(".wh.d", "");
    bottom(gone).unwrap_err();
}
