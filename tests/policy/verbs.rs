//! The verbs of `policy`: what they print and how they exit.
//! It is apart from loading because it goes through the command line.

use clap::Parser as _;
use nodeagent::cli::{Cli, Io};
use nodeagent::error::Exit;
use nodeagent::policy::{Policy, Sources, profiles};
use serde_json::Value;

use super::{cases, read};

pub(super) fn run(args: &[&str]) -> (Exit, String) {
    let cli = Cli::try_parse_from([&["nodeagent"], args].concat()).unwrap();
    let mut out = Vec::new();
    let exit = cli
        .run(&mut Io {
            out: &mut out,
            terminal: false,
            stop: &|| None,
        })
        .unwrap();
    (exit, String::from_utf8(out).unwrap())
}

#[test]
fn check_follows_a_folder_of_folders_and_exits_2() {
    let cases = cases();
    let (exit, out) = run(&["policy", "check", "--json", cases.to_str().unwrap()]);
    assert_eq!(exit, Exit::Usage);
    let report: Value = serde_json::from_str(&out).unwrap();
    let mistakes = report["mistakes"].as_array().unwrap();
    assert!(
        report["errors"].as_u64().unwrap() > 80,
        "{}",
        report["errors"]
    );
    for entry in std::fs::read_dir(&cases).unwrap() {
        let case = entry.unwrap().path();
        let bad = read(&case, "expected.txt").unwrap().starts_with("exit 2");
        // What is wrong only with --set or on another machine is right by itself.
        if !bad || case.join("set").exists() || case.ends_with("required-variable") {
            continue;
        }
        let folder = format!("{}/", case.display());
        let found = mistakes.iter().any(|m| {
            let file = m["at"]["file"].as_str().unwrap();
            file.starts_with(&folder) && m["severity"] == "error"
        });
        assert!(found, "nothing was found in {folder}");
    }
}

#[test]
fn check_of_what_is_shipped_says_so_in_one_line_a_profile() {
    let (exit, out) = run(&["policy", "check"]);
    assert_eq!(exit, Exit::Ok);
    let line = out
        .lines()
        .find(|l| l.starts_with("profile debian12-base: "));
    assert!(line.unwrap().contains(" 0 warnings; debian 12"), "{out}");
    assert_eq!(out.lines().count(), profiles(&Sources::shipped()).len());
}

#[test]
fn show_prints_the_policy_that_bake_would_keep() {
    let args = [
        "policy",
        "show",
        "--profile",
        "debian12-base",
        "--set",
        "chrony_unit=ntp.service",
    ];
    let (exit, json) = run(&[&args[..], &["--json"]].concat());
    assert_eq!(exit, Exit::Ok);
    let policy = Policy::from_json(json.as_bytes()).unwrap();
    assert!(policy.entries.iter().any(|e| e.id == "unit:ntp.service"));
    assert_eq!(policy.variables["chrony_unit"].from, "--set");
    let (_, text) = run(&args);
    for entry in &policy.entries {
        assert!(
            text.contains(&entry.id) && text.contains(&entry.reason),
            "{}",
            entry.id
        );
    }
    assert!(text.contains(&policy.digest().unwrap()));
}
