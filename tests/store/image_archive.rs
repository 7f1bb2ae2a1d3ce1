//! Kind `image-archive` in an unbooted tree: imported once, looked at from then on without reading the archive.
//! Separate because it needs a tree with a containerd in it, where nothing but the archive is at hand.

use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use nodeagent::host::{Context, Host, Where};
use nodeagent::resource::image_archive::ImageArchive;
use nodeagent::resource::{Kind as _, Place};
use serde_json::{Value, json};

use crate::sandbox::{PROGRAM, debian};
use crate::support::archives::Archive;
use crate::support::generations::Generation;
use crate::support::images::small::{small, tiny};
use crate::support::images::{Dialect, Image, Layer, Packing};
use crate::support::machine::tree::Tree;
use crate::support::namespace::{empty, in_namespaces};

/// Off the tree's overlay.
const STORE: &str = "/var/lib/containerd/archives";
const DIR: &str = "/var/lib/rancher/rke2/agent/images";
const FILE: &str = "/var/lib/rancher/rke2/agent/images/a.tar.zst";

fn host(tree: &Tree) -> Host {
    let place = Context {
        place: Where::Root,
        evidence: "a test".to_owned(),
    };
    Host::open(&tree.path(), place, Path::new(PROGRAM)).unwrap()
}

fn entry(program: &str, more: &Value) -> ImageArchive {
    let mut entry = json!({"path": FILE, "store": STORE, "containerd": program, "cache": true,
        "platform": "linux/amd64"});
    for (key, value) in more.as_object().unwrap() {
        entry[key] = value.clone();
    }
    serde_json::from_value(entry).unwrap()
}

fn archive() -> Vec<u8> {
    let small = small(b"a program");
    let names: Vec<String> = small.iter().map(|i| i.tagged("r.example")).collect();
    let named: Vec<_> = small
        .iter()
        .zip(&names)
        .map(|(i, n)| (i, Some(n.as_str())))
        .collect();
    Archive::oci(&named).pack(Packing::Zstd)
}

/// What is wrong, and how many steps a build would take.
fn look(entry: &ImageArchive, host: &Host) -> (Vec<String>, usize) {
    let seen = entry.observe(host).unwrap();
    let actions = entry.diff(&seen, Place::Build).actions.len();
    (seen.faults, actions)
}

fn apply(entry: &ImageArchive, host: &Host) -> nodeagent::error::Result<()> {
    let seen = entry.observe(host).unwrap();
    let diff = entry.diff(&seen, Place::Build);
    let steps: Vec<_> = diff.actions.iter().map(|action| (entry, action)).collect();
    assert_eq!(steps.len(), 1, "{diff:?}");
    ImageArchive::apply(&steps, host)
}

