//! Programs that run beside us: asked to end before anything is killed, heard, and seen from outside.
//! Separate because, unlike other children, they are not waited for.

use super::exec::sh;
use super::{debian, inside, live};
use nodeagent::host::exec::{LiveExec, Running};
use nodeagent::host::{Cmd, Exec as _};
use std::path::Path;
use std::time::Duration;

/// Says that it runs, and when it is asked to end, says so and ends with 7.
const POLITE: &str =
    "trap 'echo asked >&2; exit 7' TERM; echo runs >&2; while :; do sleep 0.01; done";
/// Says that it runs, for ever.
const RUNS: &str = "echo runs >&2; while :; do sleep 0.01; done";

fn each(label: &str, test: impl Fn(&LiveExec)) {
    let tree = debian(label);
    for exec in [live(), inside(&tree.path())] {
        test(&exec);
    }
}

fn until_it_says(running: &mut Running, word: &str) {
    while !running.said().contains(word) {
        assert_eq!(running.ended().unwrap(), None, "{}", running.said());
        std::thread::yield_now();
    }
}

#[test]
fn a_program_is_asked_to_end_and_its_code_and_last_words_are_known() {
    each("beside-asked", |exec| {
        let mut running = exec.start(&sh(POLITE)).unwrap();
        until_it_says(&mut running, "runs");
        assert_eq!(running.stop().unwrap(), 7);
        assert_eq!(running.said(), "runs\nasked\n");
        assert_eq!(running.ended().unwrap(), Some(7));
        assert_eq!(running.stop().unwrap(), 7);
    });
}

/// A file of this machine shows it: what a dropped one says is not kept.
#[test]
fn a_dropped_one_is_asked_to_end_too() {
    let dir = tempfile::tempdir().unwrap();
    let mark = dir.path().join("mark");
    let script = format!(
        "trap 'echo asked > {}; exit' TERM; {}",
        mark.display(),
        RUNS
    );
    let mut running = live().start(&sh(&script)).unwrap();
    until_it_says(&mut running, "runs");
    drop(running);
    assert_eq!(std::fs::read_to_string(mark).unwrap(), "asked\n");
}

#[test]
fn one_that_ends_by_itself_is_seen() {
    each("beside-ends", |exec| {
        let mut running = exec.start(&sh("cat >&2; exit 3")).unwrap();
        let code = loop {
            if let Some(code) = running.ended().unwrap() {
                break code;
            }
            std::thread::yield_now();
        };
        assert_eq!(code, 3);
        let mut missing = exec.start(&Cmd::new(["/no/such/program"])).unwrap();
        let error = loop {
            match missing.ended() {
                Ok(None) => std::thread::yield_now(),
                Ok(Some(code)) => panic!("it ended with {code}"),
                Err(error) => break error,
            }
        };
        assert!(error.one_line().contains("/no/such/program"));
        assert!(exec.start(&Cmd::new([""; 0])).is_err());
    });
}

#[test]
fn only_what_does_not_end_in_time_is_killed() {
    each("beside-late", |exec| {
        let deaf = sh("trap '' TERM; echo runs >&2; while :; do sleep 0.01; done");
        let mut running = exec
            .start(&deaf.timeout(Duration::from_millis(300)))
            .unwrap();
        until_it_says(&mut running, "runs");
        let error = running.stop().unwrap_err();
        assert!(
            error.one_line().contains("was killed"),
            "{}",
            error.one_line()
        );
    });
}

#[test]
fn a_flood_of_words_does_not_grow() {
    let mut running = live()
        .start(&sh(
            "head -c 3000000 /dev/zero | tr '\\0' x >&2; echo end >&2",
        ))
        .unwrap();
    while running.ended().unwrap().is_none() {
        std::thread::yield_now();
    }
    let said = running.said();
    assert!(said.len() <= 16 << 10 && said.ends_with("xend\n"));
}

#[test]
fn files_of_a_trees_program_are_reached_and_not_this_machines() {
    let tree = debian("beside-reached");
    let script = format!("echo inside > /run/mark; {POLITE}");
    let mut running = inside(&tree.path()).start(&sh(&script)).unwrap();
    until_it_says(&mut running, "runs");
    let path = running.reach("/run/mark").unwrap().unwrap();
    assert_eq!(std::fs::read_to_string(path).unwrap(), "inside\n");
    assert!(!Path::new("/run/mark").exists() && !tree.path().join("run/mark").exists());
    assert_eq!(running.stop().unwrap(), 7);
    let live = live().start(&sh(POLITE)).unwrap().reach("/run/x").unwrap();
    assert_eq!(live.as_deref(), Some(Path::new("/run/x")));
}
