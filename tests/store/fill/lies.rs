//! Wrong bytes, wrong platforms, bombs, full disks, a stop request: the right class, and nothing of it registered.
//! Separate because these faults are in what comes, not in the parts.

use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};

use super::bench::{Bench, Heard, unpinned};
use super::feed::{Feed, Lie};
use super::stand::options;
use crate::support::images::{Dialect, Entry, Image, Layer, Packing, small::small, tiny};
use crate::support::namespace;
use nodeagent::error::Kind;
use nodeagent::host::containerd::Containerd as _;
use nodeagent::store::{Flaw, Wanted};

fn layer(word: &str) -> Layer {
    Layer::new(
        Packing::Gzip,
        &[Entry::file("word", word.repeat(5000).as_bytes())],
    )
}

/// One good image beside a bad one: the good one is whole, of the bad one nothing is left.
fn beside(bad: &Image, lie: Option<(&str, Lie)>) -> (Bench, String, Heard) {
    let images = [tiny("k8s/good:1", "good"), bad.clone()];
    let feed = Feed::of(&images);
    feed.lies
        .lock()
        .unwrap()
        .extend(lie.map(|(digest, lie)| (digest.to_owned(), lie)));
    let mut bench = Bench::new();
    let heard = Heard::default();
    let wanted = Feed::wanted(&images);
    let report = bench.told(&feed, &wanted, &options(), &heard).unwrap();
    bench.whole(&wanted[..1]);
    let own = bench.contents();
    let mut alone = Bench::new();
    alone.fill(&feed, &wanted[..1]);
    let classes = Bench::classes(&report);
    assert_eq!(classes[0], "-");
    if classes[1] != "-" {
        assert!(
            own == alone.contents(),
            "something of the bad image is left"
        );
        assert_eq!(bench.fake.images().unwrap(), alone.fake.images().unwrap());
    }
    let failure = report.images[1].outcome.as_ref().err();
    let said = failure.map_or_else(String::new, |f| {
        format!("{}: {}", f.class, f.error.one_line())
    });
    (bench, said, heard)
}

#[test]
fn a_wrong_byte_once_is_fetched_again_and_twice_is_an_error() {
    let layer = layer("some text ");
    let digest = layer.blob.digest.clone();
    let image = Image::single("k8s/bad:1", Dialect::Oci, &[layer]);
    let (_, said, heard) = beside(&image, Some((&digest, Lie::Wrong(1))));
    assert_eq!((said.as_str(), heard.count("LayerAgain")), ("", 1));
    let (_, said, heard) = beside(&image, Some((&digest, Lie::Wrong(2))));
    assert_eq!(heard.count("LayerAgain"), 1);
    let name = image.pinned(super::feed::HOST);
    for part in ["digest: ", &name, &digest, "wanted sha256:", "got sha256:"] {
        assert!(said.contains(part), "{said}");
    }
}

#[test]
fn a_wrong_configuration_or_manifest_is_an_error() {
    let image = Image::single("k8s/bad:1", Dialect::Oci, &[layer("x")]);
    let digest = image.variants[0].config.digest.clone();
    let (_, said, _) = beside(&image, Some((&digest, Lie::Wrong(9))));
    assert!(
        said.starts_with("digest: ") && said.contains(&digest),
        "{said}"
    );
}

#[test]
fn a_layer_that_is_not_what_its_configuration_says_is_an_error() {
    let mut wrong = layer("x");
    wrong.diff_id = layer("y").diff_id;
    let want = wrong.diff_id.clone();
    let (_, said, _) = beside(&Image::single("k8s/bad:1", Dialect::Oci, &[wrong]), None);
    assert!(
        said.starts_with("digest: ") && said.contains(&want),
        "{said}"
    );
}

