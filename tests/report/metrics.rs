//! Metrics and alerts before promtool, of Debian's prometheus package, which is fetched and never installed.
//! It is separate because the judge is Prometheus' own tool.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use nodeagent::report::prometheus;

use super::{node, report};
use crate::support::machine::{Result, cache, doing, pool, rootfs, run, sources};

/// promtool out of the package that the host's apt sources have for Debian 12.
pub(super) fn promtool() -> PathBuf {
    let entry = cache::entry("promtool", &cache::key(&["promtool 1"]), fetch).unwrap();
    entry.path.join("usr/bin/promtool")
}

fn fetch(dir: &Path) -> Result<()> {
    let work = tempfile::tempdir().map_err(|e| format!("making a scratch directory: {e}"))?;
    let work = work.path();
    let config = pool::apt_config(&rootfs::stock()?.path, work)?;
    sources::copy_to(&work.join("sources"))?;
    let apt = |args: &[&str]| {
        let mut command = Command::new("apt-get");
        command.current_dir(work).env("APT_CONFIG", &config);
        run::ok(
            command.args(["-q", "-y"]).args(args),
            Duration::from_mins(10),
        )
    };
    apt(&["update"])?;
    apt(&["download", "prometheus"])?;
    let names = std::fs::read_dir(work).map_err(|e| doing("listing", work, &e))?;
    let debs = names.flatten().map(|entry| entry.path());
    let deb = debs.filter(|path| path.extension().is_some_and(|e| e == "deb"));
    let deb = deb.last().ok_or("apt-get download left no package")?;
    let mut unpack = Command::new("dpkg-deb");
    run::ok(unpack.arg("-x").arg(deb).arg(dir), Duration::from_mins(2)).map(|_| ())
}

/// What promtool says against metrics; empty when nothing.
pub(super) fn faults(metrics: &str) -> String {
    use std::io::Write as _;
    let mut command = Command::new(promtool());
    command.args(["check", "metrics"]);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(metrics.as_bytes())
        .unwrap();
    let out = child.wait_with_output().unwrap();
    let said = String::from_utf8(out.stderr).unwrap() + &String::from_utf8(out.stdout).unwrap();
    assert_eq!(out.status.success(), said.is_empty(), "{said}");
    said
}

/// Names of metrics.
pub(super) fn names(metrics: &str) -> Vec<String> {
    let types = metrics
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "));
    types
        .map(|line| line.split(' ').next().unwrap().to_owned())
        .collect()
}

#[test]
fn promtool_takes_the_metrics_and_finds_seeded_faults() {
    let mini = node();
    let mut report = report(mini.path());
    report.image.os = Some("a \"quoted\" \\ name\nof two lines".to_owned());
    let text = prometheus::text(&report);
    assert_eq!(faults(&text), "", "{text}");
    for want in [
        "nodeagent_identity_verdict{verdict=\"proved\"} 1\n",
        "nodeagent_boot_milestone_seconds{milestone=\"rke2-ready\"} 9.500000\n",
        "nodeagent_boot_phase_duration_seconds{phase=\"total\"} 12.345678\n",
        "nodeagent_identity_check_duration_seconds 0.041\n",
        "nodeagent_image_built_timestamp_seconds 1700000000\n",
    ] {
        assert!(text.contains(want), "{want} is not in\n{text}");
    }
    for (from, to) in [
        ("_seconds{milestone", "_millis{milestone"),
        ("\"proved\"} 1", "\"proved\"} one"),
        ("\\\"quoted\\\"", "\"quoted\""),
        ("# HELP nodeagent_image_info", "# HELP nodeagent_image"),
    ] {
        let wrong = text.replace(from, to);
        assert_ne!(wrong, text, "{from}");
        assert_ne!(faults(&wrong), "", "{from} as {to}");
    }
    let bare = tempfile::tempdir().unwrap();
    assert_eq!(faults(&prometheus::text(&super::report(bare.path()))), "");
}

fn rules(args: &[&str], dir: &Path) -> (bool, String) {
    let mut command = Command::new(promtool());
    let done = run::run(command.current_dir(dir).args(args), Duration::from_mins(2)).unwrap();
    (done.code == 0, done.stdout + &done.stderr)
}

#[test]
fn the_alerts_say_what_they_must_and_their_test_can_fail() {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/prometheus");
    let checked = rules(&["check", "rules", "nodeagent.rules.yml"], &shipped);
    assert!(checked.0, "{}", checked.1);
    let tested = rules(&["test", "rules", "nodeagent.test.yml"], &shipped);
    assert!(tested.0, "{}", tested.1);
    let text = std::fs::read_to_string(shipped.join("nodeagent.rules.yml")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let test = "nodeagent.test.yml";
    std::fs::copy(shipped.join(test), dir.path().join(test)).unwrap();
    for (from, to) in [
        ("(digest, instance)", "(digest, instance, job)"),
        (") > 1", ") > 2"),
        ("for: 15m", "for: 0m"),
        ("== 0", ">= 0"),
        ("90 * 86400", "91 * 86400"),
        ("verdict=\"failed\"} == 1", "verdict=\"failed\"} >= 0"),
    ] {
        let wrong = text.replace(from, to);
        assert_ne!(wrong, text, "{from}");
        std::fs::write(dir.path().join("nodeagent.rules.yml"), wrong).unwrap();
        assert!(
            !rules(&["test", "rules", test], dir.path()).0,
            "{from} as {to}"
        );
    }
}

/// Alerts and pages name metrics and messages; what they name must exist.
#[test]
fn the_alerts_name_metrics_and_messages_that_exist() {
    let mini = node();
    let known = names(&prometheus::text(&report(mini.path())));
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/prometheus/nodeagent.rules.yml");
    let text = std::fs::read_to_string(path).unwrap();
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let named: Vec<&str> = words
        .filter(|word| word.starts_with("nodeagent_"))
        .collect();
    assert!(named.len() >= 4, "{named:?}");
    for name in named {
        assert!(known.iter().any(|k| k == name), "{name}");
    }
    assert!(text.contains(nodeagent::report::journal::NOT_PROVED));
}
