//! Units of an unbooted tree, judged by the real systemctl: the same operations must leave the same symlinks.
//! Separate because the judge is a program of this machine, and the trees are made of unit files alone.

mod still;
mod units;

use nodeagent::host::systemd::Offline;
use nodeagent::host::{Enablement, Root, Units};
use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use units::{FILES, LINKS, TEMPLATE_INSTANCES, VENDOR, build, write};

/// Every path below /etc and /run with a symlink's target.
fn listing(root: &Path) -> String {
    let mut find = Command::new("find");
    find.current_dir(root)
        .args(["etc", "run", "opt", "lib", "-printf", "%p %y %l\\n"]);
    let out = String::from_utf8(find.output().unwrap().stdout).unwrap();
    let mut lines: Vec<_> = out.lines().collect();
    lines.sort_unstable();
    lines.join("\n")
}

fn units() -> Vec<String> {
    let files = FILES.iter().map(|(name, _)| *name);
    let links = LINKS.iter().filter_map(|(path, _)| path.rsplit('/').next());
    let all = files.chain(links).chain(TEMPLATE_INSTANCES.iter().copied());
    let mut all: Vec<String> = all
        .chain([
            "drop.service",
            "taken.service",
            "empty.service",
            "missing.service",
            "other.service",
            "second.service",
            "nick@.service",
            "also-missing.service",
        ])
        .map(str::to_owned)
        .collect();
    all.sort();
    all.dedup();
    all
}

fn systemctl(root: &Path, args: &[&str]) -> (i32, String, String) {
    let mut command = Command::new("systemctl");
    command.arg(format!("--root={}", root.display())).args(args);
    let out = command.output().unwrap();
    (
        out.status.code().unwrap(),
        String::from_utf8(out.stdout).unwrap(),
        String::from_utf8(out.stderr).unwrap(),
    )
}

fn offline(root: &Path) -> Offline {
    Offline::new(Root::open(root).unwrap()).unwrap()
}

/// What both say of every unit; where systemctl fails, only that we call it not enabled is asked.
fn compare_states(root: &Path, after: &str, wrong: &mut Vec<String>) {
    let ours = offline(root);
    for unit in units() {
        let (_, theirs, error) = systemctl(root, &["is-enabled", &unit]);
        let (theirs, state) = (theirs.trim().to_owned(), ours.state(&unit));
        let mine = match state {
            Ok(state) => state.enablement,
            Err(_) => String::new(),
        };
        if mine != theirs {
            wrong.push(format!(
                "{after}: {unit}: ours '{mine}', systemctl's '{theirs}' {}",
                error.trim()
            ));
        }
    }
}

const VERBS: &[(&str, Enablement)] = &[
    ("enable", Enablement::Enable),
    ("disable", Enablement::Disable),
    ("mask", Enablement::Mask),
    ("unmask", Enablement::Unmask),
];

/// A directory in memory: hundreds of trees, and every link is synced.
fn memory() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap()
}

fn apply_both(sequence: &[&str], unit: &str, wrong: &mut Vec<String>) {
    let (ours, theirs) = (memory(), memory());
    build(ours.path());
    build(theirs.path());
    for verb in sequence {
        let change = VERBS.iter().find(|(name, _)| name == verb).unwrap().1;
        let mine = offline(ours.path()).set(unit, change);
        let (code, _, error) = systemctl(theirs.path(), &["--force", verb, unit]);
        let (a, b) = (listing(ours.path()), listing(theirs.path()));
        if a != b {
            let (a, b): (Vec<_>, Vec<_>) = (a.lines().collect(), b.lines().collect());
            let only_a: Vec<_> = a.iter().filter(|l| !b.contains(l)).collect();
            let only_b: Vec<_> = b.iter().filter(|l| !a.contains(l)).collect();
            wrong.push(format!("{sequence:?} {unit}: only ours {only_a:?}, only systemctl's {only_b:?}; {mine:?} {code} {error}"));
            return;
        }
        // These are a warning there and an error here: a policy that asks for them is wrong.
        let strict = matches!(&mine, Err(e) if ["no [Install]", "do not fit"].iter().any(|w| e.one_line().contains(w)));
        if mine.is_ok() != (code == 0) && !strict {
            wrong.push(format!(
                "{sequence:?} {unit}: {mine:?}, systemctl {code} {error}"
            ));
        }
    }
    if sequence.len() > 1 || sequence == ["enable"] {
        compare_list(ours.path(), &format!("{sequence:?} {unit}"), wrong);
    }
}

/// After a change: every unit file that systemctl lists, in one process.
fn compare_list(root: &Path, after: &str, wrong: &mut Vec<String>) {
    let ours = offline(root);
    let (_, list, _) = systemctl(root, &["list-unit-files", "--no-legend", "--full"]);
    assert!(list.lines().count() > 30, "{list}");
    for line in list.lines() {
        let words: Vec<_> = line.split_whitespace().collect();
        let mine = ours
            .state(words[0])
            .map(|state| state.enablement)
            .unwrap_or_default();
        // It calls what it cannot read "bad"; for us that is an error or no unit.
        if mine != words[1].replace("bad", "") {
            wrong.push(format!("{after}: ours '{mine}', systemctl's {line}"));
        }
    }
}