#[test]
fn a_broken_disk_below_the_source_is_told() {
    let layer = layer("some text that is long enough for two reads ");
    let layer = Layer::from_tar(
        Packing::Plain,
        &[layer.blob.bytes.as_slice(), &[0; 4096]].concat(),
    );
    let digest = layer.blob.digest.clone();
    let image = Image::single("k8s/bad:1", Dialect::Oci, &[layer]);
    let (_, said, _) = beside(&image, Some((&digest, Lie::Io)));
    assert!(
        said.starts_with("store: ") && said.contains("os error 5"),
        "{said}"
    );
}

#[test]
fn images_of_other_platforms_are_refused() {
    let foreign = Image::index(
        "k8s/bad:1",
        Dialect::Oci,
        &[("linux/arm64/v8", vec![layer("x")])],
    );
    let (_, said, _) = beside(&foreign, None);
    assert!(
        said.starts_with("platform: ") && said.contains("linux/arm64"),
        "{said}"
    );
    // The index says one thing, the configuration another.
    let mut lying = Image::index(
        "k8s/bad:1",
        Dialect::Oci,
        &[("linux/arm64/v8", vec![layer("x")])],
    );
    let text = String::from_utf8(lying.top.bytes).unwrap();
    let text = text
        .replace("arm64", "amd64")
        .replace(r#","variant":"v8""#, "");
    let content = serde_json::from_str(&text).unwrap();
    lying.top = crate::support::images::Document::new(Dialect::Oci.index(), &content);
    let (_, said, _) = beside(&lying, None);
    assert!(
        said.starts_with("platform: ") && said.contains("linux/arm64"),
        "{said}"
    );
}

#[test]
fn what_is_no_layer_is_refused() {
    let (_, said, _) = beside(
        &Image::single(
            "k8s/bad:1",
            Dialect::Oci,
            &[Layer::from_tar(Packing::Gzip, b"no tar at all")],
        ),
        None,
    );
    assert!(said.starts_with("image: "), "{said}");
    let mut cut = layer("some text ");
    cut.blob = crate::support::images::Blob::new(cut.blob.bytes[..60].to_vec());
    let (_, said, _) = beside(&Image::single("k8s/bad:1", Dialect::Oci, &[cut]), None);
    assert!(said.starts_with("image: "), "{said}");
}

#[test]
fn a_bomb_is_defused() {
    // Many members of one mebibyte of zeros each, as few bytes as gzip can make of them.
    let member = |bytes: &[u8]| Layer::from_tar(Packing::Gzip, bytes).blob.bytes;
    let mebibytes = 300;
    let mut entry = crate::support::images::tar(&[Entry::file("zeros", b"")]);
    entry.truncate(512);
    entry[124..136].copy_from_slice(format!("{:011o}\0", mebibytes << 20).as_bytes());
    entry[148..156].fill(b' ');
    let sum: u64 = entry.iter().map(|byte| u64::from(*byte)).sum();
    entry[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let zeros = member(&vec![0u8; 1 << 20]);
    let bomb = [member(&entry), zeros.repeat(mebibytes)].concat();
    defused(bomb, "more than there may be");
    // Behind the end of the tar, where nobody looks but the hash.
    defused(zeros.repeat(mebibytes), "larger than");
}

fn defused(bomb: Vec<u8>, why: &str) {
    let mut layer = layer("x");
    layer.blob = crate::support::images::Blob::new(bomb);
    let (_, said, _) = beside(&Image::single("k8s/bad:1", Dialect::Oci, &[layer]), None);
    assert!(said.starts_with("image: ") && said.contains(why), "{said}");
}

#[test]
fn a_name_without_a_digest_needs_to_be_allowed() {
    let images = [tiny("k8s/good:1", "good")];
    let feed = Feed::of(&images);
    let wanted = [Wanted::new(unpinned(&Feed::wanted(&images)[0].name))];
    let mut bench = Bench::new();
    let report = bench.fill(&feed, &wanted);
    assert_eq!(Bench::classes(&report), ["image"]);
    assert!(bench.fake.images().unwrap().is_empty());
    let mut options = options();
    options.allow_tag = true;
    let report = bench.try_fill(&feed, &wanted, &options).unwrap();
    assert_eq!(Bench::classes(&report), ["-"]);
    bench.whole(&wanted);
}

#[test]
fn one_name_for_two_images_is_an_error() {
    let (one, two) = (tiny("k8s/same:1", "one"), tiny("k8s/same:1", "two"));
    let images = [one, two];
    let mut bench = Bench::new();
    let report = bench.fill(&Feed::of(&images), &Feed::wanted(&images));
    assert_eq!(Bench::classes(&report), ["-", "image"]);
    bench.whole(&Feed::wanted(&images)[..1]);
}

#[test]
fn a_full_disk_is_told_before_the_first_byte_and_in_the_middle() {
    namespace::in_namespaces(|| {
        // The layer is small for the check beforehand, and its files are more than the disk holds.
        let big = vec![b'x'; 200 << 20];
        let large = Layer::new(Packing::Gzip, &[Entry::file("large", &big)]);
        let surprise = Image::single("k8s/bad:1", Dialect::Oci, &[large]);
        let bytes = vec![b'x'; 120 << 20];
        let told = Layer::new(Packing::Plain, &[Entry::file("large", &bytes)]);
        let told = Image::single("k8s/bad:1", Dialect::Oci, &[told]);
        for (image, before) in [(surprise, false), (told, true)] {
            let images = [tiny("k8s/good:1", "good"), image];
            let (feed, wanted) = (Feed::of(&images), Feed::wanted(&images));
            let mut bench = Bench::new();
            let path = bench.dir.path().to_owned();
            namespace::empty(path.to_str().unwrap());
            nix::mount::mount(
                None::<&str>,
                &path,
                None::<&str>,
                nix::mount::MsFlags::MS_REMOUNT,
                Some("size=160m"),
            )
            .unwrap();
            bench.fake = super::fake::Fake::new(&path);
            let report = bench.fill(&feed, &wanted);
            assert_eq!(Bench::classes(&report)[1], "disk-full", "{report:?}");
            if before {
                // Its configuration was asked for, and nothing else of it.
                assert!(feed.asked.load(Ordering::SeqCst) <= 3);
            }
            bench.nothing_half(&wanted);
            nix::mount::umount2(&path, nix::mount::MntFlags::MNT_DETACH).unwrap();
        }
    });
}

static STOP: AtomicI32 = AtomicI32::new(0);
static ASKED: AtomicUsize = AtomicUsize::new(0);

/// Asks to stop at the fourth layer.
fn fourth() -> Option<i32> {
    let now = ASKED.fetch_add(1, Ordering::SeqCst) + 1;
    (now >= 4 && STOP.load(Ordering::SeqCst) == 15).then_some(15)
}

#[test]
fn a_stop_request_ends_between_two_layers_and_the_next_run_goes_on() {
    let images = small(b"a program");
    let (feed, wanted) = (Feed::of(&images), Feed::wanted(&images));
    let mut bench = Bench::new();
    let mut options = options();
    options.jobs = Some(1);
    options.stop = fourth;
    STOP.store(15, Ordering::SeqCst);
    let error = bench.try_fill(&feed, &wanted, &options).unwrap_err();
    assert_eq!(error.kind(), Kind::Interrupted(15));
    assert!(bench.fake.images().unwrap().is_empty());
    let lease = Flaw::StaleLease("nodeagent-fill".to_owned());
    assert!(bench.faults(&[]).iter().any(|fault| fault.flaw == lease));
    STOP.store(0, Ordering::SeqCst);
    let asked = feed.asked.load(Ordering::SeqCst);
    let configurations = images.len();
    let again = bench.try_fill(&feed, &wanted, &options).unwrap();
    assert!(
        Bench::classes(&again).iter().all(|class| *class == "-"),
        "{again:?}"
    );
    bench.whole(&wanted);
    let all = Feed::of(&images);
    Bench::new().fill(&all, &wanted);
    let all = all.asked.load(Ordering::SeqCst);
    let second = feed.asked.load(Ordering::SeqCst) - asked;
    assert!(
        second <= all - 3,
        "{second} blobs of {all}, {configurations} images: nothing was used again"
    );
}
