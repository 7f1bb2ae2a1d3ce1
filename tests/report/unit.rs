//! The unit: nothing of a boot is ordered behind it, no cycle, a tight sandbox, a policy that brings it.
//! It is separate because its judges are systemd's own tools.

use std::fs;
use std::path::Path;
use std::time::Duration;

use clap::Parser as _;

use crate::support::machine::run;
use crate::support::offline::shipped;
use crate::units::{SYSTEM, tree, units, want};

pub(super) const UNIT: &str = "nodeagent-report.service";

fn analyze(args: &[&str]) -> run::Done {
    let mut command = std::process::Command::new("systemd-analyze");
    run::run(command.args(args), Duration::from_mins(1)).unwrap()
}

/// What systemd says of a whole boot with the unit.
fn verify(root: &Path) -> String {
    let root = format!("--root={}", root.display());
    let args = [
        "verify",
        "--man=no",
        "--generators=no",
        &root,
        "multi-user.target",
        UNIT,
    ];
    analyze(&args).stderr
}

#[test]
fn it_is_in_no_cycle_and_the_same_check_finds_a_seeded_one() {
    let tree = tree("report-unit", "#!/bin/sh\n");
    let root = tree.path();
    let path = root.join(SYSTEM).join(UNIT);
    fs::copy(units().join(UNIT), &path).unwrap();
    want(&root, "multi-user.target", UNIT);
    want(&root, "multi-user.target", "cloud-init.target");
    assert_eq!(verify(&root), "");
    let text = fs::read_to_string(&path).unwrap();
    let wrong = text.replace("\nBefore=shutdown.target", "\nBefore=cloud-config.target");
    assert_ne!(text, wrong);
    fs::write(&path, wrong).unwrap();
    assert!(
        verify(&root).contains("ordering cycle"),
        "{}",
        verify(&root)
    );
    fs::write(&path, text.replace("Type=exec", "Type=exact")).unwrap();
    assert!(verify(&root).contains("exact"), "{}", verify(&root));
}

#[test]
fn nothing_waits_for_it_and_its_own_wait_has_an_end() {
    let text = fs::read_to_string(units().join(UNIT)).unwrap();
    let values = |key: &str| -> Vec<String> {
        let lines = text
            .lines()
            .filter_map(|l| l.strip_prefix(key)?.strip_prefix('='));
        lines.map(str::to_owned).collect()
    };
    assert_eq!(values("Before"), ["shutdown.target"]);
    assert_eq!(
        values("DefaultDependencies"),
        ["no"],
        "a target orders itself behind what it wants"
    );
    assert_eq!(
        values("Type"),
        ["exec"],
        "a oneshot that waits for the boot's end would never see it"
    );
    let commands = values("ExecStart");
    let [command] = commands.as_slice() else {
        panic!("one command");
    };
    let words: Vec<&str> = command.split(' ').collect();
    assert!(
        nodeagent::cli::Cli::try_parse_from(&words).is_ok(),
        "{command}"
    );
    let wait: u64 = words.last().unwrap().parse().unwrap();
    let slowest = nodeagent::host::outlet::Limits::default().total.as_secs();
    let limit: u64 = values("RuntimeMaxSec")[0].parse().unwrap();
    assert!(
        limit > wait + slowest + 60,
        "systemd would end it before it ends itself"
    );
}

#[test]
fn the_sandbox_is_tight() {
    let path = units().join(UNIT);
    let secure = |path: &Path| {
        let args = ["security", "--offline=true", "--threshold=25"];
        let mut all: Vec<&str> = args.to_vec();
        all.push(path.to_str().unwrap());
        analyze(&all).code
    };
    assert_eq!(secure(&path), 0);
    let dir = tempfile::tempdir().unwrap();
    let loose = dir.path().join(UNIT);
    let text = fs::read_to_string(&path).unwrap();
    fs::write(
        &loose,
        text.replace("CapabilityBoundingSet=CAP_DAC_OVERRIDE", ""),
    )
    .unwrap();
    assert_ne!(secure(&loose), 0);
}

#[test]
fn every_profile_of_an_image_brings_it() {
    for profile in [
        "debian12-base",
        "rke2-debian12",
        "rke2-rocky9",
        "rke2-ubuntu2204",
    ] {
        let policy = shipped(profile, &[]);
        let has = |id: &str| policy.entries.iter().any(|entry| entry.id == id);
        for id in [
            format!("unit:{UNIT}"),
            format!("file:/{SYSTEM}/{UNIT}"),
            "file:/etc/nodeagent/report.toml".to_owned(),
            "scrub:report".to_owned(),
        ] {
            assert!(has(&id), "{profile} has no {id}");
        }
    }
}
