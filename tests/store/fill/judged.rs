//! Records that are wrong in one respect each: named by the judge, put right by the next fill, and nothing else is asked for.
//! Separate because no daemon makes such records by itself, and each row is one comparison of the judge's.

use std::path::Path;

use super::bench::{Bench, Heard};
use super::feed::{Feed, HOST};
use super::mend::{config, filled, layer, manifest, mended};
use super::stand::options;
use crate::support::images::{Image, small::small};
use crate::support::namespace::{empty, in_namespaces_of_mounts};
use nodeagent::error::Kind;
use nodeagent::host::containerd::{self, Containerd as _, Content, Snapshot, SnapshotKind};
use nodeagent::host::oci::{Digest, Platform};
use nodeagent::store::{self, Flaw, Place};

/// The name of a snapshot that lies on another and that none lies on.
fn top(bench: &Bench) -> String {
    let all = bench.fake.snapshots().unwrap();
    let holds = |name: &str| all.iter().any(|s| s.parent.as_deref() == Some(name));
    let is_top = |s: &&Snapshot| s.parent.is_some() && !holds(&s.name);
    all.iter().find(is_top).unwrap().name.clone()
}

#[test]
fn a_snapshot_that_is_not_committed_or_lies_on_another_is_made_anew() {
    let changes: [fn(&mut Snapshot); 2] = [
        |snapshot| snapshot.kind = SnapshotKind::Active,
        |snapshot| snapshot.parent = None,
    ];
    for change in changes {
        let break_it = |bench: &mut Bench, _: &[Image]| {
            bench.fake.change_snapshot(&top(bench), change);
        };
        let asked = mended(break_it, |flaw| matches!(flaw, Flaw::Snapshot(_)));
        assert_eq!(asked, 0);
    }
}

#[test]
fn a_blob_that_is_recorded_with_another_size_is_recorded_anew() {
    let longer = |content: &mut Content| content.size += 1;
    let break_it = |bench: &mut Bench, images: &[Image]| {
        bench.fake.change(&layer(images), longer);
    };
    let is = |flaw: &Flaw| matches!(flaw, Flaw::Size { want, have, .. } if *have == want + 1);
    assert_eq!(mended(break_it, is), 0);
}

#[test]
fn a_label_that_keeps_another_blob_or_snapshot_is_none() {
    type Blob = fn(&[Image]) -> Digest;
    let other = Digest::of(b"another");
    let of: [(Blob, &str); 3] = [
        (manifest, "containerd.io/gc.ref.content.config"),
        (config, "containerd.io/gc.ref.snapshot.overlayfs"),
        (layer, "containerd.io/uncompressed"),
    ];
    for (blob, key) in of {
        let break_it = |bench: &mut Bench, images: &[Image]| {
            bench.fake.change(&blob(images), |content| {
                let old = content.labels.insert(key.to_owned(), other.to_string());
                assert!(old.is_some(), "{key}: {content:?}");
            });
        };
        let asked = mended(break_it, |flaw| matches!(flaw, Flaw::BlobLabel(..)));
        assert_eq!(asked, 0, "{key}");
    }
}

