//! Faults at every call of the daemon and every call and read of the source: nothing half, and the next run completes.
//! Separate because it is exhaustive: the faults are counted, not chosen.

use std::sync::atomic::Ordering;

use super::bench::Bench;
use super::feed::Feed;
use super::stand::options;
use crate::support::images::Image;
use crate::support::images::small::small;

fn images() -> Vec<Image> {
    small(b"a program")
}

/// Fails call after call until a run meets no fault any more.
fn at_every_call_of_the_daemon(afterwards: bool, keep: bool) -> usize {
    let images = images();
    let wanted = Feed::wanted(&images);
    let mut options = options();
    options.keep_layers = keep;
    let mut clean = Bench::new();
    let report = clean
        .try_fill(&Feed::of(&images), &wanted, &options)
        .unwrap();
    assert!(
        Bench::classes(&report).iter().all(|class| *class == "-"),
        "{report:?}"
    );
    clean.whole(&wanted);
    for call in 1.. {
        let mut bench = Bench::new();
        bench.fake.afterwards = afterwards;
        bench.fake.fails_at.set(call);
        let outcome = bench.try_fill(&Feed::of(&images), &wanted, &options);
        let met = bench.fake.calls.get() >= call;
        bench.fake.fails_at.set(0);
        bench.nothing_half(&wanted);
        if !met {
            return call - 1;
        }
        // A call that failed is either told or was not needed.
        let told = outcome
            .as_ref()
            .map_or(true, |report| report.failed().count() > 0);
        let report = bench
            .try_fill(&Feed::of(&images), &wanted, &options)
            .unwrap();
        assert!(
            Bench::classes(&report).iter().all(|class| *class == "-"),
            "call {call}: {report:?}"
        );
        bench.whole(&wanted);
        assert_eq!(
            bench.contents(),
            clean.contents(),
            "call {call}, told {told}"
        );
    }
    unreachable!()
}

#[test]
fn a_daemon_that_fails_at_any_call_leaves_nothing_half() {
    let calls = at_every_call_of_the_daemon(false, true);
    assert!(calls > 100, "only {calls} calls");
    eprintln!("{calls} calls failed");
}

#[test]
fn a_daemon_that_fails_after_any_call_leaves_nothing_half() {
    let calls = at_every_call_of_the_daemon(true, true);
    assert!(calls > 100, "only {calls} calls");
}

#[test]
fn without_layers_a_daemon_that_fails_at_any_call_leaves_nothing_half() {
    let calls = at_every_call_of_the_daemon(false, false);
    assert!(calls > 60, "only {calls} calls");
}

#[test]
fn a_source_that_fails_anywhere_costs_one_image_and_the_next_run_completes() {
    let images = images();
    let wanted = Feed::wanted(&images);
    let mut clean = Bench::new();
    clean.fill(&Feed::of(&images), &wanted);
    for call in 1.. {
        let mut bench = Bench::new();
        let feed = Feed::of(&images);
        feed.fails_at.store(call, Ordering::SeqCst);
        let mut options = options();
        options.jobs = Some(1 + call % 3);
        let report = bench.try_fill(&feed, &wanted, &options).unwrap();
        bench.nothing_half(&wanted);
        let classes = Bench::classes(&report);
        if feed.calls.load(Ordering::SeqCst) < call {
            assert!(classes.iter().all(|class| *class == "-"));
            eprintln!("{} calls and reads failed", call - 1);
            assert!(call > 60, "only {call}");
            return;
        }
        assert!(classes.contains(&"timeout"), "{call}: {classes:?}");
        assert!(
            classes
                .iter()
                .all(|class| matches!(*class, "-" | "timeout")),
            "{classes:?}"
        );
        let well: Vec<_> = wanted
            .iter()
            .zip(&classes)
            .filter(|(_, c)| **c == "-")
            .collect();
        let well: Vec<_> = well.into_iter().map(|(wanted, _)| wanted.clone()).collect();
        bench.whole(&well);
        let report = bench.fill(&Feed::of(&images), &wanted);
        assert!(
            Bench::classes(&report).iter().all(|class| *class == "-"),
            "{report:?}"
        );
        bench.whole(&wanted);
        assert!(bench.contents() == clean.contents(), "call {call}");
    }
}
