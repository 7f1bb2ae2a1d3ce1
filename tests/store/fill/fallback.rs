//! The slow way on real daemons: content that is not shared, another snapshotter, layers out of the ordinary, and file
//! systems that hold no layers.
//! Separate because here containerd itself unpacks what our program fetched, and its own client is the measure.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nodeagent::host::containerd::{
    Client, Containerd as _, Labels, Prepared, SnapshotKind, Snapshotter,
};

use super::stand::{NAMESPACE, Stand, difference, directories, inventory, restarted};
use super::tree::tree;
use crate::store::daemon::overlay;
use crate::support::generations::{Daemon, Generation, Options};
use crate::support::images::{Dialect, Entry, Image, Layer, Packing};
use crate::support::machine::run::{Done, run};
use crate::support::namespace::in_namespaces_of_mounts;

/// One verb of `image` on a daemon that runs.
fn image(daemon: &Daemon, verb: &str, args: &[&str]) -> Done {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nodeagent"));
    command.args(["image", verb, "--address"]);
    command.arg(daemon.socket()).args(args);
    run(&mut command, Duration::from_secs(120)).unwrap()
}

fn pull(daemon: &Daemon, stand: &Stand, more: &[&str]) -> Done {
    let host = stand.registry.host();
    let names: Vec<String> = stand.wanted().iter().map(|w| w.name.to_string()).collect();
    let names = names.iter().map(String::as_str);
    let all: Vec<&str> = ["--plain-http", host].into_iter().chain(names).collect();
    image(daemon, "pull", &[&all, more].concat())
}

fn well(done: &Done) {
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
}

/// Nothing half done is left.
fn tidy(daemon: &Daemon) {
    let left = inventory(daemon);
    assert!(
        left.leases.is_empty() && left.ingests.is_empty(),
        "{left:?}"
    );
    assert!(!daemon.root().join("io.nodeagent.staging").exists());
}

#[test]
fn a_daemon_that_shares_no_content_is_sent_it_and_unpacks_it() {
    let stand = Stand::small();
    for generation in Generation::ALL {
        let config =
            "[plugins.\"io.containerd.metadata.v1.bolt\"]\ncontent_sharing_policy = \"isolated\"\n";
        let root = tempfile::tempdir().unwrap();
        let options = Options {
            config: config.to_owned(),
            root: Some(root.path().to_owned()),
            ..Options::default()
        };
        let ours = Daemon::start_with(generation, &options).unwrap();
        well(&pull(&ours, &stand, &[]));
        tidy(&ours);
        let theirs = Daemon::start(generation).unwrap();
        stand.reference(&theirs);
        let differs = difference(&ours, &theirs);
        assert!(differs.is_empty(), "{}: {differs:#?}", generation.name());
        let blobs = stand
            .registry
            .requests()
            .iter()
            .filter(|r| r.is_blob())
            .count();
        well(&pull(&ours, &stand, &[]));
        let again = stand
            .registry
            .requests()
            .iter()
            .filter(|r| r.is_blob())
            .count();
        assert_eq!(again, blobs, "all is there");
        restarted(ours);
    }
}

/// Snapshots of the native snapshotter, which are whole trees.
fn natives(daemon: &Daemon) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut client = Client::connect(&daemon.socket(), NAMESPACE)
        .unwrap()
        .on(Snapshotter::parse("native").unwrap());
    client.lease("test-look", 1).unwrap();
    let mut all = BTreeMap::new();
    for snapshot in client.snapshots().unwrap() {
        assert_eq!(snapshot.kind, SnapshotKind::Committed, "{snapshot:?}");
        let key = format!("test-look {}", snapshot.name);
        let prepared = client.prepare(&key, Some(&snapshot.name), &Labels::new());
        let Ok(Prepared::New(mounts)) = prepared else {
            panic!("{key}: {prepared:?}");
        };
        all.insert(snapshot.name, tree(Path::new(&mounts[0].source)));
        client.remove_snapshot(&key).unwrap();
    }
    client.end_lease("test-look").unwrap();
    all
}

