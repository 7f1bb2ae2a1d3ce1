//! Blobs over several connections: when they join, when not, and what comes of it when they fail.
//! They are separate because the registry must seem far away.

use std::time::Duration;

use nodeagent::host::failure::Class;
use nodeagent::host::oci::Descriptor;
use nodeagent::host::registry::{Access, Join};

use super::{access, blob, is_whole, name, noise, puller, told};
use crate::support::lying::{Asked, Lie, Lying};

const SIZE: usize = 24 << 20;
const CHUNK: u64 = 4 << 20;
const BLOBS: &str = "/blobs/";

/// A registry whose one connection has some 4 MB/s: the first part is never over before others can join.
fn far() -> (Lying, Descriptor, Access) {
    let registry = Lying::start();
    registry.far(Duration::from_millis(64));
    let wanted = registry.blob(&noise(SIZE));
    let access = Access {
        join: Join::AtOnce,
        ..access(&[&registry])
    };
    (registry, wanted, access)
}

/// The ranges that were asked for.
fn ranges(registry: &Lying) -> Vec<(u64, u64)> {
    let range = |asked: Asked| {
        let text = asked.header("range")?.strip_prefix("bytes=")?.to_owned();
        let (from, to) = text.split_once('-')?;
        Some((from.parse().ok()?, to.parse().ok()?))
    };
    let mut found: Vec<(u64, u64)> = registry
        .asked(BLOBS)
        .into_iter()
        .filter_map(range)
        .collect();
    found.sort_unstable();
    found
}

#[test]
fn a_large_blob_from_afar_comes_by_parts_side_by_side() {
    let (registry, wanted, access) = far();
    is_whole(
        &blob(&puller(&access), &name(&registry), &wanted).unwrap(),
        &wanted,
    );
    let ranges = ranges(&registry);
    assert!(ranges.len() > 2, "{ranges:?}");
    // Each part begins where the one before it ends, and the last one at the end.
    for pair in ranges.windows(2) {
        assert_eq!(pair[0].1 + 1, pair[1].0, "{ranges:?}");
        assert_eq!(pair[0].1 + 1 - pair[0].0, CHUNK, "{ranges:?}");
    }
    assert_eq!(ranges.last().unwrap().1, wanted.size - 1);
}

#[test]
fn memory_bounds_how_many_join() {
    let (registry, wanted, mut access) = far();
    access.memory = CHUNK - 1;
    is_whole(
        &blob(&puller(&access), &name(&registry), &wanted).unwrap(),
        &wanted,
    );
    assert_eq!(registry.asked(BLOBS).len(), 1);
}

#[test]
fn near_by_one_connection_is_enough() {
    let registry = Lying::start();
    let wanted = registry.blob(&noise(SIZE));
    let puller = puller(&access(&[&registry]));
    // On a busy machine one answer may take long, but not each of many.
    for n in 0..50 {
        let small = registry.blob(&[n]);
        blob(&puller, &name(&registry), &small).unwrap();
    }
    let got = blob(&puller, &name(&registry), &wanted).unwrap();
    is_whole(&got, &wanted);
    assert_eq!(registry.asked(wanted.digest.as_str()).len(), 1);
}

#[test]
fn a_registry_without_ranges_is_asked_for_one_and_never_again() {
    let (registry, wanted, access) = far();
    registry.always(BLOBS, Lie::IgnoreRange);
    is_whole(
        &blob(&puller(&access), &name(&registry), &wanted).unwrap(),
        &wanted,
    );
    assert_eq!(registry.asked(BLOBS).len(), 2);
}

#[test]
fn parts_that_break_are_taken_up_and_parts_that_fail_are_fetched_by_one_connection() {
    let broken = |count| vec![Lie::Truncate(count); 3];
    let failing = vec![Lie::Status(429, vec![]); 30];
    let gone = vec![Lie::Status(404, vec![]); 2];
    for (honest, lies) in [
        (1, broken(1 << 20)),
        (4, broken(10)),
        (1, failing.clone()),
        (4, failing),
        (2, gone),
    ] {
        let (registry, wanted, mut access) = far();
        access.patience.tries = 2;
        let truth = std::iter::repeat_n(Lie::Truth, honest);
        registry.lie(BLOBS, truth.chain(lies.clone()));
        let got = blob(&puller(&access), &name(&registry), &wanted);
        // As long as all is refused nothing can come.
        match got {
            Ok(bytes) => is_whole(&bytes, &wanted),
            Err(failure) => assert_eq!(failure.class, Class::Registry, "{lies:?}"),
        }
    }
}

#[test]
fn a_part_that_is_another_is_not_taken() {
    let (registry, wanted, access) = far();
    let lies = [Lie::Truth, Lie::Truth].into_iter();
    registry.lie(BLOBS, lies.chain(std::iter::repeat_n(Lie::WrongRange, 100)));
    let got = blob(&puller(&access), &name(&registry), &wanted);
    told(got, Class::Registry, &["got \"bytes "]);
}
