//! What a fill tells: what was there, what is shared, and that a daemon did not do what it said it did.
//! Separate because the store is right or wrong by itself; here the report must be.

use super::bench::Bench;
use super::feed::Feed;
use super::stand::options;
use crate::support::images::small::small;

#[test]
fn a_daemon_that_says_done_and_did_nothing_is_caught_at_the_end() {
    let images = small(b"a program");
    // Of one layer each: no other call depends on the one that was not done.
    let images = [images[0].clone(), images[5].clone()];
    let wanted = Feed::wanted(&images);
    for call in ["adopt", "commit", "put an image"] {
        let mut bench = Bench::new();
        bench.fake.forgets.set(call);
        let report = bench.fill(&Feed::of(&images), &wanted);
        assert_eq!(Bench::classes(&report), ["store", "store"], "{call}");
        for (_, failure) in report.failed() {
            let said = failure.error.one_line();
            assert!(said.contains("check the store"), "{call}: {said}");
        }
        bench.fake.forgets.set("");
        let again = bench.fill(&Feed::of(&images), &wanted);
        assert_eq!(Bench::classes(&again), ["-", "-"], "{call}: {again:?}");
        bench.whole(&wanted);
    }
}

#[test]
fn layers_that_were_there_and_that_several_images_have_are_counted() {
    let images = small(b"a program");
    let wanted = Feed::wanted(&images);
    let mut bench = Bench::new();
    let counts = |report: &nodeagent::store::Report| -> Vec<(usize, usize)> {
        let images = report.images.iter();
        images.map(|image| (image.shared, image.present)).collect()
    };
    let first = bench.fill(&Feed::of(&images), &wanted);
    let shared: Vec<(usize, usize)> = [0, 1, 3, 3, 1, 0, 1, 1, 4].map(|n| (n, 0)).to_vec();
    assert_eq!(counts(&first), shared);
    assert!(first.images.iter().all(|image| image.seconds > 0.0));
    let second = bench.fill(&Feed::of(&images), &wanted);
    for (image, (shared, present)) in images.iter().zip(counts(&second)) {
        let layers = &image.variant("linux/amd64").layers;
        assert_eq!(present, layers.len(), "{}", image.repository);
        assert!(shared <= present);
    }
}

#[test]
fn documents_that_need_more_memory_than_is_allowed_are_an_error() {
    let images = [small(b"a program")[0].clone()];
    let wanted = Feed::wanted(&images);
    let mut bench = Bench::new();
    let mut options = options();
    options.memory = 400;
    let report = bench
        .try_fill(&Feed::of(&images), &wanted, &options)
        .unwrap();
    assert_eq!(Bench::classes(&report), ["image"]);
    let said = report.failed().next().unwrap().1.error.one_line();
    assert!(said.contains("more memory than is allowed"), "{said}");
}
