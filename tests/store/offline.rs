//! Stores of three containerds read from their files, compared with what each lists of itself.
//! Separate because the databases are real ones here: no writer of ours has touched them.

use std::os::unix::fs::FileExt as _;
use std::path::Path;

use nodeagent::host::containerd::{Client, Containerd as _};
use nodeagent::host::oci::Digest;
use nodeagent::store::offline::{self, Blobs};
use nodeagent::store::{Inventory, Judged as _, Place};

use crate::support::archives::Archive;
use crate::support::generations::{Daemon, Generation, Options};
use crate::support::images::small::small;
use crate::support::images::{Dialect, Entry, Image, Layer, Packing};

const NAMESPACE: &str = "k8s.io";

/// Fills a daemon's store by its own tools: many images, labels, a lease, a container's snapshot, a begun write.
fn fill(daemon: &Daemon, dir: &Path, images: usize) {
    let mut all = small(b"a program");
    let base = Layer::new(Packing::Gzip, &[Entry::file("base", b"b")]);
    for at in 0..images {
        let own = Layer::new(Packing::Gzip, &[Entry::file(&format!("own{at}"), b"x")]);
        let layers = [base.clone(), own];
        all.push(Image::single(
            &format!("k8s/many{at}:1"),
            Dialect::Oci,
            &layers,
        ));
    }
    let names: Vec<String> = all.iter().map(|image| image.tagged("r.example")).collect();
    let named: Vec<_> = all
        .iter()
        .zip(&names)
        .map(|(i, n)| (i, Some(n.as_str())))
        .collect();
    let file = dir.join("all.tar");
    std::fs::write(&file, Archive::oci(&named).pack(Packing::Plain)).unwrap();
    daemon
        .ctr_ok(&["images", "import", file.to_str().unwrap()])
        .unwrap();
    let label = [
        "io.cri-containerd.image=managed",
        "io.cri-containerd.pinned=pinned",
    ];
    for name in names.iter().step_by(2) {
        daemon
            .ctr_ok(&[&["images", "label", name][..], &label].concat())
            .unwrap();
    }
    daemon
        .ctr_ok(&[
            "leases",
            "create",
            "--id",
            "kept",
            "--expires",
            "24h",
            "a=b",
        ])
        .unwrap();
    let top = daemon.ctr_ok(&["snapshots", "ls"]).unwrap();
    let committed = top.lines().find(|line| line.contains("Committed")).unwrap();
    let parent = committed.split_whitespace().next().unwrap().to_owned();
    daemon
        .ctr_ok(&["snapshots", "prepare", "running", &parent])
        .unwrap();
    daemon
        .ctr_ok(&["snapshots", "view", "looked-at", &parent])
        .unwrap();
    // Another namespace's records are not ours.
    let other = ["-n", "default", "leases", "create", "--id", "theirs"];
    daemon.ctr_ok(&other).unwrap();
}

/// What the daemon says of itself, in the order that the databases have.
fn listed(daemon: &Daemon) -> Inventory {
    let client = Client::connect(&daemon.socket(), NAMESPACE).unwrap();
    sorted(Inventory {
        images: client.images().unwrap(),
        content: client.content().unwrap(),
        snapshots: client.snapshots().unwrap(),
        leases: client.leases().unwrap(),
        ingests: client.ingests().unwrap(),
        ..Inventory::default()
    })
}

fn sorted(mut inventory: Inventory) -> Inventory {
    inventory.images.sort_by(|a, b| a.name.cmp(&b.name));
    inventory.content.sort_by(|a, b| a.digest.cmp(&b.digest));
    inventory.snapshots.sort_by(|a, b| a.name.cmp(&b.name));
    inventory.leases.sort();
    inventory.ingests.sort();
    inventory
}

fn place(root: &Path) -> Place {
    Place::open(Path::new("/"), root).unwrap()
}

