//! What hostile archives hold beside what is right, row by row.
//! They are separate because the tarball and the layers of the runtime image are put to the same test.

use crate::support::tarball::{Head, Tarball, pax};

/// What is appended to an archive that is right so far, and what is said of it.
pub(super) type Row = (&'static str, fn(Tarball) -> Tarball, &'static str);

pub(super) fn rows() -> Vec<Row> {
    [types_and_names(), sizes_and_extensions()].concat()
}

fn types_and_names() -> Vec<Row> {
    vec![
        (
            "parent",
            |t| t.file("bin/../../../etc/evil", 0o644, b"x"),
            "leads outside",
        ),
        (
            "absolute",
            |t| t.file("/etc/evil", 0o644, b"x"),
            "is an absolute path",
        ),
        (
            "symlink, then through it",
            |t| {
                t.raw(&Head::new("bin/way", b'2').link("/etc"), b"").file(
                    "bin/way/evil",
                    0o644,
                    b"x",
                )
            },
            "bin/way is a symbolic link",
        ),
        (
            "symlink",
            |t| {
                t.raw(
                    &Head::new("charts/passwd", b'2').link("../../etc/passwd"),
                    b"",
                )
            },
            "is ",
        ),
        (
            "hard link",
            |t| t.raw(&Head::new("bin/shadow", b'1').link("/etc/shadow"), b""),
            "bin/shadow is a hard link",
        ),
        (
            "hard link with content",
            |t| t.raw(&Head::new("bin/shadow", b'1').link("bin/rke2"), b"x"),
            "a hard link with content",
        ),
        (
            "device",
            |t| t.raw(&Head::new("bin/sda", b'4'), b""),
            "bin/sda is a device",
        ),
        (
            "character device",
            |t| t.raw(&Head::new("bin/mem", b'3'), b""),
            "bin/mem is a device",
        ),
        (
            "pipe",
            |t| t.raw(&Head::new("bin/pipe", b'6'), b""),
            "bin/pipe is a pipe",
        ),
        (
            "unknown type",
            |t| t.raw(&Head::new("bin/what", b'Z'), b""),
            "of the unknown type 'Z'",
        ),
        (
            "setuid",
            |t| t.file("bin/rke2-su", 0o4755, b"x"),
            "bin/rke2-su is setuid or setgid",
        ),
        (
            "setgid directory",
            |t| t.raw(&Head::new("bin/", b'5').mode(0o2755), b""),
            "bin is setuid or setgid",
        ),
        (
            "twice",
            |t| {
                t.file("bin/rke2-twice", 0o755, b"x")
                    .file("./bin//rke2-twice", 0o755, b"y")
            },
            "bin/rke2-twice stands in it twice",
        ),
        (
            "file and directory",
            |t| {
                t.file("bin/rke2-a", 0o755, b"x")
                    .file("bin/rke2-a/b", 0o755, b"y")
            },
            "bin/rke2-a is a file and a directory in it",
        ),
        (
            "control characters",
            |t| t.file("bin/rke2-\x1b[2J", 0o644, b"x"),
            "no usable path",
        ),
    ]
}

fn sizes_and_extensions() -> Vec<Row> {
    vec![
        (
            "giant size",
            |t| t.raw(&Head::new("bin/rke2-big", b'0').size(u64::MAX >> 1), b""),
            "more than there may be",
        ),
        (
            "size beyond the end",
            |t| t.raw(&Head::new("share/rke2/big", b'0').size(1 << 30), b""),
            "it is cut off",
        ),
        (
            "giant long name",
            |t| t.raw(&Head::new("././@LongLink", b'L').size(1 << 30), b""),
            "bytes for a name",
        ),
        (
            "long name outside",
            |t| {
                let long = format!("bin/{}/../../../../etc/evil\0", "a/".repeat(80));
                t.raw(&Head::new("././@LongLink", b'L'), long.as_bytes())
                    .file("bin/rke2-x", 0o644, b"x")
            },
            "leads outside",
        ),
        (
            "PAX path outside",
            |t| {
                t.raw(&Head::new("pax", b'x'), &pax("path", "/etc/evil"))
                    .file("bin/rke2-x", 0o644, b"x")
            },
            "is an absolute path",
        ),
        (
            "PAX size hides an entry",
            |t| {
                let hidden = Tarball::default().file("/etc/evil", 0o644, b"x").0;
                t.raw(&Head::new("pax", b'x'), &pax("size", "0"))
                    .raw(&Head::new("bin/rke2-x", b'0'), &hidden)
            },
            "is an absolute path",
        ),
        (
            "PAX sparse",
            |t| {
                t.raw(&Head::new("pax", b'x'), &pax("GNU.sparse.major", "1"))
                    .file("bin/rke2-x", 0o644, b"x")
            },
            "sparse",
        ),
        (
            "global PAX path",
            |t| {
                t.raw(&Head::new("pax", b'g'), &pax("path", "bin/rke2"))
                    .file("bin/rke2-x", 0o644, b"x")
            },
            "global PAX header",
        ),
        (
            "broken PAX",
            |t| {
                t.raw(&Head::new("pax", b'x'), b"99 path=x\n")
                    .file("bin/rke2-x", 0o644, b"x")
            },
            "a PAX record has a wrong length",
        ),
        (
            "two long names",
            |t| {
                t.raw(&Head::new("l", b'L'), b"bin/rke2-y\0")
                    .raw(&Head::new("p", b'x'), &pax("path", "bin/rke2-z"))
                    .file("x", 0o644, b"")
            },
            "two long names",
        ),
        (
            "name alone",
            |t| t.raw(&Head::new("l", b'L'), b"bin/rke2-y\0"),
            "ends after an extension record",
        ),
        (
            "GNU sparse",
            |t| t.raw(&Head::new("bin/rke2-s", b'S'), b""),
            "is a sparse file",
        ),
        (
            "wrong checksum of a header",
            |mut t| {
                t = t.file("bin/rke2-x", 0o644, b"x");
                let at = t.0.len() - 1024;
                t.0[at + 3] ^= 1;
                t
            },
            "wrong checksum",
        ),
    ]
}
