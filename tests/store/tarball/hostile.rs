//! Archives that are hostile, cut off or damaged, down to single bits: refused, and nothing is left of them.
//! Separate because here the tar itself is wrong; what a sound one may say wrongly is in `refused`.

use std::io::Read as _;

use nodeagent::host::Root;
use nodeagent::host::failure::Class;
use nodeagent::host::oci::{Descriptor, Digest, LARGEST, Source as _};
use nodeagent::store::tarball::{self, Tarball};
use serde_json::json;

use super::refused::{docker, listing, oci, with};
use super::{File, amd64};
use crate::support::archives::{Archive, hex};
use crate::support::images::{Entry, Packing};

#[test]
fn tricks_of_the_tar_are_refused() {
    let mut twice = docker().1;
    twice.entries.push(Entry::file("manifest.json", b"[]"));
    let mut linked = docker().1;
    linked.entries.push(Entry::hard_link("a", "manifest.json"));
    let mut device = docker().1;
    device.entries.push(Entry::char_device("null", 1, 3));
    let mut outside = docker().1;
    outside
        .entries
        .push(Entry::file("../../etc/cron.d/x", b"x"));
    let mut absolute = docker().1;
    absolute.entries.push(Entry::file("/etc/cron.d/x", b"x"));
    let mut sized = docker().1;
    sized
        .entries
        .push(Entry::file("x", b"x").record("size", b"99999999999999"));
    let rows = [
        ("a file twice", twice, "twice"),
        ("a hard link", linked, "hard link"),
        ("a device", device, "a device"),
        ("a path outside", outside, "leads outside"),
        ("an absolute path", absolute, "absolute"),
        ("a size that lies", sized, ""),
    ];
    for (what, archive, said) in rows {
        for packing in [Packing::Plain, Packing::Gzip] {
            let failure = File::new(&archive.pack(packing)).open().expect_err(what);
            assert_eq!(failure.class, Class::Image, "{what}: {failure}");
            let line = failure.error.one_line();
            assert!(line.contains(said), "{what}: {line}");
        }
    }
    // A link is followed in the archive alone.
    let (image, _) = docker();
    let variant = &image.variants[0];
    let mut archive = listing(&json!([{"Config": "c.json", "RepoTags": ["r.example/a:1"],
        "Layers": ["l/layer.tar", "m/layer.tar"]}]));
    archive.file("c.json", &variant.config.bytes);
    archive
        .entries
        .push(Entry::symlink("l/layer.tar", "/etc/passwd"));
    archive
        .entries
        .push(Entry::symlink("m/layer.tar", "../../../etc/passwd"));
    let failure = File::new(&archive.pack(Packing::Plain)).open().unwrap_err();
    assert!(
        failure.to_string().contains("l/layer.tar is missing"),
        "{failure}"
    );
}

#[test]
fn an_archive_that_is_cut_off_or_damaged_is_refused() {
    let (_, archive) = oci();
    for packing in [Packing::Plain, Packing::Gzip, Packing::Zstd] {
        let whole = archive.pack(packing);
        File::new(&whole).wanted(&[]).unwrap();
        // The end of a tar is fill: without it an archive that is not packed is still cut off.
        for length in [
            0,
            1,
            3,
            100,
            512,
            700,
            whole.len() / 2,
            whole.len().saturating_sub(10241),
        ] {
            let Some(part) = whole.get(..length) else {
                continue;
            };
            let failure = File::new(part).wanted(&[]).expect_err("a part");
            assert_eq!(
                failure.class,
                Class::Image,
                "{packing:?} {length}: {failure}"
            );
        }
    }
    let heads: [(&[u8], &str); 3] = [
        (b"BZh91AY", "bzip2"),
        (&[4, 0x22, 0x4d, 0x18, 0], "lz4"),
        (b"\xfd7zXZ\0", "xz"),
    ];
    for (head, word) in heads {
        let failure = File::new(head).open().unwrap_err();
        assert_eq!(failure.class, Class::Image);
        let line = failure.error.one_line();
        assert!(line.contains(word), "{line}");
    }
    let file = File::new(b"");
    std::fs::remove_file(file.path()).unwrap();
    let root = Root::open(file.0.path()).unwrap();
    let gone = Tarball::open(&tarball::Archive {
        root: &root,
        path: "/a.tar",
        scratch: &root,
        scratch_dir: "/",
    });
    assert_eq!(gone.unwrap_err().class, Class::NotFound);
}

