//! Hostile archives with right sums: each is refused with what is wrong, and leaves the tree as it was.
//! They are separate because each row is an attack that some unpacker fell for.

use super::{Bench, refused, wanted};
use crate::support::tarball::{self, Head, TAG, Tarball, VERSION, gzip, pax, zstd};

/// What is appended to an archive that is right so far, and what is said of it.
type Row = (&'static str, fn(Tarball) -> Tarball, &'static str);

fn rows() -> Vec<Row> {
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

#[test]
fn no_tarball_leads_out_of_its_place() {
    for (name, add, want) in rows() {
        let mut files = tarball::whole();
        files[0].1 = gzip(&add(tarball::bundle(VERSION)).end());
        let said = refused(&Bench::with_release(&files), &wanted());
        assert!(
            said.contains("rke2.linux-amd64.tar.gz: ") && said.contains(want),
            "{name}: {said}"
        );
    }
}

#[test]
fn no_layer_of_the_runtime_leads_out_of_its_place() {
    for (name, add, want) in rows() {
        for pack in [gzip as fn(&[u8]) -> Vec<u8>, zstd, <[u8]>::to_vec] {
            let mut files = tarball::whole();
            let layer = pack(&add(tarball::layer()).end());
            files[1].1 = zstd(&tarball::core(TAG, layer));
            let said = refused(&Bench::with_release(&files), &wanted());
            assert!(
                said.contains("the layer 1/layer.tar: ") && said.contains(want),
                "{name}: {said}"
            );
        }
    }
}

#[test]
fn what_no_release_holds_is_refused() {
    for path in [
        "etc/evil",
        "bin/evil",
        "lib/systemd/system/evil.service",
        "lib/systemd/system-generators/rke2-x",
        "share/evil",
    ] {
        let mut files = tarball::whole();
        files[0].1 = gzip(&tarball::bundle(VERSION).file(path, 0o755, b"x").end());
        let said = refused(&Bench::with_release(&files), &wanted());
        assert!(
            said.contains(&format!("{path} is no part of an RKE2 release")),
            "{said}"
        );
    }
}

#[test]
fn an_archive_that_is_cut_off_or_goes_on_is_refused() {
    type Spoil = fn(Vec<u8>) -> Vec<u8>;
    let half: Spoil = |mut bytes| {
        bytes.truncate(bytes.len() / 2);
        bytes
    };
    let last: Spoil = |mut bytes| {
        bytes.truncate(bytes.len() - 1);
        bytes
    };
    let more: Spoil = |bytes| [bytes, b"garbage".to_vec()].concat();
    let empty: Spoil = |_| Vec::new();
    for (name, spoil) in [
        ("half", half),
        ("last byte", last),
        ("trailing", more),
        ("empty", empty),
    ] {
        for file in 0..3 {
            let mut files = tarball::whole();
            let whole = std::mem::take(&mut files[file].1);
            files[file].1 = spoil(whole);
            let said = refused(&Bench::with_release(&files), &wanted());
            assert!(
                said.contains(&format!("{}: ", files[file].0)),
                "{name}: {said}"
            );
        }
    }
    // The same below the compression, whose own check is then right.
    let plain = tarball::bundle(VERSION);
    for (bytes, want) in [
        (plain.0.clone(), "it is cut off"),
        (plain.0[..plain.0.len() - 700].to_vec(), "it is cut off"),
        (
            [plain.clone().end(), b"evil".to_vec()].concat(),
            "something follows its end mark",
        ),
        (
            [plain.clone().end(), plain.end()].concat(),
            "something follows its end mark",
        ),
    ] {
        let mut files = tarball::whole();
        files[0].1 = gzip(&bytes);
        let said = refused(&Bench::with_release(&files), &wanted());
        assert!(said.contains(want), "{want}: {said}");
    }
}

#[test]
fn an_image_tarball_is_what_it_says() {
    let manifest = |text: &str| Tarball::default().file("manifest.json", 0o644, text.as_bytes());
    let runtime = format!("rancher/rke2-runtime:{TAG}");
    let list = |layers: &str| format!("[{{\"RepoTags\":[\"{runtime}\"],\"Layers\":[{layers}]}}]");
    for (tar, want) in [
        (
            Tarball::default().file("x", 0o644, b"x"),
            "it holds no manifest.json",
        ),
        (manifest("{"), "its manifest.json: "),
        (manifest(&list("\"a\"")), "the layer a is missing"),
        (
            manifest(&list("\"a\"")).raw(&Head::new("a", b'2').link("b"), b""),
            "the layer a is a symbolic link",
        ),
        (
            manifest(&list("\"a\"")).raw(&Head::new("a", b'4'), b""),
            "a is a device",
        ),
        (
            manifest(&list("")),
            "a layer of the runtime image is missing",
        ),
        (
            manifest(&list("\"a\"")).file(
                "a",
                0o644,
                &Tarball::default().file("bin/x", 0o755, b"x").end(),
            ),
            "holds no charts/",
        ),
        (
            manifest("[]").file("manifest.json", 0o644, b"[]"),
            "stands in it twice",
        ),
    ] {
        let mut files = tarball::whole();
        files[1].1 = zstd(&tar.end());
        let said = refused(&Bench::with_release(&files), &wanted());
        assert!(said.contains(want), "{want}: {said}");
    }
}

#[test]
fn a_bomb_is_stopped_by_its_bounds() {
    let mut many = tarball::bundle(VERSION);
    for at in 0..1_000 {
        many = many.dir(&format!("share/rke2/{at}/"));
    }
    let mut files = tarball::whole();
    files[0].1 = gzip(&many.end());
    let said = refused(&Bench::with_release(&files), &wanted());
    assert!(said.contains("too many entries"), "{said}");
}

#[test]
fn a_planted_link_never_leads_the_installation_outside() {
    let outside = tempfile::tempdir().unwrap();
    let bench = Bench::with_release(&tarball::whole());
    bench.link("/usr/local", &outside.path().display().to_string());
    bench.link("/var/lib/rancher", &outside.path().display().to_string());
    // The link's target does not exist inside the tree, so nothing can be placed; outside nothing may appear.
    assert!(bench.install(&wanted()).is_err());
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
}
