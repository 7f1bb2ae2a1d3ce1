//! Layers as builders make them: every kind of entry with all its attributes.
//! It is separate from what breaks them.

use super::*;

/// A layer with one of everything.
fn one_of_everything() -> Vec<u8> {
    Tar::default()
        .dir("./")
        .dir("etc/")
        .file("etc/passwd", "root:x:0:0\n")
        .add(
            entry(b'0', "etc/shadow")
                .mode(0o640)
                .owner(0, 42)
                .content("x"),
        )
        .add(entry(b'0', "bin/su").mode(0o4755).owner(1, 2).content("su"))
        .add(entry(b'2', "bin/sh").link("/bin/dash").owner(3, 4))
        .add(
            entry(b'1', "bin/su2")
                .link("bin/su")
                .mode(0o4755)
                .owner(1, 2),
        )
        .add(entry(b'3', "dev/null").device(1, 3).mode(0o666))
        .add(
            entry(b'4', "dev/sda")
                .device(8, 300)
                .mode(0o660)
                .owner(0, 6),
        )
        .add(entry(b'6', "run/pipe").mode(0o622))
        .add(entry(b'5', "tmp").mode(0o1777).mtime(5))
        .add(entry(b'5', "var/mail").mode(0o2775).owner(0, 8))
        .file("var/mail/root", "")
        .dir("var/mail/dir")
        .pax(&[
            ("mtime", b"1700000000.123456789"),
            ("SCHILY.xattr.user.note", b"yes"),
            ("SCHILY.xattr.trusted.overlay.opaque", b"y"),
            ("uid", b"3000000"),
        ])
        .file("etc/fine", "fine")
        .add(entry(b'0', "big").mode(0o600).content(vec![7u8; 700_000]))
        .end()
}

/// Everything that makes one node different from another, in short.
fn short(node: &Node) -> String {
    let Node {
        kind,
        mode,
        uid,
        gid,
        mtime,
        ..
    } = node;
    let device = node.device;
    format!("{kind} {mode:o} {uid}:{gid} {} {device:x}", mtime.0)
}

#[test]
fn one_of_everything_is_written() {
    let (dir, written) = unpack(&one_of_everything()).unwrap();
    let found = look(dir.path());
    let table = [
        ("etc", "d 755 0:0 1000000000 0"),
        ("etc/passwd", "f 644 0:0 1000000000 0"),
        ("etc/shadow", "f 640 0:42 1000000000 0"),
        ("bin/su", "f 4755 1:2 1000000000 0"),
        ("bin/sh", "l 777 3:4 1000000000 0"),
        ("bin/su2", "f 4755 1:2 1000000000 0"),
        ("dev/null", "c 666 0:0 1000000000 103"),
        ("dev/sda", "b 660 0:6 1000000000 10082c"),
        ("run/pipe", "p 622 0:0 1000000000 0"),
        ("tmp", "d 1777 0:0 5 0"),
        ("var/mail", "d 2775 0:8 1000000000 0"),
        ("var/mail/root", "f 644 0:0 1000000000 0"),
        ("var/mail/dir", "d 755 0:0 1000000000 0"),
        ("etc/fine", "f 644 3000000:0 1700000000 0"),
        ("big", "f 600 0:0 1000000000 0"),
    ];
    for (path, want) in table {
        assert_eq!(short(&found[path]), want, "{path}");
    }
    assert_eq!(found["etc/passwd"].content, b"root:x:0:0\n");
    assert_eq!(found["big"].content, vec![7u8; 700_000]);
    assert_eq!((found["bin/su"].links, found["bin/su2"].links), (2, 2));
    assert_eq!(found["etc/fine"].mtime.1, 123_456_789);
    assert_eq!(found["etc/fine"].xattrs["user.note"], b"yes");
    assert_eq!(found["etc/fine"].xattrs.len(), 1);
    let implicit: Vec<_> = written
        .implicit
        .iter()
        .map(|made| made.path.as_slice())
        .collect();
    assert_eq!(implicit, [&b"bin"[..], b"dev", b"run", b"var"]);
    assert_eq!((written.entries, written.bytes), (17, 700_018));
    // Besides these there are the root and the four directories that no entry made.
    assert_eq!(found.len(), table.len() + 5);
}

#[test]
fn pieces_of_any_size_make_the_same_tree() {
    let layer = one_of_everything();
    let without_times = |dir: &tempfile::TempDir| {
        let mut found = look(dir.path());
        for path in ["", "bin", "dev", "run", "var"] {
            found.get_mut(path).unwrap().mtime = (0, 0);
        }
        found
    };
    let (whole, written) = unpack(&layer).unwrap();
    let whole = without_times(&whole);
    for piece in [1, 3, 511, 512, 513, 4096, 300_000] {
        let (dir, again) = unpack_as(&layer, false, piece).unwrap();
        assert!(without_times(&dir) == whole, "pieces of {piece}");
        assert_eq!(again, written);
    }
}

#[test]
fn one_stream_fills_several_directories() {
    let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let targets = vec![open(a.path()), open(b.path())];
    let mut writer = LayerWriter::new(targets, Limits::default());
    writer.push(&one_of_everything()).unwrap();
    writer.finish().unwrap();
    let (a, b) = (look(a.path()), look(b.path()));
    for path in ["big", "etc/fine", "bin/sh", "dev/null", "var/mail"] {
        assert!(a[path] == b[path], "{path}");
    }
    assert_eq!(a.len(), b.len());
}