#[test]
fn a_store_is_read_as_its_own_daemon_lists_it() {
    for generation in Generation::ALL {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        let options = Options {
            root: Some(root.clone()),
            ..Options::default()
        };
        let daemon = Daemon::start_with(generation, &options).unwrap();
        fill(&daemon, dir.path(), 40);
        let want = listed(&daemon);
        assert_eq!(want.images.len(), 49);
        assert!(
            want.content.len() > 120 && want.snapshots.len() > 50,
            "{want:?}"
        );
        assert!(want.leases.contains(&"kept".to_owned()));

        // A daemon that runs has its database locked.
        let error = offline::read(&place(&root), NAMESPACE).unwrap_err();
        assert!(
            error.one_line().contains("a containerd is running"),
            "{error}"
        );
        daemon.stop().unwrap();

        let before = std::fs::read(root.join("io.containerd.metadata.v1.bolt/meta.db")).unwrap();
        let mut have = offline::read(&place(&root), NAMESPACE).unwrap();
        let after = std::fs::read(root.join("io.containerd.metadata.v1.bolt/meta.db")).unwrap();
        assert!(before == after, "nothing is written");
        let directories = std::mem::take(&mut have.directories);
        assert_eq!(sorted(have), want, "{}", generation.name());
        for snapshot in &want.snapshots {
            let files = root.join(&directories[&snapshot.name]);
            assert!(files.is_dir(), "{}", files.display());
        }
        let place = place(&root);
        let mut blobs = Blobs::new(&place);
        for blob in &want.content {
            assert_eq!(blobs.size(&blob.digest).unwrap(), Some(blob.size));
            let bytes = blobs.document(&blob.digest).unwrap().unwrap();
            assert_eq!(Digest::of(&bytes), blob.digest);
        }
        let empty = offline::read(&place, "none").unwrap();
        assert_eq!(empty, Inventory::default());
        flipped(&root);
    }
}

/// Flips bits of both databases and cuts them off, thousands of times: an error or records, and an end.
fn flipped(root: &Path) {
    let dir = tempfile::tempdir().unwrap();
    let files = [
        "io.containerd.metadata.v1.bolt/meta.db",
        "io.containerd.snapshotter.v1.overlayfs/metadata.db",
    ];
    let whole = files.map(|file| std::fs::read(root.join(file)).unwrap());
    for file in files {
        std::fs::create_dir_all(dir.path().join(file).parent().unwrap()).unwrap();
    }
    let at = |which: usize| dir.path().join(files[which]);
    let place = place(dir.path());
    let mut seed = 11u64;
    let mut random = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(seed >> 33).unwrap() % below
    };
    let (mut errors, rounds) = (0, 400);
    for which in 0..2 {
        std::fs::write(at(1 - which), &whole[1 - which]).unwrap();
        std::fs::write(at(which), &whole[which]).unwrap();
        let file = std::fs::File::options()
            .write(true)
            .open(at(which))
            .unwrap();
        let length = whole[which].len();
        for round in 0..rounds {
            // Mostly where pages and their elements begin: there a bit leads somewhere else.
            let mut places = Vec::new();
            for _ in 0..=round % 3 {
                let within = if round % 4 == 0 { 4096 } else { 200 };
                let place = random(length / 4096) * 4096 + random(within);
                let bytes = [whole[which][place] ^ (1 << random(8))];
                file.write_all_at(&bytes, place as u64).unwrap();
                places.push(place);
            }
            errors += usize::from(offline::read(&place, NAMESPACE).is_err());
            for place in places {
                let bytes = &whole[which][place..=place];
                file.write_all_at(bytes, place as u64).unwrap();
            }
        }
        for _ in 0..20 {
            std::fs::write(at(which), &whole[which][..random(length)]).unwrap();
            errors += usize::from(offline::read(&place, NAMESPACE).is_err());
        }
        std::fs::write(at(which), &whole[which]).unwrap();
    }
    assert!(errors > rounds / 4, "{errors}");
    offline::read(&place, NAMESPACE).unwrap();
}
