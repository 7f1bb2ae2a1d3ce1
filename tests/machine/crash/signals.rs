//! SIGTERM, and ^C on a real terminal, during apt: stopped after the step, with a journal that says so.
//! Separate because these ends are orderly, and what must not happen is that a child is torn.

use super::bench::{BAKE, Bench, PROFILE};
use super::{judge, report};
use crate::sandbox::PROGRAM;
use nix::sys::signal::Signal;
use serde_json::Value;
use std::{
    io::Write as _,
    process::{Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

/// dpkg is in the middle of unpacking.
fn unpacking(bench: &Bench) -> bool {
    bench
        .read("var/log/dpkg.log")
        .matches(" status unpacked ")
        .count()
        > 3
}

/// The run has ended between two steps: the packages are whole, nothing after them was begun, the journal has the end.
fn stopped_after_packages(bench: &Bench, code: i32) {
    let journal = bench.read("var/lib/nodeagent/journal.jsonl");
    let events: Vec<Value> = journal.lines().map(report).collect();
    let words: Vec<_> = events
        .iter()
        .map(|e| e["event"].as_str().unwrap())
        .collect();
    assert_eq!(words, ["salt", "begin", "step", "done", "end"], "{journal}");
    assert_eq!(events[4]["exit"], code, "{journal}");
    assert_eq!(events[4]["changes"], 1, "{journal}");
    let status = bench.read("var/lib/dpkg/status");
    let states = status
        .lines()
        .filter_map(|line| line.strip_prefix("Status: "));
    let open: Vec<_> = states
        .filter(|state| *state != "install ok installed")
        .collect();
    assert!(open.is_empty(), "dpkg was torn: {open:?}");
}

fn goes_on_to_the_end(bench: &Bench) {
    bench.ok(&BAKE);
    bench.ok(&["generalize"]);
    judge(bench);
}

#[test]
fn sigterm_stops_between_two_steps() {
    let bench = Bench::new("sigterm");
    let mut running = bench.start(&BAKE);
    assert!(running.until(|| unpacking(&bench)));
    running.signal(Signal::SIGTERM);
    let done = running.wait();
    assert_eq!(done.code, 143, "{}", done.stderr);
    assert!(
        done.stderr.contains("run the same command again"),
        "{}",
        done.stderr
    );
    stopped_after_packages(&bench, 143);
    goes_on_to_the_end(&bench);
}

/// script(1) gives the agent a terminal of its own, and turns the byte of ^C into a signal to its process group.
#[test]
fn control_c_on_a_terminal_stops_between_two_steps() {
    let bench = Bench::new("terminal");
    let line = format!(
        "{PROGRAM} --root {} {}",
        bench.root().display(),
        BAKE.join(" ")
    );
    let mut terminal = Command::new("script")
        .args([
            "--quiet",
            "--flush",
            "--return",
            "--command",
            &line,
            "/dev/null",
        ])
        .env("SOURCE_DATE_EPOCH", "1700000000")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    while !unpacking(&bench) {
        assert!(begun.elapsed() < Duration::from_mins(5), "no bake");
        sleep(Duration::from_millis(1));
    }
    let mut keys = terminal.stdin.take().unwrap();
    keys.write_all(b"\x03").unwrap();
    let done = terminal.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert_eq!(done.status.code(), Some(130), "{said}");
    assert!(said.contains("stopped by signal 2"), "{said}");
    stopped_after_packages(&bench, 130);
    goes_on_to_the_end(&bench);
}

/// A check that says when it runs, and runs longer than any test waits.
const HELD: &str = r#"
schema = 1
[[script]]
name = "held"
check = "touch /held; sleep 600"
run = "false"
reason = "holds whoever observes it"
"#;

/// Held amid observing, so that the signal meets it at work: a verb that would end its work first never ends here.
#[test]
fn a_verb_that_only_reads_ends_at_once() {
    let bench = Bench::new("reads");
    let policy = tempfile::tempdir().unwrap();
    let fragment = policy.path().join("90-held.toml");
    std::fs::write(&fragment, HELD).unwrap();
    let fragment = fragment.to_str().unwrap();
    for verb in ["verify", "plan"] {
        let mut running = bench.start(&[verb, "--profile", PROFILE, "--policy", fragment]);
        let held = bench.root().join("held");
        assert!(running.until(|| held.exists()), "{verb} ended unheld");
        let begun = Instant::now();
        running.signal(Signal::SIGTERM);
        let done = running.wait();
        assert_eq!((done.code, done.stdout.as_str()), (143, ""), "{verb}");
        assert!(begun.elapsed() < Duration::from_mins(1), "{verb} went on");
        std::fs::remove_file(held).unwrap();
    }
}
