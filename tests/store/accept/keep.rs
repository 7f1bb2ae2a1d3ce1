//! What containerd itself says of the store after a restart, and what it drops when one image goes.
//! It is separate because its garbage collector forgives nothing: a reference that is missing costs blobs.

use std::collections::BTreeSet;

use super::Stage;
use crate::support::generations::{Daemon, Generation};
use crate::support::images::Image;

/// Lines of a table, without its head, as words.
fn table(daemon: &Daemon, args: &[&str]) -> Vec<Vec<String>> {
    let text = daemon.ctr_ok(args).unwrap();
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect();
    text.lines().skip(1).map(words).collect()
}

/// The first words of such lines.
pub(super) fn firsts(daemon: &Daemon, args: &[&str]) -> BTreeSet<String> {
    let lines = table(daemon, args).into_iter();
    lines.filter_map(|line| line.first().cloned()).collect()
}

pub(super) fn blobs(daemon: &Daemon) -> BTreeSet<String> {
    firsts(daemon, &["content", "ls"])
}

pub(super) fn snapshots(daemon: &Daemon) -> BTreeSet<String> {
    firsts(daemon, &["snapshots", "--snapshotter", "overlayfs", "ls"])
}

/// Two sets must be equal; only what differs is shown.
pub(super) fn same(have: &BTreeSet<String>, want: &BTreeSet<String>) {
    let differ: Vec<&String> = have.symmetric_difference(want).collect();
    assert!(differ.is_empty(), "{differ:?} of {have:#?}");
}

/// Digests of everything that an image is made of here.
pub(super) fn parts(image: &Image) -> BTreeSet<String> {
    let variant = image.variant("linux/amd64");
    let layers = variant.layers.iter().map(|layer| layer.blob.digest.clone());
    let documents = [
        &image.top.digest,
        &variant.manifest.digest,
        &variant.config.digest,
    ];
    layers.chain(documents.into_iter().cloned()).collect()
}

/// The chain ids of an image.
pub(super) fn chain(image: &Image) -> Vec<String> {
    let mut chain: Vec<String> = Vec::new();
    for layer in &image.variant("linux/amd64").layers {
        let next = match chain.last() {
            None => layer.diff_id.clone(),
            Some(below) => {
                let text = format!("{below} {}", layer.diff_id);
                format!("sha256:{}", nodeagent::host::root::sha256(text.as_bytes()))
            }
        };
        chain.push(next);
    }
    chain
}

#[test]
fn after_a_restart_every_image_is_complete_unpacked_and_pinned_under_all_its_names() {
    for generation in Generation::ALL {
        let stage = Stage::filled(generation);
        let daemon = stage.daemon(false);
        let checked = table(&daemon, &["images", "check"]);
        let listed = table(&daemon, &["images", "ls"]);
        let line = |lines: &[Vec<String>], name: &str| {
            let found = lines.iter().find(|line| line[0] == name);
            found
                .unwrap_or_else(|| panic!("no {name}: {lines:?}"))
                .join(" ")
        };
        let mut wanted = BTreeSet::new();
        for image in &stage.images {
            for name in stage.names(image) {
                let check = line(&checked, &name);
                assert!(check.contains(" complete ("), "{check}");
                assert!(check.ends_with(" true"), "{check}");
                let list = line(&listed, &name);
                assert!(list.contains(&image.top.digest), "{list}");
                for label in [
                    "io.cri-containerd.image=managed",
                    "io.cri-containerd.pinned=pinned",
                ] {
                    assert!(list.contains(label), "{list}");
                }
                wanted.insert(name);
            }
        }
        let names: BTreeSet<String> = listed.into_iter().map(|line| line[0].clone()).collect();
        same(&names, &wanted);
        same(
            &blobs(&daemon),
            &stage.images.iter().flat_map(parts).collect(),
        );
        same(
            &snapshots(&daemon),
            &stage.images.iter().flat_map(chain).collect(),
        );
        assert_eq!(firsts(&daemon, &["leases", "ls"]), BTreeSet::new());
        assert_eq!(firsts(&daemon, &["content", "active"]), BTreeSet::new());
        daemon.stop().unwrap();
    }
}

#[test]
fn an_image_that_goes_takes_only_its_own_blobs_and_snapshots() {
    for generation in Generation::ALL {
        let stage = Stage::filled(generation);
        let daemon = stage.daemon(false);
        // It shares its base with three others, and a layer with one of them.
        for gone in ["k8s/changes", "k8s/index", "k8s/pause"] {
            let image = stage.image(gone);
            for name in stage.names(image) {
                daemon.ctr_ok(&["images", "rm", "--sync", &name]).unwrap();
            }
        }
        let left = |image: &&Image| {
            !["k8s/changes", "k8s/index", "k8s/pause"].contains(&&*image.repository)
        };
        let kept: Vec<&Image> = stage.images.iter().filter(left).collect();
        assert_eq!(kept.len(), stage.images.len() - 3);
        same(
            &blobs(&daemon),
            &kept.iter().flat_map(|i| parts(i)).collect(),
        );
        same(
            &snapshots(&daemon),
            &kept.iter().flat_map(|i| chain(i)).collect(),
        );
        for line in table(&daemon, &["images", "check"]) {
            assert_eq!(line.last().map(String::as_str), Some("true"), "{line:?}");
        }
        daemon.stop().unwrap();
    }
}
