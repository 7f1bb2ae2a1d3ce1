//! Both packages under their distributions' own judges, lintian and rpmlint.
//! It is separate because the judges come from a cached root of their own, and look at the static binary where one was built.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::{packages::binary, source};
use crate::support::machine::cache;
use crate::support::machine::run::{ok, run};
use crate::support::packages;
use crate::support::vm::tools::Tools;

const LIMIT: Duration = Duration::from_mins(3);
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The packages to judge, and whether their binary is the static one.
struct Judged {
    deb: PathBuf,
    rpm: PathBuf,
    whole: bool,
}

/// Packs what `make static` left, else the binary under test, which is judged but for what only a static one passes.
fn packed(dir: &Path) -> Judged {
    let release = cache::target_dir().join("x86_64-unknown-linux-gnu/release/nodeagent");
    let whole = release.exists();
    let binary = if whole { release } else { binary(dir) };
    // lintian wants it compressed.
    packages::make("deb", &binary, dir, &["DEB_COMPRESSION=gzip"]).unwrap();
    // As `make rpm` makes it, but for the compression.
    let flags = "RPM_FLAGS=--define 'nodeagent_payload w.ufdio'";
    packages::make("rpm", &binary, dir, &[flags]).unwrap();
    Judged {
        deb: dir.join(format!("packages/nodeagent_{VERSION}_amd64.deb")),
        rpm: dir.join(format!("packages/nodeagent-{VERSION}-1.x86_64.rpm")),
        whole,
    }
}

/// The lines of a judge that stand for a tag.
fn tags(tools: &Tools, program: &str, args: &[&str], file: &Path) -> Vec<String> {
    let home = tempfile::tempdir().unwrap();
    let mut command = tools.command(program);
    command.args(args).arg(file).env("HOME", home.path());
    command.env("LC_ALL", "C.UTF-8").env("TMPDIR", home.path());
    let done = run(&mut command, LIMIT).unwrap();
    let said = done.stdout + &done.stderr;
    let tag = |line: &&str| {
        ["E: ", "W: ", "I: "]
            .iter()
            .any(|level| line.contains(level))
    };
    let tags: Vec<_> = said.lines().filter(tag).map(str::to_owned).collect();
    // A judge that fell over judged nothing.
    assert!(done.code == 0 || !tags.is_empty(), "{program}: {said}");
    tags
}

/// Whether a tag is about the binary, its libraries, or an explanation of the static one.
fn of_binary(tag: &str) -> bool {
    ["usr/bin/nodeagent", "libc", "override"]
        .iter()
        .any(|word| tag.contains(word))
}

#[test]
fn lintian_and_rpmlint_find_nothing_that_is_not_explained() {
    let dir = tempfile::tempdir().unwrap();
    let judged = packed(dir.path());
    let tools = Tools::of("lint", "trixie", &["lintian", "rpmlint", "rpm"]).unwrap();
    let config = source("packaging/rpm/rpmlint.toml").display().to_string();
    let judge = |program: &str, args: &[&str], file: &Path| {
        let mut tags = tags(&tools, program, args, file);
        tags.retain(|tag| judged.whole || !of_binary(tag));
        tags
    };
    let none: [&str; 0] = [];
    let lintian = ["--allow-root", "--display-info", "--no-cfg"];
    assert_eq!(judge("lintian", &lintian, &judged.deb), none);
    assert_eq!(judge("rpmlint", &["--config", &config], &judged.rpm), none);
    let spec = source("rpm.spec");
    assert_eq!(judge("rpmlint", &["--config", &config], &spec), none);

    // The judges do judge: without the explanations they speak.
    let all = tags(
        &tools,
        "lintian",
        &["--allow-root", "--no-override"],
        &judged.deb,
    );
    assert!(
        all.iter()
            .any(|tag| tag.contains("uses-dpkg-database-directly")),
        "{all:?}"
    );
    let all = tags(&tools, "rpmlint", &[], &judged.rpm);
    assert!(
        all.iter().any(|tag| tag.contains("no-signature")),
        "{all:?}"
    );
}

#[test]
fn a_static_package_depends_on_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let judged = packed(dir.path());
    if !judged.whole {
        return;
    }
    let mut query = Command::new("rpm");
    query
        .args(["--query", "--package", "--requires"])
        .arg(&judged.rpm);
    let needs = ok(&mut query, LIMIT).unwrap();
    assert!(
        needs.lines().all(|line| line.starts_with("rpmlib(")),
        "{needs}"
    );
    let mut field = Command::new("dpkg-deb");
    field
        .arg("--field")
        .arg(&judged.deb)
        .args(["Depends", "Pre-Depends"]);
    assert_eq!(ok(&mut field, LIMIT).unwrap(), "");
}