#[test]
fn another_snapshotter_gets_what_containerds_own_pull_gives_it() {
    let stand = Stand::small();
    for generation in Generation::ALL {
        let native = ["--snapshotter", "native"];
        let ours = Daemon::start(generation).unwrap();
        well(&pull(&ours, &stand, &native));
        tidy(&ours);
        assert!(inventory(&ours).snapshots.is_empty(), "none of overlayfs");
        let theirs = Daemon::start(generation).unwrap();
        for image in &stand.images {
            let name = image.tagged(stand.registry.host());
            let mut args = vec![
                "images",
                "pull",
                "--plain-http",
                "--platform",
                "linux/amd64",
            ];
            // Its transfer service unpacks for snapshotters of its configuration alone.
            args.extend((generation == Generation::V2).then_some("--local"));
            args.extend(native.iter().chain([&&*name]));
            theirs.ctr_ok(&args).unwrap();
        }
        let (own, other) = (natives(&ours), natives(&theirs));
        assert!(own.len() > 10 && own.keys().eq(other.keys()));
        for (name, files) in &own {
            assert_eq!(files, &other[name], "{} {name}", generation.name());
        }
        // Nothing of it is collected, and its own check knows the snapshotter.
        let names: Vec<String> = stand.wanted().iter().map(|w| w.name.to_string()).collect();
        let mut check: Vec<&str> = native.to_vec();
        check.extend(names.iter().map(String::as_str));
        well(&image(&ours, "check", &check));
        assert_eq!(
            image(&ours, "check", &check[2..]).code,
            3,
            "none of overlayfs"
        );
        let said = ours
            .ctr_ok(&["images", "check", "--snapshotter", "native"])
            .unwrap();
        assert!(
            said.lines()
                .skip(1)
                .all(|line| line.trim_end().ends_with("true")),
            "{said}"
        );
    }
}

/// Layers that our writer leaves to containerd.
fn odd() -> Vec<Image> {
    let opaque = [
        Entry::dir("d/"),
        Entry::file("d/a", b"a"),
        Entry::file("d/e/f", b"f"),
        Entry::opaque("d"),
        Entry::file("d/b", b"b"),
    ];
    let link = [
        Entry::dir("usr/"),
        Entry::dir("usr/lib/"),
        Entry::symlink("lib", "usr/lib"),
        Entry::file("lib/new/file", b"behind a link"),
    ];
    let upper = [Entry::file("above", b"x"), Entry::whiteout("d/b")];
    let none = [Entry::dir("x/"), Entry::file("x", b"a file now")];
    let [opaque, link, none, upper] =
        [&opaque[..], &link, &none, &upper].map(|entries| Layer::new(Packing::Gzip, entries));
    vec![
        Image::single(
            "odd/opaque:1",
            Dialect::Oci,
            &[opaque.clone(), upper.clone()],
        ),
        Image::single("odd/link:1", Dialect::Docker, &[link, upper, opaque, none]),
    ]
}

#[test]
fn layers_out_of_the_ordinary_are_unpacked_by_containerd_itself() {
    let stand = Stand::with(odd());
    for generation in Generation::ALL {
        for more in [&[][..], &["--no-keep-layers"]] {
            let ours = Daemon::start(generation).unwrap();
            let done = pull(&ours, &stand, more);
            well(&done);
            let told = done.stderr.matches("the daemon unpacks").count();
            assert_eq!(told, 3, "{}", done.stderr);
            tidy(&ours);
            let theirs = Daemon::start(generation).unwrap();
            stand.reference(&theirs);
            let differs = difference(&ours, &theirs);
            assert!(differs.is_empty(), "{}: {differs:#?}", generation.name());
            assert!(!directories(&ours).is_empty());
        }
    }
}

/// A daemon on a store in a file system of the test's own.
fn on(root: PathBuf) -> Daemon {
    let options = Options {
        root: Some(root),
        ..Options::default()
    };
    Daemon::start_with(Generation::V2, &options).unwrap()
}

fn refused(daemon: &Daemon, stand: &Stand, why: &str) {
    let done = pull(daemon, stand, &[]);
    assert_eq!(done.code, 4, "{}{}", done.stdout, done.stderr);
    for word in [why, "ext4"] {
        assert!(done.stderr.contains(word), "{word}: {}", done.stderr);
    }
    let have = inventory(daemon);
    assert!(
        have.images.is_empty() && have.content.is_empty(),
        "{have:?}"
    );
    tidy(daemon);
    assert!(!daemon.root().join("io.nodeagent.probe").exists());
}

#[test]
fn a_store_that_carries_no_layers_of_overlayfs_is_refused_before_anything_is_fetched() {
    let stand = Stand::with(odd());
    let pushed = stand.registry.requests().len();
    in_namespaces_of_mounts(|| {
        let dir = overlay::dir();
        let daemon = on(overlay::mounted(dir.path()).join("store"));
        refused(&daemon, &stand, "it lies on an overlay file system");
        assert_eq!(stand.registry.requests().len(), pushed);
        // A node with such a store has another snapshotter.
        well(&pull(&daemon, &stand, &["--snapshotter", "native"]));
        let done = pull(&daemon, &stand, &["--snapshotter", "no-such"]);
        assert_eq!(done.code, 4, "{}", done.stderr);
        assert!(
            done.stderr.contains("snapshotter no-such is not usable"),
            "{}",
            done.stderr
        );
        drop(daemon);

        let plain = tempfile::tempdir().unwrap();
        let flags = nix::mount::MsFlags::empty();
        let none = None::<&str>;
        nix::mount::mount(Some("none"), plain.path(), Some("ramfs"), flags, none).unwrap();
        let daemon = on(plain.path().join("store"));
        let before = stand.registry.requests().len();
        refused(&daemon, &stand, "extended attribute");
        assert_eq!(stand.registry.requests().len(), before);
    });
}