#[test]
fn an_archive_is_imported_once_and_answers_by_its_receipt() {
    let tree = debian("store-archive");
    let root = tree.path();
    let within = |path: &str| root.join(&path[1..]);
    std::fs::create_dir_all(within(DIR)).unwrap();
    for generation in [Generation::V16, Generation::V2] {
        let from = generation.programs().unwrap().containerd;
        let program = format!("/usr/local/bin/containerd-{}", generation.name());
        std::fs::copy(from, within(&program)).unwrap();
        in_namespaces(|| {
            empty("/run");
            let mut host = host(&tree);
            let wanted = entry(&program, &json!({}));
            assert_eq!(look(&wanted, &host), (vec!["not imported".to_owned()], 0));

            // One that is cut off leaves nothing behind.
            let whole = archive();
            std::fs::write(within(FILE), &whole[..whole.len() / 2]).unwrap();
            let said = apply(&wanted, &host).unwrap_err().one_line();
            assert!(said.contains("/a.tar.zst"), "{said}");
            assert_eq!(look(&wanted, &host).0, ["not imported"]);
            let pinned = entry(&program, &json!({"sha256": "0".repeat(64)}));
            let said = apply(&pinned, &host).unwrap_err().one_line();
            assert!(said.contains("it has the sha256"), "{said}");

            std::fs::write(within(FILE), &whole).unwrap();
            apply(&wanted, &host).unwrap();
            assert_eq!(look(&wanted, &host), (vec![], 0));
            assert_eq!(look(&pinned, &host).1, 1, "another archive is wanted");
            let cache = std::fs::read_to_string(within(&format!("{DIR}/.cache.json"))).unwrap();
            assert!(
                cache.contains(FILE) && cache.contains("r.example/k8s/pause:3.9"),
                "{cache}"
            );

            // It is not read again, unless all is.
            let meta = std::fs::metadata(within(FILE)).unwrap();
            std::fs::write(within(FILE), vec![b'x'; whole.len()]).unwrap();
            let file = std::fs::File::options()
                .write(true)
                .open(within(FILE))
                .unwrap();
            file.set_modified(meta.modified().unwrap()).unwrap();
            assert_eq!(look(&wanted, &host), (vec![], 0));
            host.deep = true;
            let (faults, actions) = look(&wanted, &host);
            assert!(
                faults[0].contains("has changed") && actions == 1,
                "{faults:?}"
            );
            host.deep = false;

            remembered_as_it_is(&wanted, &host, &within(FILE), &whole);

            // Gone with the build, the receipt stands for it; and the store for itself.
            std::fs::remove_file(within(FILE)).unwrap();
            assert_eq!(look(&wanted, &host), (vec![], 0));
            let blobs = within(STORE).join("io.containerd.content.v1.content/blobs/sha256");
            let blob = std::fs::read_dir(&blobs)
                .unwrap()
                .next()
                .unwrap()
                .unwrap()
                .path();
            let bytes = std::fs::read(&blob).unwrap();
            std::fs::write(&blob, b"").unwrap();
            let (faults, actions) = look(&wanted, &host);
            assert!(!faults.is_empty() && actions == 0, "{faults:?}");
            std::fs::write(&blob, &bytes).unwrap();
            assert_eq!(look(&wanted, &host), (vec![], 0));

            // Another choice of images is another import.
            std::fs::write(within(FILE), &whole).unwrap();
            let one = entry(
                &program,
                &json!({"images": ["r.example/k8s/base:1"], "cache": false}),
            );
            assert_eq!(look(&one, &host).0, ["not imported"]);
            let cache = within(&format!("{DIR}/.cache.json"));
            std::fs::remove_file(&cache).unwrap();
            apply(&one, &host).unwrap();
            assert!(!cache.exists(), "nobody asked for it");
            assert_eq!(look(&one, &host), (vec![], 0));
            let filler = one.observe(&host).unwrap().filled_by.unwrap();
            assert_eq!(filler.program.as_ref(), Some(&program));
            assert_eq!(one.observe(&host).unwrap().receipt.unwrap().images.len(), 1);
            let arm = entry(&program, &json!({"platform": "linux/riscv64"}));
            let said = apply(&arm, &host).unwrap_err().one_line();
            assert!(said.contains("no image for linux/riscv64"), "{said}");
        });
        for path in [STORE, DIR, "/etc/packer-build"] {
            std::fs::remove_dir_all(within(path)).unwrap();
        }
        std::fs::create_dir_all(within(DIR)).unwrap();
    }
}

/// RKE2's note, and the times by which an archive is known, are looked at each time.
fn remembered_as_it_is(wanted: &ImageArchive, host: &Host, file: &Path, whole: &[u8]) {
    let plain: ImageArchive = ImageArchive {
        cache: false,
        ..wanted.clone()
    };
    let place = |bytes: &[u8], seconds: u64| {
        std::fs::write(file, bytes).unwrap();
        let time = UNIX_EPOCH + Duration::from_secs(1_700_000_000 + seconds);
        let opened = std::fs::File::options().write(true).open(file).unwrap();
        opened.set_modified(time).unwrap();
    };
    // Touched it is the same archive still, but none that RKE2 knows.
    place(whole, 1);
    assert_eq!(look(&plain, host), (vec![], 0));
    let (faults, actions) = look(wanted, host);
    assert!(
        faults[0].contains(".cache.json does not name it") && actions == 1,
        "{faults:?}"
    );
    // As long as it was, at another time, with other bytes.
    place(&vec![b'x'; whole.len()], 2);
    let (faults, actions) = look(&plain, host);
    assert!(
        faults[0].contains("has changed") && actions == 1,
        "{faults:?}"
    );
    // At the same time, but longer.
    place(whole, 3);
    apply(wanted, host).unwrap();
    assert_eq!(look(wanted, host), (vec![], 0));
    place(&[whole, b"x"].concat(), 3);
    let (faults, _) = look(&plain, host);
    assert!(faults[0].contains("has changed"), "{faults:?}");
    place(whole, 3);
    std::fs::remove_file(file.with_file_name(".cache.json")).unwrap();
    assert_eq!(look(&plain, host), (vec![], 0));
    assert_eq!(look(wanted, host).1, 1, "the note is gone");
    apply(wanted, host).unwrap();
    assert_eq!(look(wanted, host), (vec![], 0));
}

