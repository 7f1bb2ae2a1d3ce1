//! What a verb does when its streams are a terminal, a closed pipe or a file, and what packaging generates from it.
//! It is separate from the exit codes because each case needs a process with streams of its own kind.

use std::process::{Command, Stdio};

use clap::CommandFactory as _;

use crate::support::offline::{Mini, code, command, policy};

/// A pipe that nobody reads.
fn closed() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

#[test]
fn a_reader_that_left_is_no_error() {
    for args in [
        &["policy", "show", "--profile", "debian12-base"][..],
        &["policy", "schema"],
        &["completions", "bash"],
    ] {
        let output = command(args).stdout(closed()).output().unwrap();
        assert_eq!(code(&output), 141, "{args:?}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{args:?}");
    }
}

#[test]
fn a_log_that_nobody_reads_ends_no_bake() {
    let mini = Mini::new();
    let policy = policy();
    let output = command(&["--root", mini.path().to_str().unwrap(), "bake", "--json"])
        .args(["--profile", "mini", "--policy", policy.to_str().unwrap()])
        .stderr(closed())
        .stdout(Stdio::piped())
        .output()
        .unwrap();
    assert_eq!(code(&output), 0);
    assert_eq!(mini.text("etc/motd"), "hello\n");
    let output = command(&["plan", "--profile", "nonsense"])
        .stderr(closed())
        .output()
        .unwrap();
    assert_eq!(code(&output), 2);
}

/// The output of a command line on a terminal; script(1) makes one for all its streams.
fn on_a_terminal(line: &str, colour: &[(&str, &str)]) -> String {
    let output = Command::new("script")
        .args(["-qec", line, "/dev/null"])
        .env_remove("NO_COLOR")
        .envs(colour.iter().copied())
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn colour_is_for_terminals_that_want_it() {
    let mini = Mini::new();
    let line = format!(
        "{} --root {} bake --profile mini --policy {}",
        env!("CARGO_BIN_EXE_nodeagent"),
        mini.path().display(),
        policy().display()
    );
    let coloured = "\u{1b}[32m";
    assert!(on_a_terminal(&line, &[]).contains(coloured));
    assert!(!on_a_terminal(&line, &[("NO_COLOR", "1")]).contains(coloured));
}

#[test]
fn names_of_files_cannot_steer_the_terminal() {
    let mini = Mini::new();
    assert_eq!(code(&mini.bake(&[])), 0);
    assert_eq!(code(&mini.run(&["generalize"])), 0);
    mini.put("usr/bin/\u{1b}[2Jsu", "");
    let path = mini.path().join("usr/bin/\u{1b}[2Jsu");
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o4755)).unwrap();
    let output = mini.run(&["verify"]);
    assert_eq!(code(&output), 3);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        text.contains("inventory:setuid") && text.contains("[2Jsu"),
        "{text}"
    );
    assert!(!text.contains('\u{1b}'));
}

/// Every verb with its options, as `nodeagent-policy-check` and so on.
fn verbs(name: &str, tree: &clap::Command, list: &mut Vec<(String, Vec<String>)>) {
    let long = tree.get_arguments().filter(|a| !a.is_hide_set());
    let long = long
        .filter_map(|a| Some(format!("--{}", a.get_long()?)))
        .collect();
    list.push((name.to_owned(), long));
    for verb in tree.get_subcommands() {
        verbs(&format!("{name}-{}", verb.get_name()), verb, list);
    }
}

#[test]
fn every_verb_has_a_man_page_that_renders_and_names_every_option() {
    let dir = tempfile::tempdir().unwrap();
    let output = command(&["completions", "--man", dir.path().to_str().unwrap()])
        .output()
        .unwrap();
    assert_eq!(code(&output), 0);
    let mut list = Vec::new();
    verbs("nodeagent", &nodeagent::cli::Cli::command(), &mut list);
    assert!(list.len() >= 12, "{list:?}");
    for (name, options) in &list {
        let page = dir.path().join(format!("{name}.1"));
        // -ww: every warning; a page with one is a page with a hole.
        let output = Command::new("groff")
            .args(["-man", "-ww", "-Tascii", "-rLL=200n", "-P-cbou"])
            .arg(&page)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.is_empty(), "{name}: {said}");
        let text = String::from_utf8(output.stdout).unwrap();
        for option in options {
            assert!(text.contains(option.as_str()), "{name} {option}: {text}");
        }
        assert!(
            text.contains("nodeagent") && text.contains("NAME"),
            "{text}"
        );
    }
    for unit in [
        "nodeagent-firstboot.service",
        "nodeagent-close.service",
        "nodeagent-hostkeys.service",
        "nodeagent-route.service",
    ] {
        let unit = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("units")
            .join(unit);
        let text = std::fs::read_to_string(&unit).unwrap();
        let pages: Vec<&str> = text.split("man:nodeagent").skip(1).collect();
        assert!(!pages.is_empty(), "{}", unit.display());
        for page in pages {
            let verb = page.split('(').next().unwrap();
            assert!(
                dir.path().join(format!("nodeagent{verb}.1")).exists(),
                "{verb}"
            );
        }
    }
}

#[test]
fn completions_want_a_shell_or_a_folder_for_man_pages() {
    for args in [
        &["completions"][..],
        &["completions", "bash", "--man", "/nowhere"],
    ] {
        assert_eq!(code(&command(args).output().unwrap()), 2, "{args:?}");
    }
    let output = command(&["completions", "--man", "/proc/none"])
        .output()
        .unwrap();
    assert_eq!(code(&output), 1);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("/proc/none/nodeagent"), "{said}");
}
