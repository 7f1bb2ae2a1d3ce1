//! What can be wrong with a store: named by the judge, and put right by the next fill.
//! Separate because it breaks stores on purpose, one way at a time.

use std::path::PathBuf;
use std::sync::atomic::Ordering;

use super::bench::Bench;
use super::feed::{Feed, HOST};
use super::stand::options;
use crate::support::images::{Image, small::small};
use nodeagent::host::containerd::Containerd as _;
use nodeagent::host::oci::{Digest, Name};
use nodeagent::store::{Flaw, Report, Wanted};

/// A filled store, and the images in it.
pub(super) fn filled() -> (Bench, Vec<Image>, Vec<Wanted>) {
    let images = small(b"a program");
    let wanted = Feed::wanted(&images);
    let mut bench = Bench::new();
    bench.fill(&Feed::of(&images), &wanted);
    bench.whole(&wanted);
    (bench, images, wanted)
}

/// Breaks a store, has the judge name it, fills again, and gives what that asked for.
pub(super) fn mended(break_it: impl Fn(&mut Bench, &[Image]), is: impl Fn(&Flaw) -> bool) -> usize {
    let (mut bench, images, wanted) = filled();
    let before = bench.contents();
    break_it(&mut bench, &images);
    let faults = bench.faults(&wanted);
    assert!(
        !faults.is_empty() && faults.iter().all(|fault| is(&fault.flaw)),
        "{faults:?}"
    );
    assert!(faults.iter().all(|fault| fault.image.is_some()));
    let feed = Feed::of(&images);
    let report = bench.fill(&feed, &wanted);
    well(&report);
    bench.whole(&wanted);
    assert!(bench.contents() == before);
    feed.asked.load(Ordering::SeqCst)
}

fn well(report: &Report) {
    assert!(
        Bench::classes(report).iter().all(|class| *class == "-"),
        "{report:?}"
    );
}

pub(super) fn layer(images: &[Image]) -> Digest {
    Digest::parse(&images[5].variants[0].layers[0].blob.digest).unwrap()
}

pub(super) fn config(images: &[Image]) -> Digest {
    Digest::parse(&images[5].variants[0].config.digest).unwrap()
}

pub(super) fn manifest(images: &[Image]) -> Digest {
    Digest::parse(&images[5].variants[0].manifest.digest).unwrap()
}

#[test]
fn blobs_that_are_gone_or_cut_are_fetched_again_and_nothing_else() {
    let gone = |bench: &mut Bench, images: &[Image]| {
        std::fs::remove_file(bench.fake.blob(&layer(images))).unwrap();
    };
    assert_eq!(mended(gone, |flaw| matches!(flaw, Flaw::NoFile(_))), 1);
    let cut = |bench: &mut Bench, images: &[Image]| {
        std::fs::remove_file(bench.fake.blob(&layer(images))).unwrap();
        std::fs::write(bench.fake.blob(&layer(images)), b"").unwrap();
    };
    assert_eq!(
        mended(cut, |flaw| matches!(flaw, Flaw::Size { have: 0, .. })),
        1
    );
    let forgotten = |bench: &mut Bench, images: &[Image]| {
        bench.fake.forget_content(&layer(images)).unwrap();
    };
    // Its bytes are there still.
    assert_eq!(mended(forgotten, |flaw| matches!(flaw, Flaw::NoBlob(_))), 0);
    let document = |bench: &mut Bench, images: &[Image]| {
        std::fs::remove_file(bench.fake.blob(&config(images))).unwrap();
    };
    assert_eq!(mended(document, |flaw| matches!(flaw, Flaw::NoFile(_))), 1);
    // What comes back is recorded still, and lacks what keeps it and its snapshots from being collected.
    let both = |bench: &mut Bench, images: &[Image]| {
        std::fs::remove_file(bench.fake.blob(&config(images))).unwrap();
        bench
            .fake
            .change(&config(images), |content| content.labels.clear());
    };
    let is = |flaw: &Flaw| matches!(flaw, Flaw::NoFile(_) | Flaw::BlobLabel(..));
    assert_eq!(mended(both, is), 1);
}

#[test]
fn documents_whose_bytes_are_others_are_fetched_again_though_their_size_is_right() {
    let changed = |of: fn(&[Image]) -> Digest| {
        move |bench: &mut Bench, images: &[Image]| {
            let path = bench.fake.blob(&of(images));
            let length = std::fs::read(&path).unwrap().len();
            std::fs::remove_file(&path).unwrap();
            std::fs::write(&path, vec![b' '; length]).unwrap();
        }
    };
    let is = |flaw: &Flaw| matches!(flaw, Flaw::Content(_));
    assert_eq!(mended(changed(config), is), 1);
    // A manifest is no blob to its registry.
    assert_eq!(mended(changed(manifest), is), 0);
}

#[test]
fn snapshots_labels_and_names_are_put_right_without_asking_for_a_layer() {
    let lost = |bench: &mut Bench, images: &[Image]| {
        bench
            .fake
            .lose_snapshot(&images[0].variants[0].layers[0].diff_id);
    };
    assert_eq!(mended(lost, |flaw| matches!(flaw, Flaw::NoSnapshot(_))), 0);
    let unlabelled = |bench: &mut Bench, images: &[Image]| {
        bench
            .fake
            .change(&config(images), |content| content.labels.clear());
    };
    let top = "containerd.io/gc.ref.snapshot.overlayfs";
    assert_eq!(
        mended(
            unlabelled,
            |flaw| matches!(flaw, Flaw::BlobLabel(_, l) if l == top)
        ),
        0
    );
    let tag = format!("{HOST}/k8s/plain:1");
    let unpinned = |bench: &mut Bench, _: &[Image]| {
        let clear = |image: &mut nodeagent::host::containerd::Image| image.labels.clear();
        bench.fake.change_image(&tag, clear);
    };
    assert_eq!(
        mended(
            unpinned,
            |flaw| matches!(flaw, Flaw::RecordLabel(name, _) if *name == tag)
        ),
        0
    );
    let id = |bench: &mut Bench, images: &[Image]| {
        bench.fake.remove_image(config(images).as_str()).unwrap();
    };
    assert_eq!(mended(id, |flaw| matches!(flaw, Flaw::NoRecord(_))), 0);
}