#[test]
fn a_name_that_stands_for_something_else_is_given_back() {
    type Change = fn(&mut containerd::Image);
    type Named<'n> = &'n dyn Fn(&[Image]) -> String;
    let larger: Change = |image| image.target.size += 1;
    let another: Change = |image| image.target.digest = Digest::of(b"another");
    let by_digest = |images: &[Image]| format!("{HOST}/k8s/plain@{}", images[5].top.digest);
    let tag = |_: &[Image]| format!("{HOST}/k8s/plain:1");
    let id = |images: &[Image]| config(images).to_string();
    let table: [(Named<'_>, Change); 5] = [
        (&tag, larger),
        (&tag, another),
        (&by_digest, another),
        (&id, larger),
        (&id, another),
    ];
    for (name, change) in table {
        let break_it = |bench: &mut Bench, images: &[Image]| {
            bench.fake.change_image(&name(images), change);
        };
        let is = |flaw: &Flaw| matches!(flaw, Flaw::OtherTarget(_));
        assert_eq!(mended(break_it, is), 0);
    }
}

#[test]
fn an_image_for_another_platform_is_not_the_wanted_one() {
    let (bench, _, wanted) = filled();
    let platform = Platform::parse("linux/riscv64").unwrap();
    let faults = bench.faults_for(&wanted, &platform);
    assert_eq!(faults.len(), wanted.len());
    for fault in faults {
        assert!(matches!(fault.flaw, Flaw::Platform(_)), "{fault}");
    }
}

#[test]
fn what_earlier_fills_left_is_told_and_cleared_and_what_others_do_stays() {
    let (mut bench, images, wanted) = filled();
    let none = containerd::Labels::new();
    for name in ["nodeagent-old", "theirs"] {
        bench.fake.lease(name, 1).unwrap();
        bench.fake.begin(name);
    }
    // Under a lease that stays, so that no collection takes them.
    for name in ["nodeagent-extract left", "running"] {
        bench.fake.prepare(name, None, &none).unwrap();
    }
    // A fill that was killed, and no crash of the machine, after which every lease would be ended.
    let boot = std::fs::read("/proc/sys/kernel/random/boot_id").unwrap();
    let staging = bench.dir.path().join("io.nodeagent.staging");
    std::fs::create_dir(&staging).unwrap();
    std::fs::write(staging.join("boot"), boot).unwrap();
    let told: Vec<Flaw> = bench.faults(&wanted).into_iter().map(|f| f.flaw).collect();
    let ours = || "nodeagent-old".to_owned();
    assert_eq!(told, [Flaw::StaleLease(ours()), Flaw::StaleIngest(ours())]);
    bench.fill(&Feed::of(&images), &wanted);
    bench.whole(&wanted);
    assert_eq!(bench.fake.leases().unwrap(), ["theirs"]);
    assert_eq!(bench.fake.ingests().unwrap(), ["theirs"]);
    let active = bench.fake.snapshots().unwrap().into_iter();
    let active = active.filter(|s| s.kind == SnapshotKind::Active);
    let names: Vec<String> = active.map(|s| s.name).collect();
    assert_eq!(names, ["running"]);
}

#[test]
fn a_daemon_on_another_store_is_refused_and_nothing_is_written() {
    let images = small(b"a program");
    let mut bench = Bench::new();
    let other = tempfile::tempdir().unwrap();
    let place = Place::open(Path::new("/"), other.path()).unwrap();
    let (feed, heard) = (Feed::of(&images), Heard::default());
    let wanted = Feed::wanted(&images);
    let fill = store::fill(&place, &mut bench.fake, &feed, &wanted, &options(), &heard);
    let error = fill.unwrap_err();
    assert_eq!(error.kind(), Kind::Usage);
    let line = error.one_line();
    assert!(line.contains(bench.dir.path().to_str().unwrap()), "{line}");
    assert_eq!(std::fs::read_dir(other.path()).unwrap().count(), 0);
    assert!(bench.fake.content().unwrap().is_empty());
}

#[test]
fn trees_are_left_to_a_daemon_whose_snapshots_lie_on_another_file_system() {
    in_namespaces_of_mounts(|| {
        let images = small(b"a program");
        let wanted = Feed::wanted(&images);
        let mut bench = Bench::new();
        let snapshotter = "io.containerd.snapshotter.v1.overlayfs";
        let snapshotter = bench.dir.path().join(snapshotter);
        empty(snapshotter.to_str().unwrap());
        std::fs::create_dir(snapshotter.join("snapshots")).unwrap();
        let report = bench.fill(&Feed::of(&images), &wanted);
        assert_eq!(report.failed().count(), 0, "{report:?}");
        bench.whole(&wanted);
        let unpacked = |dir: std::path::PathBuf| dir.join("unpacked").exists();
        assert!(bench.fake.directories().into_values().all(unpacked));
        drop(bench);
    });
}