#[test]
fn an_archive_with_one_broken_image_is_not_imported_and_the_others_are_there() {
    let tree = debian("store-archive-broken");
    let root = tree.path();
    let within = |path: &str| root.join(&path[1..]);
    std::fs::create_dir_all(within(DIR)).unwrap();
    let program = "/usr/local/bin/containerd";
    let from = Generation::V17.programs().unwrap().containerd;
    std::fs::copy(from, within(program)).unwrap();
    let images = ["good", "bad"].map(|word| tiny(&format!("k8s/{word}:1"), word));
    let names = images.each_ref().map(|image| image.tagged("r.example"));
    let named = [0, 1].map(|at| (&images[at], Some(names[at].as_str())));
    let mut bytes = Archive::oci(&named).pack(Packing::Plain);
    // Where it is not packed nobody reads a layer before it is filled in.
    let layer = &images[1].variants[0].layers[0].blob.bytes;
    let mut windows = bytes.windows(layer.len());
    let at = windows.position(|part| part == layer.as_slice()).unwrap();
    bytes[at + layer.len() / 2] ^= 1;
    std::fs::write(within(FILE), &bytes).unwrap();
    in_namespaces(|| {
        empty("/run");
        let host = host(&tree);
        let wanted = entry(program, &json!({}));
        let said = apply(&wanted, &host).unwrap_err().one_line();
        assert!(said.contains("1 of 2 images failed"), "{said}");
        assert_eq!(look(&wanted, &host), (vec!["not imported".to_owned()], 1));
        let good = entry(program, &json!({"images": [names[0]]}));
        apply(&good, &host).unwrap();
        assert_eq!(look(&good, &host), (vec![], 0));
    });
    std::fs::remove_dir_all(within(STORE)).unwrap();
}

/// The time that a look at fifteen images takes is printed, not judged.
#[test]
fn a_look_at_fifteen_images_is_timed() {
    let tree = debian("store-archive-timed");
    let root = tree.path();
    let within = |path: &str| root.join(&path[1..]);
    std::fs::create_dir_all(within(DIR)).unwrap();
    let program = "/usr/local/bin/containerd";
    std::fs::copy(
        Generation::V17.programs().unwrap().containerd,
        within(program),
    )
    .unwrap();
    let layer = |word: &str| {
        let file = crate::support::images::Entry::file(word, word.as_bytes());
        Layer::new(Packing::Gzip, &[file])
    };
    let images: Vec<Image> = (0..15)
        .map(|at| {
            let own: Vec<Layer> = (0..6).map(|l| layer(&format!("{at}-{l}"))).collect();
            let layers = [vec![layer("base")], own].concat();
            Image::single(&format!("k8s/i{at}:1"), Dialect::Oci, &layers)
        })
        .collect();
    let names: Vec<String> = images.iter().map(|i| i.tagged("r.example")).collect();
    let named: Vec<_> = images
        .iter()
        .zip(&names)
        .map(|(i, n)| (i, Some(n.as_str())))
        .collect();
    std::fs::write(within(FILE), Archive::oci(&named).pack(Packing::Zstd)).unwrap();
    in_namespaces(|| {
        empty("/run");
        let host = host(&tree);
        let wanted = entry(program, &json!({}));
        apply(&wanted, &host).unwrap();
        let begun = std::time::Instant::now();
        assert_eq!(look(&wanted, &host), (vec![], 0));
        eprintln!(
            "a look at {} images took {:?}",
            images.len(),
            begun.elapsed()
        );
    });
    std::fs::remove_dir_all(within(STORE)).unwrap();
}