#[test]
fn names_are_those_that_kubelet_asks_for_and_k3s_own_label_is_never_set() {
    let (mut bench, images, mut wanted) = filled();
    wanted[0].also = vec![Name::parse("docker.io/rancher/pause:3.6").unwrap()];
    well(&bench.fill(&Feed::of(&images), &wanted));
    let digest = &images[0].top.digest;
    let mut names: Vec<String> = (bench.fake.images().unwrap().into_iter())
        .filter(|image| image.target.digest.as_str() == digest)
        .map(|image| {
            let labels: Vec<_> = image
                .labels
                .iter()
                .map(|(k, v)| format!("{k}={v}"))
                .collect();
            let usual = [
                "io.cri-containerd.image=managed",
                "io.cri-containerd.pinned=pinned",
            ];
            assert_eq!(labels, usual);
            image.name
        })
        .collect();
    names.sort();
    let mut want = [
        format!("{HOST}/k8s/pause:3.9"),
        format!("{HOST}/k8s/pause@{digest}"),
        "docker.io/rancher/pause:3.6".to_owned(),
        format!("docker.io/rancher/pause@{digest}"),
        images[0].variants[0].config.digest.clone(),
    ];
    want.sort();
    assert_eq!(names, want);
    // The index is what the name stands for, and is kept.
    let index = images
        .iter()
        .find(|image| image.repository == "k8s/index")
        .unwrap();
    let index = Digest::parse(&index.top.digest).unwrap();
    assert!(
        bench
            .fake
            .content()
            .unwrap()
            .iter()
            .any(|content| content.digest == index)
    );
}

#[test]
fn a_deep_fill_finds_and_mends_what_a_power_cut_emptied() {
    let (mut bench, images, wanted) = filled();
    let before = bench.contents();
    let program: PathBuf = (bench.fake.directories().into_values())
        .map(|dir| dir.join("bin/hello"))
        .find(|path| path.exists())
        .unwrap();
    let time = program.metadata().unwrap().modified().unwrap();
    let file = std::fs::File::options().write(true).open(&program).unwrap();
    file.set_len(0).unwrap();
    file.set_modified(time).unwrap();
    let blob = bench.fake.blob(&layer(&images));
    let bytes = vec![0; std::fs::read(&blob).unwrap().len()];
    std::fs::remove_file(&blob).unwrap();
    std::fs::write(&blob, bytes).unwrap();
    // Nobody sees it who does not read.
    assert_eq!(bench.faults(&wanted), []);
    well(&bench.fill(&Feed::of(&images), &wanted));
    assert!(bench.contents() != before);
    let mut deep = options();
    deep.deep = true;
    let feed = Feed::of(&images);
    well(&bench.try_fill(&feed, &wanted, &deep).unwrap());
    assert!(bench.contents() == before);
    assert_eq!(
        feed.asked.load(Ordering::SeqCst),
        1,
        "the broken blob alone"
    );
    let again = bench.try_fill(&feed, &wanted, &deep).unwrap();
    well(&again);
    assert_eq!((again.written, again.fetched), (0, 0));
}

/// Breaks a store in a way that a deep fill must mend, and gives what that asked for.
fn mended_deep(break_it: impl Fn(&Bench, &[Image])) -> usize {
    let (mut bench, images, wanted) = filled();
    let before = bench.contents();
    break_it(&bench, &images);
    let mut deep = options();
    deep.deep = true;
    let feed = Feed::of(&images);
    well(&bench.try_fill(&feed, &wanted, &deep).unwrap());
    bench.whole(&wanted);
    assert!(bench.contents() == before);
    feed.asked.load(Ordering::SeqCst)
}

#[test]
fn a_deep_fill_mends_trees_that_are_gone_and_blobs_that_grew() {
    let tree = |bench: &Bench, _: &[Image]| {
        let mut dirs = bench.fake.directories().into_values();
        let dir = dirs.find(|dir| dir.join("bin/hello").exists()).unwrap();
        std::fs::remove_dir_all(dir).unwrap();
    };
    assert_eq!(mended_deep(tree), 0, "its blob is there");
    let grown = |bench: &Bench, images: &[Image]| {
        let path = bench.fake.blob(&layer(images));
        let bytes = [std::fs::read(&path).unwrap(), b"more".to_vec()].concat();
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, bytes).unwrap();
        // A tree too, so that the layer is looked at by its files as well.
        tree(bench, images);
    };
    assert_eq!(mended_deep(grown), 1);
}

#[test]
fn a_daemon_that_shares_no_content_gets_every_byte() {
    let images = small(b"a program");
    let wanted = Feed::wanted(&images);
    let mut bench = Bench::new();
    bench.fake.shares = false;
    well(&bench.fill(&Feed::of(&images), &wanted));
    bench.whole(&wanted);
    assert!(bench.fake.sent.get() > 20);
}
