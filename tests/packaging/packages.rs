//! The .deb and the .rpm hold what `make install` installs: binary, man pages, completions.
//! It is separate because the Makefile is the one list, and both packages only repeat it.

use std::process::Command;
use std::time::Duration;

use super::{source, text};
use crate::support::machine::run::ok;

/// Runs a target of the Makefile with the binary under test instead of a release build.
fn make(target: &str, settings: &[String]) -> String {
    let mut command = Command::new("make");
    command.arg("-C").arg(source("."));
    command.args(["-s", "--old-file=static", target]);
    command.arg(format!("BINARY={}", env!("CARGO_BIN_EXE_nodeagent")));
    command.args(settings);
    command.env_remove("MAKEFLAGS");
    ok(&mut command, Duration::from_secs(120)).unwrap()
}

fn installed(dir: &std::path::Path) -> Vec<String> {
    make("install", &[format!("DESTDIR={}", dir.display())]);
    let mut find = Command::new("find");
    find.arg(dir).args(["-type", "f", "-printf", "/%P\n"]);
    let list = ok(&mut find, Duration::from_secs(20)).unwrap();
    let mut names: Vec<String> = list.lines().map(str::to_owned).collect();
    names.sort();
    names
}

/// The patterns of `%files`, with the usual values of rpm's macros.
fn rpm_files() -> Vec<String> {
    let spec = text("rpm.spec");
    let files = spec.split_once("%files\n").unwrap().1;
    let lines = files
        .lines()
        .filter(|l| l.starts_with("%{") && !l.is_empty());
    let place = |l: &str| {
        l.replace("%{_bindir}", "/usr/bin")
            .replace("%{_mandir}", "/usr/share/man")
            .replace("%{_datadir}", "/usr/share")
    };
    lines.map(place).collect()
}

fn matches(pattern: &str, name: &str) -> bool {
    let mut rest = name;
    let parts: Vec<&str> = pattern.split('*').collect();
    for (index, part) in parts.iter().enumerate() {
        let found = if index == 0 {
            rest.starts_with(part).then_some(0)
        } else {
            rest.find(part)
        };
        let Some(at) = found else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.is_empty() || pattern.ends_with('*')
}

#[test]
fn the_rpm_lists_every_installed_file_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let names = installed(dir.path());
    assert!(names.contains(&"/usr/share/man/man1/nodeagent-policy-check.1".to_owned()));
    let patterns = rpm_files();
    for name in &names {
        assert!(patterns.iter().any(|p| matches(p, name)), "{name}");
    }
    for pattern in &patterns {
        assert!(names.iter().any(|n| matches(pattern, n)), "{pattern}");
    }
}

#[test]
fn the_deb_holds_the_same_files_and_the_crates_version() {
    let dir = tempfile::tempdir().unwrap();
    let mut want = installed(&dir.path().join("tree"));
    for name in &mut want {
        if name.contains("/man1/") {
            name.push_str(".gz");
        }
    }
    let target = dir.path().join("target");
    make("deb", &[format!("TARGET_DIR={}", target.display())]);
    let deb = target.join("nodeagent.deb");
    let query = |args: &[&str]| {
        let mut command = Command::new("dpkg-deb");
        ok(command.args(args).arg(&deb), Duration::from_secs(60)).unwrap()
    };
    let listed = query(&["--contents"]);
    let files = listed.lines().filter(|l| l.starts_with('-'));
    let mut names: Vec<String> = files
        .map(|l| {
            assert!(l.contains(" root/root "), "{l}");
            l.rsplit_once(" .").unwrap().1.to_owned()
        })
        .collect();
    names.sort();
    want.sort();
    assert_eq!(names, want);
    let version = query(&["--showformat", "${Version}", "--show"]);
    assert_eq!(version, env!("CARGO_PKG_VERSION"));
}
