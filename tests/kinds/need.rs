//! Kind `need`: every need that is shipped, each with what breaks it; a need or a part of one without a violation fails.
//! It is separate because its table must cover the fragment, so that nothing is checked that cannot fail.

mod table;

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;

use nodeagent::resource::need::Need;
use nodeagent::resource::{Place, Resource};

use super::{Bench, lines};
use crate::policy::shipped::shipped;
use table::VIOLATIONS;

fn needs() -> Vec<Need> {
    let policy = shipped("rke2-debian12");
    let needs = policy
        .entries
        .into_iter()
        .filter_map(|entry| match entry.resource {
            Resource::Need(need) => Some(need),
            _ => None,
        });
    needs.collect()
}

/// A tree in which nothing is in the way.
fn good() -> Bench {
    let bench = Bench::new();
    for name in ["iptables", "iptables-restore", "ip6tables"] {
        program(&bench, name);
    }
    bench.put(
        "/etc/fstab",
        "UUID=a / ext4 defaults 0 1\nUUID=b /tmp ext4 noexec 0 2\n",
    );
    bench.put(
        "/etc/modprobe.d/cis.conf",
        "install cramfs /bin/false\nblacklist cramfs\n",
    );
    bench.put(
        "/etc/sysctl.d/99-cis.conf",
        "net.ipv4.conf.all.rp_filter = 2\n",
    );
    bench
}

fn program(bench: &Bench, name: &str) {
    let path = format!("/usr/sbin/{name}");
    bench.put(&path, "");
    std::fs::set_permissions(bench.at(&path), std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// The differences of all needs, as `NAME: difference`.
fn told(bench: &Bench, place: Place) -> Vec<String> {
    let each = needs().into_iter().flat_map(|need| {
        let found = lines(&bench.diff(&need, place));
        found
            .into_iter()
            .map(move |line| format!("{}: {line}", need.name))
    });
    each.collect()
}

#[test]
fn a_machine_that_is_hardened_with_care_conforms() {
    assert_eq!(told(&good(), Place::Build), Vec::<String>::new());
}

#[test]
fn each_violation_trips_its_need_and_no_other() {
    for (name, part, path, text) in VIOLATIONS {
        let bench = good();
        match path.strip_prefix('-') {
            Some(gone) => std::fs::remove_file(bench.at(gone)).unwrap(),
            None => bench.put(path, text),
        }
        let found = told(&bench, Place::Build);
        let begins = |line: &String, with: String| line.starts_with(&with);
        assert!(
            found.iter().all(|line| begins(line, format!("{name}: ")))
                && found
                    .iter()
                    .any(|line| begins(line, format!("{name}: {part}: "))),
            "{name} {path}: {found:?}"
        );
        assert!(
            path.starts_with('-') || found.iter().any(|line| line.contains(path)),
            "{path} is not named: {found:?}"
        );
    }
}

#[test]
fn every_part_of_every_need_has_a_violation() {
    let covered: BTreeSet<(&str, &str)> = VIOLATIONS
        .iter()
        .map(|(name, part, ..)| (*name, *part))
        .collect();
    let needs = needs();
    assert!(needs.len() >= 8, "{}", needs.len());
    for need in &needs {
        for part in &need.of {
            assert!(
                covered.contains(&(need.name.as_str(), part.as_str())),
                "{} {part}",
                need.name
            );
        }
        assert!(
            covered.iter().any(|(name, _)| *name == need.name),
            "{}",
            need.name
        );
    }
}

#[test]
fn the_running_kernel_counts_but_not_for_an_image() {
    let bench = good();
    let key = "net.ipv4.conf.all.rp_filter".to_owned();
    bench
        .fakes
        .kernel
        .edit()
        .sysctls
        .insert(key, "1".to_owned());
    bench.put("/proc/self/mounts", "/dev/vdb /opt ext4 rw,noexec 0 0\n");
    assert_eq!(told(&bench, Place::Node).len(), 2);
    assert_eq!(told(&bench, Place::Image), Vec::<String>::new());
}
