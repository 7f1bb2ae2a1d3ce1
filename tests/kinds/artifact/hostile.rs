//! Hostile archives with right sums: each is refused with what is wrong, and leaves the tree as it was.
//! They are separate because each row is an attack that some unpacker fell for.

mod rows;

use super::{Bench, refused, wanted};
use crate::support::tarball::{self, Head, TAG, Tarball, VERSION, gzip, zstd};
use rows::rows;

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
