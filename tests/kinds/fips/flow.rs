//! A bake that asks for a reboot, the reboot, and the same bake again.
//! It is separate because it is the model of reboots that is proved here; the kind is only its first user.

use nodeagent::apply::Outcome;
use nodeagent::cli::seal::nothing_waits;
use nodeagent::observe::observe;
use nodeagent::plan::{Plan, Scope};
use nodeagent::policy::Policy;
use nodeagent::resource::Place;
use nodeagent::verify::{Status, judge};
use serde_json::{Value, json};

use super::super::Bench;
use super::{reboot, rocky};
use crate::flow::bench::{entry, file, policy, run};

fn wanted() -> Policy {
    let fips = entry("fips:mode", json!({"kind": "fips", "enabled": true}));
    policy(&[fips, file("/later", "after FIPS\n"), script()])
}

/// In a phase after the one of `fips`.
fn script() -> Value {
    entry(
        "script:last",
        json!({"kind": "script", "name": "last", "check": "true", "run": "true"}),
    )
}

fn bake(bench: &mut Bench) -> Outcome {
    run(&mut bench.host, &wanted(), &|| None).unwrap()
}

fn verdict(bench: &Bench, place: Place) -> (u8, Vec<(String, Status)>) {
    let policy = wanted();
    let plan = Plan::new(
        &policy,
        &observe(&policy.entries, |_| true, &bench.host),
        place,
    );
    let verdict = judge(&policy, &plan, Vec::new(), "2026-01-01");
    let found = verdict.findings.into_iter().map(|f| (f.id, f.status));
    (verdict.exit.code(), found.collect())
}

#[test]
fn a_bake_does_the_rest_asks_for_a_reboot_and_goes_on_after_it() {
    let mut bench = rocky();
    bench.put("/usr/bin/bin/sh", "exit 0\n");
    let first = bake(&mut bench);
    assert!(first.failed.is_empty(), "{:?}", first.failed);
    assert_eq!(first.steps.len(), 2, "the file too: {:?}", first.steps);
    let waits: Vec<_> = first
        .reboot
        .iter()
        .map(|p| (p.id.as_str(), p.what.as_str()))
        .collect();
    assert_eq!(waits, [("fips:mode", "active")]);
    // Once more without the reboot: nothing to do, and still waiting.
    let again = bake(&mut bench);
    assert_eq!(
        (again.steps.len(), again.failed.len(), again.reboot.len()),
        (0, 0, 1)
    );
    let id = || "fips:mode".to_owned();
    assert_eq!(
        verdict(&bench, Place::Build),
        (6, vec![(id(), Status::RebootNeeded)])
    );
    assert_eq!(
        verdict(&bench, Place::Node),
        (3, vec![(id(), Status::Drift)])
    );
    reboot(&bench);
    let after = bake(&mut bench);
    assert_eq!(
        (after.steps.len(), after.failed.len(), after.reboot.len()),
        (0, 0, 0)
    );
    for place in [Place::Build, Place::Node] {
        assert_eq!(verdict(&bench, place), (0, vec![]));
    }
}

#[test]
fn a_machine_that_must_reboot_is_not_sealed() {
    let mut bench = rocky();
    bench.put("/usr/bin/bin/sh", "exit 0\n");
    bake(&mut bench);
    let ready = |bench: &Bench, skip: &[&str]| {
        let scope = Scope {
            skip: skip.iter().map(|&word| word.to_owned()).collect(),
            ..Scope::default()
        };
        nothing_waits(&bench.host, &wanted(), &scope)
    };
    let error = ready(&bench, &[]).unwrap_err();
    assert_eq!(error.exit().code(), 6);
    assert!(
        error.one_line().contains("fips:mode: active"),
        "{}",
        error.one_line()
    );
    ready(&bench, &["fips:mode"]).unwrap();
    reboot(&bench);
    ready(&bench, &[]).unwrap();
}

#[test]
fn a_reboot_into_the_wrong_kernel_is_a_failure_and_no_endless_loop() {
    let mut bench = rocky();
    bench.put("/usr/bin/bin/sh", "exit 0\n");
    assert_eq!(bake(&mut bench).reboot.len(), 1);
    bench.put("/proc/stat", "btime 4000000000\n");
    let after = bake(&mut bench);
    assert_eq!((after.failed.len(), after.reboot.len()), (1, 0));
    assert!(
        after.failed[0]
            .error
            .contains("although booted after it was set up")
    );
}
