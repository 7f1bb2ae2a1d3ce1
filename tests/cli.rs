//! The command line as a person or a script meets it: exit codes, streams, help, lock.
//! It is separate because these are contracts that no unit test of a verb would notice breaking.

use clap::CommandFactory as _;

use crate::support::offline::{Mini, code, command};

#[test]
fn usage_errors_are_2_and_touch_nothing() {
    for args in [
        &[][..],
        &["nonsense"],
        &["plan", "--phase", "nonsense"],
        &["plan", "--profile", "nonsense"],
        &["verify", "--skip"],
        &["verify", "--root", "/nonexistent"],
        &[
            "plan",
            "--root",
            "/etc/passwd",
            "--profile",
            "debian12-base",
        ],
    ] {
        let output = command(args).output().unwrap();
        assert_eq!(code(&output), 2, "{args:?}");
        assert!(output.stdout.is_empty(), "{args:?}: stdout is data only");
        assert!(!output.stderr.is_empty(), "{args:?}");
    }
}

#[test]
fn a_wrong_os_is_refused_before_anything_is_observed() {
    let mini = Mini::new();
    mini.put(
        "etc/os-release",
        "ID=ubuntu\nVERSION_ID=\"22.04\"\nID_LIKE=debian\n",
    );
    let output = mini.bake(&[]);
    assert_eq!(code(&output), 4);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("22.04") && said.contains("12"), "{said}");
    assert!(!mini.path().join("var/lib/nodeagent").exists());
}

#[test]
fn every_verb_has_examples_and_every_argument_a_sentence() {
    let tree = nodeagent::cli::Cli::command();
    let mut verbs = 0;
    for verb in tree.get_subcommands() {
        verbs += 1;
        let leaves: Vec<_> = verb.get_subcommands().collect();
        let help = verb
            .get_after_help()
            .map(ToString::to_string)
            .unwrap_or_default();
        let inner = leaves.iter().all(|leaf| leaf.get_after_help().is_some()) && !leaves.is_empty();
        assert!(
            help.contains("Example") || inner,
            "{} has no example",
            verb.get_name()
        );
        for command in leaves.into_iter().chain([verb]) {
            for argument in command.get_arguments() {
                let of = format!("{} {}", command.get_name(), argument.get_id());
                assert!(argument.get_help().is_some(), "{of}");
            }
        }
    }
    assert!(verbs >= 8, "{verbs}");
}

#[test]
fn completions_are_shell_that_parses() {
    let output = command(&["completions", "bash"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let mut check = std::process::Command::new("bash")
        .arg("-n")
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut check.stdin.take().unwrap(), &output.stdout).unwrap();
    assert!(check.wait().unwrap().success());
    assert!(String::from_utf8_lossy(&output.stdout).contains("generalize"));
}

#[test]
fn the_second_bake_is_refused_with_the_name_of_the_first() {
    let mini = Mini::new();
    std::fs::create_dir_all(mini.path().join("var/lib/nodeagent")).unwrap();
    let root = nodeagent::host::Root::open(mini.path()).unwrap();
    let held = root
        .try_lock(nodeagent::record::LOCK, "bake, process 42")
        .unwrap()
        .unwrap();
    let output = mini.bake(&[]);
    assert_eq!(code(&output), 4);
    assert!(String::from_utf8_lossy(&output.stderr).contains("bake, process 42"));
    assert!(!mini.path().join("etc/packer-build").exists());
    drop(held);
    assert_eq!(code(&mini.bake(&[])), 0);
}

#[test]
fn the_log_is_plain_and_the_data_is_json_in_a_pipe() {
    let mini = Mini::new();
    let output = mini.bake(&["--json"]);
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(!log.contains('\u{1b}'), "no colour in a pipe");
    assert!(
        log.lines()
            .any(|line| line.contains("done file:/etc/motd: ")),
        "{log}"
    );
    serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap();
}

#[test]
fn a_typing_error_in_skip_is_told() {
    let mini = Mini::new();
    assert_eq!(code(&mini.bake(&["--skip", "file:/etc/mots"])), 2);
    assert_eq!(code(&mini.bake(&["--skip", "file:/etc/motd"])), 0);
    assert!(!mini.path().join("etc/motd").exists());
}

#[test]
fn nothing_to_check_is_5() {
    let mini = Mini::new();
    assert_eq!(code(&mini.bake(&[])), 0);
    let output = mini.run(&["verify", "--phase", "images"]);
    assert_eq!(code(&output), 5);
}

#[test]
fn on_a_terminal_it_shows_steps_and_leaves_no_bar_behind() {
    let mini = Mini::new();
    let policy = crate::support::offline::policy();
    let line = format!(
        "{} --root {} bake --profile mini --policy {}",
        env!("CARGO_BIN_EXE_nodeagent"),
        mini.path().display(),
        policy.display()
    );
    // script(1) gives the program a terminal for all its streams.
    let output = std::process::Command::new("script")
        .args(["-qec", &line, "/dev/null"])
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&output.stdout);
    assert_eq!(code(&output), 0);
    assert!(shown.contains("done  file:/etc/motd"), "{shown}");
    // "\x1b[2K" wipes the line: what is left of the last bar must be nothing.
    let last = shown
        .trim_end()
        .rsplit("\u{1b}[2K")
        .next()
        .unwrap_or_default();
    assert!(
        last.starts_with("bake: ") && last.contains("0 failed"),
        "{last}"
    );
}
