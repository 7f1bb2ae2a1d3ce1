//! The whole flow on a miniature root with fakes: plan, bake, bake again, stop and resume, faults, audit-only entries.
//! It is separate from the machine tier because here every fault can be injected and every instant chosen.

pub(crate) mod bench;

use std::cell::Cell;

use nodeagent::error::Exit;
use nodeagent::record::{Event, journal};
use serde_json::json;

use bench::{bake, bench, demo, entry, file, package, plan, policy, tree, unit};

#[test]
fn the_second_bake_changes_nothing() {
    let mut bench = bench();
    let first = bake(&mut bench, &demo(), &|| None).unwrap();
    assert!(first.failed.is_empty(), "{:?}", first.failed);
    assert!(first.steps.len() >= 5, "{:?}", first.steps);
    let second = bake(&mut bench, &demo(), &|| None).unwrap();
    assert_eq!(
        (second.steps.len(), second.failed.len(), second.entries),
        (0, 0, 6)
    );
    assert_eq!(plan(&bench, &demo()).changes(), 0);
}

#[test]
fn packages_go_in_one_transaction() {
    let mut bench = bench();
    bake(&mut bench, &demo(), &|| None).unwrap();
    let changes = bench.fakes.packages.calls.changes();
    let installs: Vec<_> = changes
        .iter()
        .filter(|c| c.starts_with("install"))
        .collect();
    assert_eq!(installs.len(), 1, "{changes:?}");
}

#[test]
fn a_plan_touches_nothing_and_bake_does_what_it_said() {
    let mut bench = bench();
    let before = tree(bench.dir.path());
    let planned = plan(&bench, &demo());
    assert!(planned.changes() >= 5);
    assert_eq!(tree(bench.dir.path()), before);
    let text = planned.to_string();
    assert!(
        text.contains("package:chrony") && text.contains("# because"),
        "{text}"
    );
    let done = bake(&mut bench, &demo(), &|| None).unwrap();
    let said: Vec<String> = planned
        .items
        .iter()
        .flat_map(|item| item.steps.clone())
        .collect();
    for step in done
        .steps
        .iter()
        .filter(|step| step.id.starts_with("file:"))
    {
        assert!(
            said.contains(&step.action),
            "{} was not planned: {said:?}",
            step.action
        );
    }
}

#[test]
fn stopped_after_every_step_and_resumed_it_ends_in_the_same_tree() {
    let mut whole = bench();
    let steps = bake(&mut whole, &demo(), &|| None).unwrap().steps.len();
    assert!(steps >= 5, "only {steps} steps to stop after");
    let wanted = tree(whole.dir.path());
    for stop_after in 0..steps {
        let mut bench = bench();
        let asked = Cell::new(0);
        let stop = || {
            asked.set(asked.get() + 1);
            (asked.get() > stop_after).then_some(15)
        };
        let error = bake(&mut bench, &demo(), &stop).unwrap_err();
        assert_eq!(error.exit(), Exit::Signal(15));
        let events = journal::events(&bench.host.root).unwrap();
        let Some(Event::End { changes, exit, .. }) = events.last() else {
            panic!("the journal has no end: {events:?}");
        };
        assert_eq!((*changes, *exit), (stop_after, 143));
        let rest = bake(&mut bench, &demo(), &|| None).unwrap();
        assert!(rest.failed.is_empty(), "{:?}", rest.failed);
        assert_eq!(rest.steps.len(), steps - stop_after);
        assert_eq!(
            tree(bench.dir.path()),
            wanted,
            "stopped after step {stop_after}"
        );
    }
}

#[test]
fn a_fault_fails_the_bake_names_the_entry_and_later_phases_wait() {
    let mut bench = bench();
    bench.fakes.packages.calls.fail_on("install", 1);
    let outcome = bake(&mut bench, &demo(), &|| None).unwrap();
    assert_eq!(outcome.failed.len(), 1);
    assert!(outcome.failed[0].id.contains("package:chrony"));
    assert!(outcome.failed[0].error.contains("injected fault"));
    assert!(
        !bench.dir.path().join("a").exists(),
        "files come after packages"
    );
    let events = journal::events(&bench.host.root).unwrap();
    assert!(events.iter().any(|e| matches!(e, Event::Failed { .. })));
    let again = bake(&mut bench, &demo(), &|| None).unwrap();
    assert!(again.failed.is_empty());
}

#[test]
fn an_entry_that_cannot_be_looked_at_is_a_failure_and_never_silence() {
    let bench = bench();
    bench.fakes.units.calls.fail_on("state", 1);
    let planned = plan(&bench, &demo());
    let item = planned
        .items
        .iter()
        .find(|item| item.id == "unit:chrony.service")
        .unwrap();
    assert_eq!(item.could_not_check.len(), 1);
    assert!(!item.diff.conforms());
}

#[test]
fn audit_only_entries_are_reported_and_never_changed() {
    let mut bench = bench();
    let mut watched = file("/watched", "want\n");
    watched["enforce"] = json!(false);
    let policy = policy(&[watched]);
    let outcome = bake(&mut bench, &policy, &|| None).unwrap();
    assert_eq!((outcome.steps.len(), outcome.failed.len()), (0, 0));
    assert_eq!(outcome.drift, ["file:/watched"]);
    assert!(!bench.dir.path().join("watched").exists());
}

#[test]
fn a_missing_premise_is_named() {
    let bench = bench();
    let mut needs = unit("chrony.service", "started");
    needs["after"] = json!(["package:chrony", "package:there"]);
    let policy = policy(&[package("chrony"), needs]);
    let text = plan(&bench, &policy).to_string();
    assert!(text.contains("after package:chrony\n"), "{text}");
}

#[test]
fn an_image_that_no_store_has_is_pulled() {
    let bench = bench();
    let image = entry(
        "image:r/x:1",
        json!({"kind": "image", "ref": "r/x:1", "allow_tag": true}),
    );
    let planned = plan(&bench, &policy(&[image]));
    assert_eq!(planned.items[0].could_not_check.len(), 0);
    let steps: Vec<String> = planned.items[0]
        .diff
        .actions
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(steps, ["pull r/x:1"]);
}
