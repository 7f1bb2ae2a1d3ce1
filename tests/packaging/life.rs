//! A package over its life: installed, baked over, sealed, upgraded, removed; by the real dpkg and the real rpm.
//! It is separate because both packages must live through one story, and only the package manager differs.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::packages::binary;
use super::source;
use crate::offline::drift;
use crate::support::machine::run::{Done, ok, run};
use crate::support::machine::tree::Tree;
use crate::support::machine::{Result, el9, rootfs};
use crate::support::offline::json;
use crate::support::packages;

const LIMIT: Duration = Duration::from_mins(2);
/// What comes after the version that is installed first.
const NEXT: &str = "99.0.0";

/// A package manager, and how it is told things; the file's path follows where there is one.
pub(super) struct Manager {
    profile: &'static str,
    build: fn(&Path, &str, &Path) -> Result<PathBuf>,
    install: &'static [&'static str],
    verify: &'static [&'static str],
    erase: &'static [&'static [&'static str]],
}

pub(super) const DPKG: Manager = Manager {
    profile: "packaged-debian",
    build: packages::deb_version,
    install: &["dpkg", "--install"],
    verify: &["dpkg", "--verify", "nodeagent"],
    erase: &[
        &["dpkg", "--remove", "nodeagent"],
        &["dpkg", "--purge", "nodeagent"],
    ],
};

/// The binary under test is not static: what it needs is in the tree, but Debian's packages are unknown to rpm.
const RPM: Manager = Manager {
    profile: "packaged-el",
    build: packages::rpm_version,
    install: &["rpm", "--upgrade", "--force-debian", "--nodeps"],
    verify: &["rpm", "--verify", "--nodeps", "nodeagent"],
    erase: &[&["rpm", "--erase", "--force-debian", "nodeagent"]],
};

/// A tree with one package manager in it.
pub(super) struct Life {
    pub(super) manager: Manager,
    pub(super) tree: Tree,
    pub(super) dir: tempfile::TempDir,
}

impl Life {
    fn chroot(&self, argv: &[&str]) -> Done {
        let mut command = Command::new("chroot");
        command.arg(self.tree.path()).args(argv).env_clear();
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        run(&mut command, LIMIT).unwrap()
    }

    pub(super) fn install(&self, binary: &Path, version: &str) {
        let into = self.dir.path().join(version);
        let package = (self.manager.build)(binary, version, &into).unwrap();
        let name = package.file_name().unwrap().to_str().unwrap();
        let inside = format!("/srv/{name}");
        std::fs::copy(&package, self.tree.path().join(&inside[1..])).unwrap();
        let done = self.chroot(&[self.manager.install, &[&inside]].concat());
        assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
    }

    /// The package manager finds each file of the package as it was installed.
    fn unchanged(&self) {
        let done = self.chroot(self.manager.verify);
        assert_eq!(
            (done.code, done.stdout.as_str()),
            (0, ""),
            "{}",
            done.stderr
        );
    }

    /// The packaged program on this tree.
    pub(super) fn agent(&self, args: &[&str]) -> (i32, Value) {
        let root = self.tree.path();
        let mut command = Command::new(root.join("usr/bin/nodeagent"));
        command.arg("--root").arg(&root).args(args).arg("--json");
        command.env_clear().env("SOURCE_DATE_EPOCH", "1700000000");
        let output = command.output().unwrap();
        let value = json(&output);
        println!("{args:?}: {value:#}");
        (output.status.code().unwrap(), value)
    }

    pub(super) fn bake(&self, verb: &str) -> (i32, Value) {
        let policy = source("tests/cases/packaged").display().to_string();
        let profile = self.manager.profile;
        self.agent(&[verb, "--profile", profile, "--policy", &policy])
    }

    /// What must outlive the package: settings, evidence, state, gate and enabled units, with their content.
    fn kept(&self) -> Vec<String> {
        let script = "find etc var/lib/nodeagent usr/lib/systemd/system/rke2-* ! -type d -printf '%p %m %l ' \
                      -exec sh -c 'test -L \"$1\" || sha256sum < \"$1\"' sh {} ';' -printf '\\n'";
        let mut sh = Command::new("sh");
        sh.current_dir(self.tree.path()).args(["-c", script]);
        let text = ok(&mut sh, LIMIT).unwrap();
        let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    }
}

/// Entries of files that the package brings.
fn is_packaged(id: &str) -> bool {
    id == "file:/usr/bin/nodeagent" || id.starts_with("file:/usr/lib/systemd/system/nodeagent-")
}

fn ids<'a>(list: &'a Value, what: &str) -> Vec<&'a Value> {
    let list = list[what].as_array().unwrap().iter();
    list.filter(|item| is_packaged(item["id"].as_str().unwrap()))
        .collect()
}

