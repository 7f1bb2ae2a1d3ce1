//! A bake that is killed, stopped or met by another must end in the tree that an undisturbed one leaves.
//! Separate from the rest of the machine tier because it works on unbooted trees: a real root, real apt and dpkg.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests of processes and trees of the test host"
)]

mod arrange;
mod bench;
mod instants;
mod lock;
mod signals;
mod snapshot;

use bench::{BAKE, Bench, GENERALIZE};
use serde_json::Value;
use snapshot::{EXCEPTIONS, Snapshot};
use std::{
    fs,
    io::Write as _,
    sync::OnceLock,
    time::{Duration, Instant},
};

/// Reported on every run of the tests, captured or not.
fn tell(line: &str) {
    std::io::stderr()
        .write_all(format!("crash: {line}\n").as_bytes())
        .unwrap();
}

/// What an undisturbed bake and generalize leave, and how they went.
struct Undisturbed {
    tree: Snapshot,
    manifest: Vec<u8>,
    bake_changes: u64,
    generalize_changes: u64,
    bake: Duration,
    /// From the start of a bake to dpkg's first word.
    until_dpkg: Duration,
    generalize: Duration,
}

const MANIFEST: &str = "etc/packer-build/image-manifest.json";

/// One undisturbed run, made by whichever test comes first.
fn undisturbed() -> &'static Undisturbed {
    static ONCE: OnceLock<Undisturbed> = OnceLock::new();
    ONCE.get_or_init(|| make(&Bench::new("undisturbed")))
}

fn make(bench: &Bench) -> Undisturbed {
    let begun = Instant::now();
    let mut bake = bench.start(&[&BAKE[..], &["--json"]].concat());
    assert!(bake.until(|| !bench.read("var/log/dpkg.log").is_empty()));
    let until_dpkg = begun.elapsed();
    let bake = bake.wait();
    assert_eq!(bake.code, 0, "{}", bake.stderr);
    let bake_time = begun.elapsed();
    let again = report(&bench.ok(&["bake", "--json"]));
    assert_eq!(again["changes"], 0, "{again}");
    let begun = Instant::now();
    let generalize = report(&bench.ok(&["generalize", "--json"]));
    let generalize_time = begun.elapsed();
    let begun = Instant::now();
    bench.ok(&["verify"]);
    tell(&format!(
        "undisturbed: bake {:.1} s, bake again {} s with 0 changes, generalize {:.1} s, verify --root {:.1} s",
        bake_time.as_secs_f64(),
        again["seconds"],
        generalize_time.as_secs_f64(),
        begun.elapsed().as_secs_f64()
    ));
    bench.no_mounts();
    Undisturbed {
        tree: Snapshot::of(&bench.root()),
        manifest: fs::read(bench.root().join(MANIFEST)).unwrap(),
        bake_changes: report(&bake.stdout)["changes"].as_u64().unwrap(),
        generalize_changes: generalize["changes"].as_u64().unwrap(),
        bake: bake_time,
        until_dpkg,
        generalize: generalize_time,
    }
}

fn report(stdout: &str) -> Value {
    serde_json::from_str(stdout).unwrap_or_else(|error| panic!("{error} in the report {stdout:?}"))
}

/// Judges a sealed tree: as after an undisturbed run, in itself, and left by all processes and mounts.
fn judge(bench: &Bench) {
    judge_by(bench, Snapshot::differences);
}

fn judge_by(bench: &Bench, differences: fn(&Snapshot, &Snapshot) -> Vec<String>) {
    bench.no_mounts();
    let tree = Snapshot::of(&bench.root());
    let differences = differences(&undisturbed().tree, &tree);
    assert!(
        differences.is_empty(),
        "not the tree of an undisturbed run:\n{}",
        differences.join("\n")
    );
    bench.ok(&["verify"]);
    for args in [&BAKE[..], &GENERALIZE] {
        assert_eq!(bench.run(args).code, 4, "{args:?} on a closed image");
    }
    let after = Snapshot::of(&bench.root());
    assert_eq!(tree.changes(&after), [""; 0], "a refusal left a trace");
    let record = report(&bench.read(RECORD));
    let stones = record["tombstones"].as_array().map_or(0, Vec::len);
    assert!(
        record["salt"].is_string() && stones > 0,
        "no evidence: {record}"
    );
}

const RECORD: &str = "etc/packer-build/bake-record.json";

#[test]
fn two_undisturbed_runs_give_one_tree_and_one_manifest() {
    let first = undisturbed();
    let bench = Bench::new("second");
    let second = make(&bench);
    judge(&bench);
    assert_eq!(
        String::from_utf8_lossy(&first.manifest),
        String::from_utf8_lossy(&second.manifest)
    );
    for (path, reason) in EXCEPTIONS {
        tell(&format!("differs in content: {path}: {reason}"));
    }
}

#[test]
fn killed_after_every_step_the_tree_is_the_same() {
    let bench = Bench::new("steps");
    let bake = kill_after_each(&bench, &BAKE);
    bench.ok(&["plan"]);
    let generalize = kill_after_each(&bench, &GENERALIZE);
    let want = undisturbed();
    tell(&format!(
        "killed {} times: after each of {bake} steps of bake and {generalize} of generalize and its seal",
        bake + generalize
    ));
    assert_eq!(bake, want.bake_changes, "each step is done once");
    assert!(generalize > want.generalize_changes, "{generalize}");
    judge(&bench);
}

/// One continuing run: killed after its first step that is new, until it ends by itself. Gives the number of kills.
fn kill_after_each(bench: &Bench, args: &[&str]) -> u64 {
    let mut kills = 0;
    // The stages of the seal are done anew in every run, so each is reached by one kill more than the last.
    let (mut after, mut known) = (1, steps(bench));
    loop {
        let die = after.to_string();
        let done = bench.run(&[args, &["--die-after", &die]].concat());
        if done.code == 0 {
            return kills;
        }
        assert_eq!(done.code, 137, "{args:?}: {}", done.stderr);
        kills += 1;
        assert!(kills < 200, "no end after {kills} kills");
        let now = steps(bench);
        after = if now > known { 1 } else { after + 1 };
        known = now;
    }
}

/// How many steps the journal has as done; 0 once the seal has removed it.
fn steps(bench: &Bench) -> usize {
    bench
        .read("var/lib/nodeagent/journal.jsonl")
        .matches("\"event\":\"done\"")
        .count()
}
