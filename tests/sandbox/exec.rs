//! Children: what they see, what is kept of them, and that none outlives its parent.
//! Separate because most of it can only be seen from outside, in /proc.

use super::{debian, inside, live};
use crate::support::own_test;
use nodeagent::host::{Cmd, Exec};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

pub(super) fn sh(script: &str) -> Cmd {
    Cmd::new(["sh", "-c", script]).timeout(Duration::from_secs(60))
}

/// Processes of this machine with `mark` in their command line.
fn running(mark: &str) -> usize {
    std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().parse::<u32>().is_ok())
        .filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok())
        .filter(|line| {
            String::from_utf8_lossy(line)
                .replace('\0', " ")
                .contains(mark)
        })
        .count()
}

/// A sleep that no other test has.
fn mark(number: u32) -> String {
    format!(
        "sleep {}.{number:02}",
        100_000 + std::process::id() % 100_000
    )
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(20), "{what}");
        sleep(Duration::from_millis(10));
    }
}

#[test]
fn codes_and_outputs_are_the_programs_own() {
    let tree = debian("exec-codes");
    for exec in [live(), inside(&tree.path())] {
        let table = [
            ("echo out; echo err >&2; exit 7", 7, "out\n", "err\n"),
            ("kill -TERM $$", 143, "", ""),
            ("kill -KILL $$", 137, "", ""),
            ("cat", 0, "fed", ""),
            ("exit 125", 125, "", ""),
        ];
        for (script, code, out, err) in table {
            let mut cmd = sh(script);
            cmd.stdin = b"fed".to_vec();
            let output = exec.run(&cmd).unwrap();
            assert_eq!(
                (
                    output.code,
                    output.text().as_str(),
                    output.errors().as_str()
                ),
                (code, out, err),
                "{script}"
            );
        }
        let error = exec.run(&Cmd::new(["no-such-program"])).unwrap_err();
        assert!(
            error.one_line().contains("start no-such-program"),
            "{}",
            error.one_line()
        );
    }
}

#[test]
fn the_environment_is_clean() {
    let env = live().run(&sh("env").env("EXTRA", "1")).unwrap().text();
    let mut names: Vec<_> = env
        .lines()
        .filter_map(|l| Some(l.split_once('=')?.0))
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["EXTRA", "HOME", "LC_ALL", "PATH", "PWD"]);
}

#[test]
fn floods_of_output_neither_block_nor_grow() {
    let script =
        "head -c 20000000 /dev/zero; head -c 300000 /dev/zero | tr '\\0' x >&2; echo end >&2";
    let output = live().run(&sh(script)).unwrap();
    assert_eq!(output.stdout.len(), 16 << 20);
    assert_eq!(output.stderr.len(), 16 << 10);
    assert!(output.errors().ends_with("xend\n"));
}

#[test]
fn a_time_limit_ends_all_descendants() {
    let tree = debian("exec-late");
    for (number, exec) in [live(), inside(&tree.path())].into_iter().enumerate() {
        let mark = mark(10 + u32::try_from(number).unwrap());
        let script = format!("(setsid {mark} &) ; trap '' TERM; echo waiting >&2; {mark}");
        let begun = Instant::now();
        let error = exec
            .run(&sh(&script).timeout(Duration::from_secs(1)))
            .unwrap_err();
        assert!(
            error.one_line().contains("not finished after 1 s"),
            "{}",
            error.one_line()
        );
        assert!(error.one_line().contains("waiting"), "{}", error.one_line());
        assert!(begun.elapsed() < Duration::from_secs(8));
        assert_eq!(running(&mark), 0);
    }
}

#[test]
fn what_a_program_leaves_behind_ends_with_it() {
    let mark = mark(20);
    let script = format!("(setsid {mark} >/dev/null 2>&1 &); echo done");
    assert_eq!(live().run(&sh(&script)).unwrap().text(), "done\n");
    assert_eq!(running(&mark), 0);
}

/// Not a test: the process that `a_killed_parent_…` kills. It runs one child and waits for it.
#[test]
#[ignore = "started by the tests of killed parents"]
fn parent_to_be_killed() {
    let Some(script) = std::env::var_os("NODEAGENT_TEST_SCRIPT") else {
        return;
    };
    let cmd = sh(script.to_str().unwrap()).timeout(Duration::from_secs(120));
    match std::env::var_os("NODEAGENT_TEST_TREE") {
        Some(tree) => inside(&PathBuf::from(tree)).run(&cmd).unwrap(),
        None => live().run(&cmd).unwrap(),
    };
}

fn parent(script: &str, tree: Option<&Path>) -> Child {
    let mut parent = own_test("sandbox::exec::parent_to_be_killed");
    parent
        .env("NODEAGENT_TEST_SCRIPT", script)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if let Some(tree) = tree {
        parent.env("NODEAGENT_TEST_TREE", tree);
    }
    parent.spawn().unwrap()
}

/// As long as the file is locked, flock(1) fails.
fn locked(file: &Path) -> bool {
    let status = Command::new("flock")
        .arg("--nonblock")
        .arg(file)
        .arg("true")
        .status();
    !status.unwrap().success()
}

fn killed_parent_leaves_nothing(number: u32, root: &Path, tree: Option<&Path>) {
    let mark = mark(number);
    // As a package manager does: a lock held by a child, one that left its session, one that ignores signals.
    let script = format!(
        "trap '' TERM HUP INT; (setsid flock /tmp/nodeagent-lock-{number} {mark} &) ; {mark}"
    );
    let script = match tree {
        Some(_) => script,
        None => script.replace("/tmp/", &format!("{}/tmp/", root.display())),
    };
    let lock = root.join(format!("tmp/nodeagent-lock-{number}"));
    std::fs::create_dir_all(root.join("tmp")).unwrap();
    let mut parent = parent(&script, tree);
    // flock's own command line shows the mark too.
    until("the children start", || {
        running(&mark) >= 3 && locked(&lock)
    });
    parent.kill().unwrap();
    parent.wait().unwrap();
    until("everything below a killed parent ends", || {
        running(&mark) == 0
    });
    assert!(!locked(&lock), "the lock is free again");
}

#[test]
fn a_killed_parent_leaves_nothing_on_the_machine() {
    let dir = tempfile::tempdir().unwrap();
    killed_parent_leaves_nothing(30, dir.path(), None);
}

#[test]
fn a_killed_parent_leaves_nothing_in_a_tree() {
    let tree = debian("exec-killed");
    killed_parent_leaves_nothing(31, &tree.path(), Some(&tree.path()));
}