/// A document of this many bytes, most of them fill.
fn padded(text: &str, length: u64) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    bytes.resize(usize::try_from(length).unwrap(), b' ');
    bytes
}

#[test]
fn documents_are_bounded_each_and_together() {
    let (_, archive) = oci();
    let said = |archive: &Archive| {
        let failure = File::new(&archive.pack(Packing::Plain)).open().unwrap_err();
        assert_eq!(failure.class, Class::Image, "{failure}");
        failure.error.one_line()
    };
    let index = r#"{"schemaVersion": 2, "manifests": []}"#;
    let large = with(&archive, "index.json", &padded(index, LARGEST + 1));
    assert!(said(&large).contains("a document in it has"));
    // As many as are just too many together.
    let mut many = archive.clone().without("index.json");
    let entries = (0..=(64 << 20) / LARGEST).map(|number| {
        let text = format!(r#"{{"schemaVersion": 2, "manifests": [], "x": {number}}}"#);
        let bytes = padded(&text, LARGEST);
        let digest = Digest::of(&bytes).to_string();
        many.blob(&digest, &bytes);
        json!({"mediaType": "application/vnd.oci.image.index.v1+json", "digest": digest, "size": LARGEST})
    });
    let index = json!({"schemaVersion": 2, "manifests": entries.collect::<Vec<_>>()});
    many.file("index.json", index.to_string().as_bytes());
    assert!(said(&many).contains("larger than all of a release's"));
}

/// No bit that is flipped makes it panic, and whatever is still offered has the digest that it is offered under.
#[test]
fn flipped_bits_are_found_or_harmless() {
    let mut seed = 7u64;
    let mut random = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(seed >> 33).unwrap()
    };
    for (_, archive) in [docker(), oci()] {
        for packing in [Packing::Plain, Packing::Zstd] {
            let whole = archive.pack(packing);
            for _ in 0..400 {
                let mut bytes = whole.clone();
                let at = random() % bytes.len();
                bytes[at] ^= 1 << (random() % 8);
                let Ok(tarball) = File::new(&bytes).open() else {
                    continue;
                };
                let Ok(wanted) = tarball.wanted(&amd64(), &[]) else {
                    continue;
                };
                let mut session = tarball.session().unwrap();
                for wanted in wanted {
                    let name = &wanted.name;
                    let fetched = session.document(name, name.version()).unwrap();
                    assert_eq!(Some(&fetched.digest), name.digest());
                }
            }
        }
    }
}

#[test]
fn a_layer_that_is_not_its_own_is_found_by_whoever_reads_it() {
    // Of the same size, so that nothing but the bytes can tell.
    let (image, archive) = docker();
    let (one, two) = (
        &image.variants[0].layers[0].blob,
        &image.variants[0].layers[1].blob,
    );
    let path = format!("{}/layer.tar", hex(&one.digest));
    assert_eq!(one.bytes.len(), two.bytes.len());
    let swapped = with(&archive, &path, &two.bytes);
    let failure = File::new(&swapped.pack(Packing::Gzip)).open().unwrap_err();
    assert_eq!(failure.class, Class::Digest, "{failure}");
    let path = format!("blobs/sha256/{}", hex(&one.digest));
    let layout = with(&oci().1, &path, &two.bytes);
    let failure = File::new(&layout.pack(Packing::Zstd)).open().unwrap_err();
    assert_eq!(failure.class, Class::Digest, "{failure}");
    // Where nothing is copied, the bytes were not read yet; the fill compares them with the digest it asks for.
    let file = File::new(&swapped.pack(Packing::Plain));
    let tarball = file.open().unwrap();
    let name = &tarball.wanted(&amd64(), &[]).unwrap()[0].name;
    let blob = Descriptor {
        media_type: String::new(),
        digest: Digest::parse(&one.digest).unwrap(),
        size: one.bytes.len() as u64,
    };
    let mut session = tarball.session().unwrap();
    let mut bytes = Vec::new();
    session
        .blob(name, &blob)
        .unwrap()
        .read_to_end(&mut bytes)
        .unwrap();
    assert_ne!(Digest::of(&bytes), blob.digest);
    let longer = Descriptor {
        size: blob.size + 1,
        ..blob
    };
    assert_eq!(
        session.blob(name, &longer).err().unwrap().class,
        Class::Digest
    );
}
