//! What a crash of the machine leaves: nothing is believed that no image refers to.
//! Separate because a machine cannot be crashed here: only what it would leave is laid out.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::bench::Bench;
use super::feed::Feed;
use super::stand::options;
use crate::support::images::small::small;
use nodeagent::host::containerd::Containerd as _;

static ASKED: AtomicUsize = AtomicUsize::new(0);

/// Asks to stop at the sixth layer, for good.
fn sixth() -> Option<i32> {
    (ASKED.fetch_add(1, Ordering::SeqCst) >= 5).then_some(15)
}

/// A store as an interrupted fill leaves it.
fn interrupted() -> (Bench, Vec<crate::support::images::Image>) {
    let images = small(b"a program");
    let mut bench = Bench::new();
    let mut options = options();
    options.jobs = Some(1);
    options.stop = sixth;
    ASKED.store(0, Ordering::SeqCst);
    let stopped = bench.try_fill(&Feed::of(&images), &Feed::wanted(&images), &options);
    stopped.unwrap_err();
    assert!(!bench.fake.snapshots().unwrap().is_empty());
    (bench, images)
}

/// Blobs that a fill asks for after a change to what the interrupted one left.
fn asked_after(change: impl Fn(&Bench)) -> usize {
    let (mut bench, images) = interrupted();
    change(&bench);
    let feed = Feed::of(&images);
    let wanted = Feed::wanted(&images);
    let report = bench.fill(&feed, &wanted);
    assert!(
        Bench::classes(&report).iter().all(|class| *class == "-"),
        "{report:?}"
    );
    bench.whole(&wanted);
    let mut clean = Bench::new();
    clean.fill(&Feed::of(&images), &wanted);
    assert!(bench.contents() == clean.contents());
    feed.asked.load(Ordering::SeqCst)
}

/// Makes every file of snapshots and blobs empty, as a power cut does to what was not written yet.
fn zeroed(bench: &Bench) {
    fn walk(dir: &std::path::Path) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let meta = path.symlink_metadata().unwrap();
            if meta.is_dir() {
                walk(&path);
            } else if meta.is_file() {
                std::fs::write(&path, vec![0; usize::try_from(meta.len()).unwrap()]).unwrap();
            }
        }
    }
    walk(&bench.dir.path().join("io.containerd.content.v1.content"));
    walk(
        &bench
            .dir
            .path()
            .join("io.containerd.snapshotter.v1.overlayfs"),
    );
    walk(&bench.dir.path().join("io.nodeagent.staging/blobs"));
}

#[test]
fn after_a_crash_of_the_machine_nothing_unfinished_is_believed() {
    let all = {
        let images = small(b"a program");
        let feed = Feed::of(&images);
        Bench::new().fill(&feed, &Feed::wanted(&images));
        feed.asked.load(Ordering::SeqCst)
    };
    let mark = |bench: &Bench| bench.dir.path().join("io.nodeagent.staging/boot");
    // After a mere kill what is there is used again.
    let killed = asked_after(|_| {});
    assert!(killed < all, "{killed} of {all}");
    // Another boot, no mark, no staging directory: everything again, whatever lies there.
    let crashed = asked_after(|bench| {
        zeroed(bench);
        std::fs::write(mark(bench), "another-boot").unwrap();
    });
    assert_eq!(crashed, all);
    assert_eq!(
        asked_after(|bench| {
            zeroed(bench);
            std::fs::remove_file(mark(bench)).unwrap();
        }),
        all
    );
    assert_eq!(
        asked_after(|bench| {
            zeroed(bench);
            std::fs::remove_dir_all(bench.dir.path().join("io.nodeagent.staging")).unwrap();
        }),
        all
    );
}
