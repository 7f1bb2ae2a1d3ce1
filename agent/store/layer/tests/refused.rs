//! Layers that are refused, and how it is said.
//! It is separate because each line is a way to break the parser or to get out, seen at others or thought of here.

use super::*;

/// A layer, by name, and a part of what must be said of it.
type Case = (&'static str, Vec<u8>, &'static str);

fn all_refused(cases: Vec<Case>) {
    for (name, layer, want) in cases {
        let said = refused(&layer);
        let right = said.starts_with("image: ") && said.contains(want);
        assert!(right, "{name}: {said}");
    }
}

fn one(item: build::Item) -> Vec<u8> {
    Tar::default().add(item).end()
}

/// An entry that states a size and has no content.
fn sized(kind: u8, size: i64) -> Vec<u8> {
    let mut item = entry(kind, "a");
    item.size = size;
    one(item)
}

/// A file with one PAX record.
fn pax(key: &str, value: &[u8]) -> Vec<u8> {
    Tar::default().pax(&[(key, value)]).file("a", "a").end()
}

#[test]
fn broken_archives_are_refused() {
    let mut wrong_sum = Tar::default().file("a", "a").end();
    wrong_sum[0] = b'b';
    let cut = |bytes: usize| Tar::default().file("a", "content").end()[..bytes].to_vec();
    let half = [vec![0; 512], Tar::default().file("a", "").end()].concat();
    let alone = Tar::default().add(entry(b'L', "x").content("name")).end();
    all_refused(vec![
        ("cut in a header", cut(300), "cut off"),
        ("cut in content", cut(515), "cut off"),
        ("a wrong checksum", wrong_sum, "wrong checksum"),
        ("no archive", vec![b'x'; 2000], "cannot be read"),
        ("an entry after half an end mark", half, "half an end mark"),
        ("an end after a long name", alone, "cut off"),
        ("an unknown type", sized(b'7', 0), "unknown type '7'"),
    ]);
}

#[test]
fn impossible_numbers_are_refused() {
    let owner = |uid, gid| one(entry(b'0', "a").owner(uid, gid));
    let far = one(entry(b'3', "a").device(4096, 0));
    let past = one(entry(b'4', "a").device(0, 1 << 20));
    all_refused(vec![
        ("a negative size", sized(b'0', -1), "negative size"),
        ("eight exabytes", sized(b'0', i64::MAX), "than there may be"),
        ("a negative PAX size", pax("size", b"-1"), "negative size"),
        ("no size", pax("size", b"1e3"), "cannot be read"),
        (
            "too much",
            pax("size", b"9223372036854775808"),
            "cannot be read",
        ),
        (
            "a time that is none",
            pax("mtime", b"1.5x"),
            "time that cannot",
        ),
        ("a zero in a path", pax("path", b"a\0b"), "zero byte"),
        ("an owner below none", owner(-1, 0), "impossible owner"),
        (
            "an owner that is nobody",
            owner(0, 0xffff_ffff),
            "impossible owner",
        ),
        (
            "an owner too large",
            pax("uid", b"4294967296"),
            "impossible owner",
        ),
        ("a major number", far, "impossible numbers"),
        ("a minor number", past, "impossible numbers"),
        ("a long record", sized(b'x', (1 << 20) + 1), "for a name"),
        ("a negative record", sized(b'L', -1), "for a name"),
    ]);
}

#[test]
fn names_and_links_that_lead_nowhere_are_refused() {
    let tar = Tar::default;
    let hard = |to: &str| one(entry(b'1', "a").link(to));
    let soft = |to: &str| entry(b'2', "a").link(to);
    let ring = tar().add(soft("b")).add(entry(b'2', "b").link("a"));
    let directory = tar().dir("d").add(entry(b'1', "a").link("d"));
    let long = |part: &str, times| one(entry(b'0', &part.repeat(times)));
    all_refused(vec![
        ("a link to what is not there", hard("b"), "link to 'b'"),
        ("a link to itself", hard("a"), "link to 'a'"),
        (
            "a link to the outside",
            hard("../../etc/passwd"),
            "'../../etc/passwd'",
        ),
        ("a link to the root", hard("/"), "link to '/'"),
        ("a link to a directory", directory.end(), "link to 'd'"),
        ("a link to nothing as a name", one(soft("")), "make 'a'"),
        (
            "a link too long",
            one(soft(&"x".repeat(4096))),
            "name too long",
        ),
        ("a loop", ring.file("a/c", "").end(), "symbolic links"),
        (
            "a file in a file",
            tar().file("a", "").file("a/b", "").end(),
            "Not a directory",
        ),
        ("a name too long", long("x", 256), "name too long"),
        ("a path too long", long("x/", 3000), "name too long"),
    ]);
}

#[test]
fn whiteouts_that_mean_nothing_are_refused() {
    let whiteout = |name: &str| one(entry(b'0', name));
    let own = Tar::default().file("a", "").file(".wh.a", "").end();
    all_refused(vec![
        ("of nothing", whiteout("d/.wh."), "deletes no name"),
        ("of the directory", whiteout("d/.wh.."), "deletes no name"),
        ("of the one above", whiteout("d/.wh..."), "deletes no name"),
        ("of what the layer made", own, "itself made"),
    ]);
}

#[test]
fn what_is_merely_unusual_is_told_apart() {
    let tar = Tar::default;
    let nowhere = tar().add(entry(b'2', "run").link("var/run"));
    let linked = tar().dir("usr/lib").add(entry(b'2', "lib").link("usr/lib"));
    let table = [
        ("old sparse", tar().add(entry(b'S', "a")).end()),
        ("sparse", pax("GNU.sparse.major", b"1")),
        ("sparse of old", pax("GNU.sparse.size", b"1")),
        ("a link that leads nowhere", nowhere.file("run/a", "").end()),
        ("made behind a link", linked.file("lib/x/a", "").end()),
        (
            "a directory and then none",
            tar().dir("a").file("a", "").end(),
        ),
    ];
    for (name, layer) in table {
        let said = refused(&layer);
        assert!(said.starts_with("unusual: "), "{name}: {said}");
    }
}

#[test]
fn the_limits_hold() {
    let try_with = |entries, bytes, layer: &[u8]| {
        let dir = tempfile::tempdir().unwrap();
        let limits = Limits { entries, bytes };
        let mut writer = LayerWriter::new(vec![open(dir.path())], limits);
        if writer.push(layer).is_err() {
            // After an error there is no way on.
            writer.push(&[0; 1024]).unwrap_err();
        }
        writer.finish().is_ok()
    };
    let layer = Tar::default().file("a", "abc").file("b", "de").end();
    assert!(try_with(2, 5, &layer));
    assert!(!try_with(1, 5, &layer));
    assert!(!try_with(2, 4, &layer));
    assert!(!try_with(1, 5, &pax("uid", b"1")));
}

#[test]
fn an_error_of_a_disk_is_no_fault_of_the_layer() {
    use crate::host::failure::Class;
    let class = |errno| LayerError::os(errno, "write", b"a").into_failure().class;
    assert_eq!(class(rustix::io::Errno::NOSPC), Class::DiskFull);
    assert_eq!(class(rustix::io::Errno::IO), Class::Store);
}