/// Units whose enabling symlinks are in the tree.
fn enabled(root: &Path) -> String {
    let mut find = Command::new("find");
    find.arg(root.join("etc/systemd/system"));
    ok(
        find.args(["-lname", "*nodeagent-*", "-printf", "%f\n"]),
        LIMIT,
    )
    .unwrap()
}

/// The preset keeps units off where the system's default is to enable, and the folder of the run exists at boot.
fn nothing_starts_by_itself(root: &Path) {
    std::fs::create_dir_all(root.join("etc/systemd/system")).unwrap();
    assert_eq!(enabled(root), "");
    let names = std::fs::read_dir(source("units")).unwrap();
    let names = names.map(|unit| unit.unwrap().file_name().into_string().unwrap());
    let units: Vec<_> = names.filter(|name| name.ends_with(".service")).collect();
    assert_eq!(units.len(), 5);
    let mut preset = Command::new("systemctl");
    preset.arg(format!("--root={}", root.display()));
    ok(preset.arg("preset").args(&units), LIMIT).unwrap();
    assert_eq!(enabled(root), "");
    let mut tmpfiles = Command::new("systemd-tmpfiles");
    tmpfiles.arg(format!("--root={}", root.display()));
    ok(tmpfiles.args(["--create", "nodeagent.conf"]), LIMIT).unwrap();
    assert!(root.join("run/nodeagent").is_dir());
}

/// A bake over the package writes none of its files, and the seal holds with it.
fn bake_finds_it_as_wanted(life: &Life) {
    let (_, plan) = life.bake("plan");
    let items = ids(&plan, "items");
    assert_eq!(items.len(), 6);
    assert!(
        items
            .iter()
            .all(|item| item["differences"] == serde_json::json!([]))
    );
    let (code, baked) = life.bake("bake");
    assert_eq!((code, ids(&baked, "steps").len()), (0, 0));
    life.unchanged();
    assert!(enabled(&life.tree.path()).contains("nodeagent-firstboot.service"));
    let (code, again) = life.bake("bake");
    assert_eq!((code, &again["changes"]), (0, &serde_json::json!(0)));
    let (code, sealed) = life.agent(&["generalize"]);
    assert_eq!((code, sealed["state"].as_str()), (0, Some("closed")));
    life.unchanged();
    assert_eq!(life.agent(&["verify"]).0, 0);
}

/// Another binary under a higher version.
fn upgrade(life: &Life, binary: &Path) {
    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .open(binary)
        .unwrap();
    file.write_all(b"another build").unwrap();
    drop(file);
    life.install(binary, NEXT);
    life.unchanged();
    let (code, verdict) = life.agent(&["verify"]);
    assert_eq!(code, 3);
    // The package manager's own logs and backups are clean on an image, and a node may have them.
    let mut found = drift(&verdict);
    found.retain(|id| !id.starts_with("scrub:"));
    assert_eq!(found, ["file:/usr/bin/nodeagent", "inventory:packages"]);
    let text = verdict.to_string();
    assert!(
        text.contains(NEXT) && text.contains(env!("CARGO_PKG_VERSION")),
        "{text}"
    );
}

fn lives(manager: Manager, stock: &Path, label: &str) {
    let tree = Tree::of_stock(stock, label).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let binary = binary(dir.path());
    let life = Life { manager, tree, dir };
    let root = life.tree.path();
    life.install(&binary, env!("CARGO_PKG_VERSION"));
    life.unchanged();
    nothing_starts_by_itself(&root);
    bake_finds_it_as_wanted(&life);

    std::fs::create_dir_all(root.join("var/lib/nodeagent")).unwrap();
    std::fs::write(root.join("var/lib/nodeagent/kept"), "state").unwrap();
    let before = life.kept();
    for name in [
        "image-manifest.json",
        "route.toml",
        "50-nodeagent.conf",
        "nodeagent/kept",
    ] {
        assert!(before.iter().any(|line| line.contains(name)), "{name}");
    }
    upgrade(&life, &binary);
    assert_eq!(life.kept(), before);
    for step in life.manager.erase {
        let done = life.chroot(step);
        assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
        assert_eq!(life.kept(), before);
    }
    for gone in [
        "bin/nodeagent",
        "lib/systemd/system/nodeagent-route.service",
        "share/doc/nodeagent",
    ] {
        assert!(!root.join("usr").join(gone).exists(), "{gone}");
    }
}

#[test]
fn a_deb_is_installed_baked_over_upgraded_and_removed() {
    lives(DPKG, &rootfs::stock().unwrap().path, "deb-life");
}

#[test]
fn an_rpm_is_installed_baked_over_upgraded_and_erased() {
    lives(RPM, &el9::stock().unwrap().path, "rpm-life");
}
