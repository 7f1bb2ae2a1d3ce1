//! Every layer of the store against what containerd's own pull makes of it, entry by entry.
//! It is separate because it is the one proof that a container cannot tell who unpacked its image.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use super::Stage;
use super::keep::chain;
use crate::support::generations::{Daemon, Generation};
use crate::support::images::Image;
use crate::support::tree_compare::{count, differences};

/// Views are named by number: two images may have one top.
static VIEWS: AtomicUsize = AtomicUsize::new(0);

/// The directories of an image's layers, the lowest first.
fn layers(daemon: &Daemon, image: &Image) -> Vec<PathBuf> {
    let top = chain(image).pop().unwrap();
    let key = format!("view-{}", VIEWS.fetch_add(1, Ordering::Relaxed));
    // Asked for at once: without a lease the next collection takes it.
    let view = ["view", "--target", "/nowhere", &key, &top];
    let of = ["snapshots", "--snapshotter", "overlayfs"];
    let mounts = daemon.ctr_ok(&[&of[..], &view].concat()).unwrap();
    let lower = mounts
        .split([',', ' '])
        .find_map(|word| word.strip_prefix("lowerdir="));
    match lower {
        Some(lower) => lower.trim().split(':').rev().map(PathBuf::from).collect(),
        // mount -t bind /…/fs /nowhere -o ro,rbind
        None => vec![PathBuf::from(mounts.split(' ').nth(3).unwrap())],
    }
}

/// Trees of all images, each layer of each chain once.
fn compare(
    ours: &Daemon,
    theirs: &Daemon,
    images: &[Image],
    since: SystemTime,
) -> (usize, Vec<String>) {
    let (mut seen, mut entries, mut found) = (Vec::new(), 0, Vec::new());
    for image in images {
        let (left, right) = (layers(ours, image), layers(theirs, image));
        assert_eq!(left.len(), chain(image).len(), "{}", image.repository);
        assert_eq!(left.len(), right.len(), "{}", image.repository);
        for (at, (left, right)) in left.into_iter().zip(right).enumerate() {
            if seen.contains(&left) {
                continue;
            }
            entries += count(&left);
            let differ = differences(&left, &right, since).into_iter();
            found.extend(differ.map(|line| format!("{}, layer {at}: {line}", image.repository)));
            seen.push(left);
        }
    }
    (entries, found)
}

#[test]
fn every_layer_is_as_containerds_own_pull_leaves_it() {
    for generation in Generation::ALL {
        let since = SystemTime::now();
        let stage = Stage::filled(generation);
        let ours = stage.daemon(false);
        let theirs = Daemon::start(generation).unwrap();
        for image in &stage.images {
            let name = image.tagged(stage.registry.host());
            theirs
                .ctr_ok(&["images", "pull", "--plain-http", &name])
                .unwrap();
        }
        let (entries, found) = compare(&ours, &theirs, &stage.images, since);
        assert!(entries > 150, "{entries}");
        assert_eq!(
            found,
            Vec::<String>::new(),
            "containerd {}",
            generation.name()
        );
        // The same trees again, one of them with a difference that only an attribute shows.
        let changed = layers(&theirs, stage.image("k8s/plain"))
            .remove(0)
            .join("zeros");
        rustix::fs::lsetxattr(&changed, "user.new", b"1", rustix::fs::XattrFlags::CREATE).unwrap();
        let one = std::slice::from_ref(stage.image("k8s/plain"));
        let (_, found) = compare(&ours, &theirs, one, since);
        assert!(
            found.iter().any(|line| line.contains("zeros: attributes")),
            "{found:?}"
        );
    }
}
