//! Archives that are cut off, incomplete, lying or hostile: each is an error of its class, and nothing is left of it.
//! Separate because every row is one way in which an archive was seen, or can be made, to be wrong.

use nodeagent::host::failure::Class;
use nodeagent::host::oci::Source as _;
use serde_json::json;
use std::io::Read as _;

use super::{File, amd64, plain, saved};
use crate::support::archives::{Archive, hex};
use crate::support::images::{Dialect, Entry, Image, Layer, Packing, tar, tiny};

/// An archive of docker's with one image.
fn docker() -> (Image, Archive) {
    let image = saved("a/b:1", &[plain("one"), plain("two")]);
    let archive = Archive::docker(&[(&image, &["r.example/a/b:1"])]);
    (image, archive)
}

/// A layout with one image.
fn oci() -> (Image, Archive) {
    let image = saved("a/b:1", &[plain("one"), plain("two")]);
    let archive = Archive::oci(&[(&image, Some("r.example/a/b:1"))]);
    (image, archive)
}

fn with(archive: &Archive, name: &str, content: &[u8]) -> Archive {
    let mut changed = archive.clone().without(name);
    changed.file(name, content);
    changed
}

/// An archive with only a list of images in docker's format.
fn listing(list: &serde_json::Value) -> Archive {
    let mut archive = Archive::default();
    archive.file("manifest.json", list.to_string().as_bytes());
    archive
}

