//! The .deb and the .rpm hold what `make install` installs, under one version, and are the same bytes each time.
//! It is separate because the Makefile is the one list, and both packages only repeat it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::{source, text};
use crate::support::machine::run::ok;
use crate::support::packages;

const VERSION: &str = env!("CARGO_PKG_VERSION");
const LIMIT: Duration = Duration::from_secs(60);

/// The binary under test, without debug information; made anew in each folder.
pub(super) fn binary(dir: &Path) -> PathBuf {
    packages::lean(Path::new(env!("CARGO_BIN_EXE_nodeagent")), dir).unwrap()
}

fn lines(command: &mut Command) -> Vec<String> {
    let list = ok(command, LIMIT).unwrap();
    let mut names: Vec<String> = list.lines().map(str::to_owned).collect();
    names.sort();
    names
}

fn files(tree: &Path) -> Vec<String> {
    let mut find = Command::new("find");
    lines(find.arg(tree).args(["-type", "f", "-printf", "/%P\n"]))
}

#[test]
fn a_package_brings_the_program_its_units_and_what_a_person_reads() {
    let dir = tempfile::tempdir().unwrap();
    let tree = dir.path().join("tree");
    packages::installed(&binary(dir.path()), &tree).unwrap();
    let names = files(&tree);
    for want in [
        "/usr/bin/nodeagent",
        "/usr/lib/systemd/system-preset/80-nodeagent.preset",
        "/usr/lib/tmpfiles.d/nodeagent.conf",
        "/usr/share/bash-completion/completions/nodeagent",
        "/usr/share/man/man1/nodeagent-policy-check.1.gz",
        "/usr/share/doc/nodeagent/docs/install.md",
        "/usr/share/doc/nodeagent/policy/rootfs/etc/audit/rules.d/50-cis-node.rules",
    ] {
        assert!(names.contains(&want.to_owned()), "{want} is missing");
    }
    for unit in std::fs::read_dir(source("units")).unwrap() {
        let unit = unit.unwrap();
        let name = unit.file_name().into_string().unwrap();
        let path = tree.join("usr/lib/systemd/system").join(&name);
        assert_eq!(path.exists(), name.ends_with(".service"), "{name}");
        if path.exists() {
            let want = std::fs::read(unit.path()).unwrap();
            assert_eq!(std::fs::read(path).unwrap(), want, "{name}");
        }
    }
    // The gate belongs to images: on any other machine it would keep RKE2 from starting.
    let rest = names.iter().filter(|n| !n.starts_with("/usr/share/doc/"));
    for name in rest {
        assert!(!name.contains("rke2"), "{name}");
        assert!(name.starts_with("/usr/"), "{name}");
    }
}

#[test]
fn both_packages_hold_what_is_installed_and_nothing_runs() {
    let dir = tempfile::tempdir().unwrap();
    let (dir, binary) = (dir.path(), binary(dir.path()));
    let tree = dir.join("tree");
    packages::installed(&binary, &tree).unwrap();
    let mut want = files(&tree);

    let rpm = packages::rpm_version(&binary, VERSION, dir).unwrap();
    let query = |args: &[&str]| lines(Command::new("rpm").arg("--query").args(args).arg(&rpm));
    let format = "[%{FILEMODES:perms} %{FILEUSERNAME} %{FILEGROUPNAME} %{FILENAMES}\\n]";
    let listed = query(&["--package", "--queryformat", format]);
    let owned = listed.iter().filter(|l| l.starts_with('-'));
    let mut names: Vec<String> = owned.map(|line| of_root(line, " root root ")).collect();
    // Licences have a folder of their own there, which stays where documents are left out.
    let licences = format!("/usr/share/licenses/nodeagent-{VERSION}");
    for licence in ["LICENSE", "THIRD-PARTY"] {
        assert!(
            names.contains(&format!("{licences}/{licence}")),
            "{licence}"
        );
    }
    names.retain(|n| !n.starts_with(&licences));
    let notices = "/usr/share/doc/nodeagent/THIRD-PARTY";
    let others = want.iter().filter(|name| *name != notices);
    names.sort();
    assert_eq!(names.iter().collect::<Vec<_>>(), others.collect::<Vec<_>>());
    assert_eq!(query(&["--package", "--scripts", "--triggers"]), [""; 0]);

    let deb = packages::deb(&binary, dir).unwrap();
    let listed = lines(Command::new("dpkg-deb").arg("--contents").arg(&deb));
    let owned = listed.iter().filter(|l| l.starts_with('-'));
    let mut names: Vec<String> = owned.map(|line| of_root(line, " root/root ")).collect();
    for name in &mut want {
        *name = name.replace("/site-functions/", "/vendor-completions/");
    }
    for name in [
        "doc/nodeagent/changelog.gz",
        "doc/nodeagent/copyright",
        "lintian/overrides/nodeagent",
    ] {
        want.push(format!("/usr/share/{name}"));
    }
    names.sort();
    want.sort();
    assert_eq!(names, want);
    let control = dir.join("control");
    ok(
        Command::new("dpkg-deb")
            .arg("--control")
            .arg(&deb)
            .arg(&control),
        LIMIT,
    )
    .unwrap();
    assert_eq!(files(&control), ["/control", "/md5sums"]);
}

/// The path at the end of a listed file, which must be root's.
fn of_root(line: &str, owner: &str) -> String {
    assert!(line.contains(owner), "{line}");
    let path = line.rsplit_once(' ').unwrap().1;
    path.trim_start_matches('.').to_owned()
}

#[test]
fn spec_and_changelogs_name_the_programs_version() {
    let version = VERSION;
    let spec = text("rpm.spec");
    assert!(spec.contains(&format!(
        "%{{!?nodeagent_version:%global nodeagent_version {version}}}\n"
    )));
    let (_, changes) = spec.split_once("%changelog\n").unwrap();
    let head = changes.lines().next().unwrap();
    assert!(head.ends_with(&format!(" - {version}-1")), "{head}");
    let changelog = text("packaging/deb/changelog");
    assert!(changelog.starts_with(&format!("nodeagent ({version}) ")));
}

/// Another folder, another umask, another moment: the same bytes.
#[test]
fn both_packages_are_reproducible() {
    let dir = tempfile::tempdir().unwrap();
    let binary = binary(dir.path());
    let mode = std::fs::Permissions::from_mode(0o700);
    std::fs::set_permissions(&binary, mode).unwrap();
    let build = |name: &str, umask: &str| {
        let into = dir.path().join(name);
        let mut sh = Command::new("sh");
        let script = format!(
            "umask {umask}; exec make -s -C \"$1\" deb rpm BINARY=\"$2\" TARGET_DIR=\"$3\" \"$4\" DEB_COMPRESSION=none"
        );
        sh.args(["-c", &script, "sh"])
            .arg(source("."))
            .arg(&binary)
            .arg(&into);
        sh.arg("RPM_FLAGS=--define 'nodeagent_payload w.ufdio'");
        sh.env_remove("MAKEFLAGS").env_remove("SOURCE_DATE_EPOCH");
        ok(&mut sh, LIMIT).unwrap();
        let files = [
            format!("nodeagent_{VERSION}_amd64.deb"),
            format!("nodeagent-{VERSION}-1.x86_64.rpm"),
        ];
        files.map(|file| std::fs::read(into.join("packages").join(file)).unwrap())
    };
    let (first, second) = (build("a", "022"), build("b/c", "077"));
    assert!(first[0] == second[0], "the .deb differs");
    assert!(first[1] == second[1], "the .rpm differs");
}