#[test]
fn states_are_those_of_systemctl() {
    let tree = tempfile::tempdir().unwrap();
    build(tree.path());
    let etc = tree.path().join("etc/systemd/system");
    symlink("loop-b.service", etc.join("loop-a.service")).unwrap();
    symlink("loop-a.service", etc.join("loop-b.service")).unwrap();
    let mut wrong = Vec::new();
    compare_states(tree.path(), "fresh", &mut wrong);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let (_, list, _) = systemctl(
        tree.path(),
        &["list-unit-files", "--no-legend", "--state=enabled"],
    );
    let mut theirs: Vec<_> = list
        .lines()
        .filter_map(|l| l.split_whitespace().next())
        .collect();
    theirs.sort_unstable();
    assert_eq!(offline(tree.path()).enabled().unwrap(), theirs);
}

#[test]
fn changes_leave_the_symlinks_of_systemctl() {
    let mut wrong = Vec::new();
    for unit in units() {
        for sequence in [
            &["enable"][..],
            &["disable"],
            &["enable", "disable"],
            &["mask", "unmask", "unmask"],
            &["enable", "mask", "unmask", "disable"],
        ] {
            apply_both(sequence, &unit, &mut wrong);
        }
    }
    assert!(
        wrong.is_empty(),
        "{} differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn hostile_links_never_lead_out_of_the_tree() {
    let outside = tempfile::tempdir().unwrap();
    let text = "[Install]\nWantedBy=multi-user.target\n";
    write(&outside.path().join("evil.service"), text);
    std::fs::create_dir(outside.path().join("wants")).unwrap();
    let before = listing_of(outside.path());
    let tree = tempfile::tempdir().unwrap();
    build(tree.path());
    let etc = tree.path().join("etc/systemd/system");
    symlink(
        outside.path().join("evil.service"),
        etc.join("evil.service"),
    )
    .unwrap();
    symlink(
        outside.path().join("wants"),
        etc.join("graphical.target.wants"),
    )
    .unwrap();
    let units = offline(tree.path());
    assert!(units.set("evil.service", Enablement::Enable).is_err());
    assert!(
        !units
            .state("evil.service")
            .is_ok_and(|state| state.enablement == "linked")
    );
    // two.service also wants graphical.target, whose directory leads out.
    assert!(units.set("two.service", Enablement::Enable).is_err());
    drop(units.set("two.service", Enablement::Disable));
    assert_eq!(listing_of(outside.path()), before);

    let tree = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(tree.path().join("etc")).unwrap();
    symlink(outside.path(), tree.path().join("etc/systemd")).unwrap();
    assert!(
        offline(tree.path())
            .set("x.service", Enablement::Mask)
            .is_err()
    );
    assert_eq!(listing_of(outside.path()), before);
}

fn listing_of(root: &Path) -> BTreeMap<String, u64> {
    let mut find = Command::new("find");
    let out = find
        .arg(root)
        .args(["-printf", "%p %y %l\\n"])
        .output()
        .unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    text.lines().map(|line| (line.to_owned(), 0)).collect()
}

#[test]
fn what_systemctl_252_does_otherwise() {
    let tree = tempfile::tempdir().unwrap();
    build(tree.path());
    let vendor = tree.path().join(VENDOR);
    // Newer than 252; older ones ignore the directory.
    write(
        &vendor.join("up.service"),
        "[Install]\nUpheldBy=multi-user.target\n",
    );
    // Only a running system knows its host name: an error, where systemctl takes that of the machine it runs on.
    write(
        &vendor.join("host.service"),
        "[Install]\nWantedBy=%H.target\n",
    );
    let units = offline(tree.path());
    units.set("up.service", Enablement::Enable).unwrap();
    let link = tree
        .path()
        .join("etc/systemd/system/multi-user.target.upholds/up.service");
    assert_eq!(
        std::fs::read_link(link).unwrap(),
        Path::new("/lib/systemd/system/up.service")
    );
    assert_eq!(units.state("up.service").unwrap().enablement, "enabled");
    assert!(units.set("host.service", Enablement::Enable).is_err());
}

#[test]
fn links_take_the_spelling_that_the_tree_has() {
    // Debian 12 writes /lib, merged trees of others /usr/lib: as their own systemctl would.
    for (existing, want) in [("/lib", "/lib"), ("/usr/lib", "/usr/lib"), ("", "/usr/lib")] {
        let tree = tempfile::tempdir().unwrap();
        let at = |path: &str| tree.path().join(path);
        write(
            &at("usr/lib/systemd/system/new.service"),
            "[Install]\nWantedBy=multi-user.target\n",
        );
        symlink("usr/lib", at("lib")).unwrap();
        let wants = at("etc/systemd/system/multi-user.target.wants");
        std::fs::create_dir_all(&wants).unwrap();
        if !existing.is_empty() {
            let target = format!("{existing}/systemd/system/old.service");
            symlink(target, wants.join("old.service")).unwrap();
        }
        offline(tree.path())
            .set("new.service", Enablement::Enable)
            .unwrap();
        let link = std::fs::read_link(wants.join("new.service")).unwrap();
        assert_eq!(link, Path::new(want).join("systemd/system/new.service"));
    }
}