#[test]
fn what_is_not_whole_or_not_true_is_refused() {
    let (image, docker) = docker();
    let (_, oci) = oci();
    let variant = &image.variants[0];
    let (config, layer) = (&variant.config, &variant.layers[0].blob);
    let index = |entry: serde_json::Value| {
        let index = json!({"schemaVersion": 2, "manifests": [entry]});
        with(&oci, "index.json", index.to_string().as_bytes())
    };
    let top = &image.top;
    let sized =
        |size: u64| json!({"mediaType": top.media_type, "digest": top.digest, "size": size});
    let blob =
        |digest: &str, bytes: &[u8]| with(&oci, &format!("blobs/sha256/{}", hex(digest)), bytes);
    let many: Vec<_> = (0..5000)
        .map(|_| json!({"Config": "c", "Layers": []}))
        .collect();
    let short = json!({"architecture": "amd64", "os": "linux", "rootfs": {"diff_ids": []}});
    let config_name = format!("{}.json", hex(&config.digest));
    let rows = [
        (
            "no list",
            docker.clone().without("manifest.json"),
            Class::Image,
            "no archive of images",
        ),
        (
            "nothing",
            Archive::default(),
            Class::Image,
            "no archive of images",
        ),
        (
            "a list of nothing",
            listing(&json!([])),
            Class::Platform,
            "no image for linux/amd64",
        ),
        (
            "no JSON",
            with(&docker, "manifest.json", b"[{"),
            Class::Image,
            "manifest.json",
        ),
        (
            "another JSON",
            with(&docker, "manifest.json", b"{}"),
            Class::Image,
            "manifest.json",
        ),
        (
            "too many",
            listing(&many.into()),
            Class::Image,
            "lists 5000 images",
        ),
        (
            "no configuration",
            docker.clone().without(&config_name),
            Class::Image,
            "is missing",
        ),
        (
            "no layer",
            docker.clone().without(hex(&layer.digest)),
            Class::Image,
            "is missing",
        ),
        (
            "layers unlike the configuration",
            with(&docker, &config_name, short.to_string().as_bytes()),
            Class::Image,
            "has 2 layers, its list says 0",
        ),
        (
            "a path outside",
            listing(&json!([{"Config": "../../etc/passwd", "Layers": ["/etc/shadow"]}])),
            Class::Image,
            "is missing",
        ),
        (
            "a bad name",
            {
                let list = json!([{"Config": config_name, "RepoTags": ["r.example/UPPER:1"],
                    "Layers": [format!("{}/layer.tar", hex(&layer.digest)),
                               format!("{}/layer.tar", hex(&variant.layers[1].blob.digest))]}]);
                with(&docker, "manifest.json", list.to_string().as_bytes())
            },
            Class::Image,
            "a name in it",
        ),
        (
            "no index",
            oci.clone().without("index.json"),
            Class::Image,
            "no index.json",
        ),
        (
            "another version",
            with(&oci, "oci-layout", br#"{"imageLayoutVersion":"2.0.0"}"#),
            Class::Image,
            "of version \"2.0.0\"",
        ),
        (
            "no manifest",
            oci.clone().without(hex(&top.digest)),
            Class::Image,
            "does not hold it",
        ),
        (
            "no config",
            oci.clone().without(hex(&config.digest)),
            Class::Image,
            "is missing",
        ),
        (
            "no blob",
            oci.clone().without(hex(&layer.digest)),
            Class::Image,
            "is missing",
        ),
        (
            "another manifest",
            blob(&top.digest, b"{}"),
            Class::Digest,
            "another digest",
        ),
        (
            "another config",
            blob(&config.digest, b"{}"),
            Class::Digest,
            "another digest",
        ),
        (
            "a shorter layer",
            blob(&layer.digest, b"x"),
            Class::Digest,
            "",
        ),
        (
            "a wrong size",
            index(sized(7)),
            Class::Digest,
            "its index says 7",
        ),
        (
            "no digest",
            index(json!({"mediaType": "m", "digest": "sha256:../../x", "size": 1})),
            Class::Image,
            "index.json",
        ),
        (
            "no digest as a name",
            with(&oci, "blobs/sha256/zz", b"x"),
            Class::Image,
            "is no digest",
        ),
    ];
    for (what, archive, class, said) in rows {
        for packing in [Packing::Plain, Packing::Zstd] {
            let file = File::new(&archive.pack(packing));
            let failure = file.wanted(&[]).expect_err(what);
            assert_eq!(failure.class, class, "{what}: {failure}");
            let line = failure.error.one_line();
            assert!(
                line.contains(said) && line.contains("/a.tar"),
                "{what}: {line}"
            );
            assert!(failure.error.next_step().is_some(), "{what}: {line}");
        }
    }
}

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
    let root = nodeagent::host::Root::open(file.0.path()).unwrap();
    let gone = nodeagent::store::tarball::Tarball::open(&nodeagent::store::tarball::Archive {
        root: &root,
        path: "/a.tar",
        scratch: &root,
        scratch_dir: "/",
    });
    assert_eq!(gone.unwrap_err().class, Class::NotFound);
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
fn other_platforms_are_left_out_only_beside_ours() {
    let arm = Image::index(
        "a/arm:1",
        Dialect::Oci,
        &[("linux/arm64/v8", vec![plain("arm")])],
    );
    let ours = saved("a/ours:1", &[plain("ours")]);
    let both = Image::index(
        "a/both:1",
        Dialect::Oci,
        &[
            ("linux/arm64/v8", vec![plain("x")]),
            ("linux/amd64", vec![plain("y")]),
        ],
    );
    let named =
        |names: &[(&Image, Option<&str>)]| File::new(&Archive::oci(names).pack(Packing::Plain));
    let alone = named(&[(&arm, Some("r.example/arm:1"))]);
    assert_eq!(alone.wanted(&[]).unwrap_err().class, Class::Platform);
    let beside = named(&[
        (&arm, Some("r.example/arm:1")),
        (&ours, Some("r.example/ours:1")),
        (&both, Some("r.example/both:1")),
        (&both, None),
    ]);
    let wanted = beside.wanted(&[]).unwrap();
    let names: Vec<_> = wanted.iter().map(|w| w.name.tagged().unwrap()).collect();
    assert_eq!(names, ["r.example/ours:1", "r.example/both:1"]);
    let failure = beside.wanted(&["r.example/arm:1"]).unwrap_err();
    assert_eq!(failure.class, Class::Platform);
    assert_eq!(
        beside.wanted(&["r.example/none:1"]).unwrap_err().class,
        Class::NotFound
    );
    let other = format!("r.example/ours:1@{}", arm.top.digest);
    assert_eq!(beside.wanted(&[&other]).unwrap_err().class, Class::Digest);
    assert_eq!(beside.wanted(&["r.example/ours:1"]).unwrap().len(), 1);
    // k3s takes what is there of an index; an image for this very platform that is not there is never left out.
    let layer = hex(&both.variant("linux/amd64").layers[0].blob.digest).to_owned();
    let foreign = hex(&both.variant("linux/arm64/v8").manifest.digest).to_owned();
    let archive = Archive::oci(&[
        (&both, Some("r.example/both:1")),
        (&ours, Some("r.example/ours:1")),
    ]);
    File::new(&archive.clone().without(&foreign).pack(Packing::Gzip))
        .wanted(&[])
        .unwrap();
    let failure = File::new(&archive.without(&layer).pack(Packing::Gzip))
        .wanted(&[])
        .unwrap_err();
    assert_eq!(failure.class, Class::Image);
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
    // Where nothing is copied, the bytes were not read yet; the fill compares them with the digest it asks for.
    let file = File::new(&swapped.pack(Packing::Plain));
    let tarball = file.open().unwrap();
    let name = &tarball.wanted(&amd64(), &[]).unwrap()[0].name;
    let blob = nodeagent::host::oci::Descriptor {
        media_type: String::new(),
        digest: nodeagent::host::oci::Digest::parse(&one.digest).unwrap(),
        size: one.bytes.len() as u64,
    };
    let mut session = tarball.session().unwrap();
    let mut bytes = Vec::new();
    session
        .blob(name, &blob)
        .unwrap()
        .read_to_end(&mut bytes)
        .unwrap();
    assert_ne!(nodeagent::host::oci::Digest::of(&bytes), blob.digest);
    let longer = nodeagent::host::oci::Descriptor {
        size: blob.size + 1,
        ..blob
    };
    assert_eq!(
        session.blob(name, &longer).err().unwrap().class,
        Class::Digest
    );
}

#[test]
fn an_image_of_no_layers_and_one_of_twins_are_read() {
    let none = saved("a/none:1", &[]);
    let twin = Layer::from_tar(Packing::Plain, &tar(&[]));
    let twins = saved("a/twins:1", &[twin.clone(), twin]);
    let tiny = tiny("a/tiny:1", "t");
    let archive = Archive::docker(&[
        (&none, &["r.example/none:1"]),
        (&twins, &["r.example/twins:1"]),
        (&tiny, &["tiny"]),
    ]);
    let file = File::new(&archive.pack(Packing::Zstd));
    let tarball = file.open().unwrap();
    super::read_all(&tarball);
    assert!(super::names(&tarball).contains_key("docker.io/library/tiny:latest"));
}
