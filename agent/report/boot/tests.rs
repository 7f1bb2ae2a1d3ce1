//! Boots as systemd tells them, and what is told of them.
//! It is separate because it is a table longer than what it tests.

use super::*;

fn up(began: u64, up: u64) -> UnitTimes {
    UnitTimes {
        exists: true,
        active: "active".to_owned(),
        job: false,
        skipped: false,
        began,
        up,
    }
}

fn state(active: &str, job: bool, skipped: bool) -> UnitTimes {
    UnitTimes {
        active: active.to_owned(),
        job,
        skipped,
        ..up(0, 0)
    }
}

fn times(units: &[(&str, UnitTimes)]) -> BootTimes {
    BootTimes {
        firmware: 9_000_000,
        loader: 2_000_000,
        initrd: 1_000_000,
        userspace: 3_000_000,
        finish: 20_000_000,
        soft_reboot: 0,
        units: units
            .iter()
            .map(|(name, unit)| ((*name).to_owned(), unit.clone()))
            .collect(),
    }
}

fn at(points: &[Point], name: &str) -> Result<u64, String> {
    let point = points.iter().find(|p| p.name == name).unwrap();
    assert_eq!(point.micros.is_none(), point.why.is_some(), "{point:?}");
    point.micros.ok_or_else(|| point.why.clone().unwrap())
}

#[test]
fn durations_are_those_of_systemd_analyze() {
    let boot = tell(Ok(&times(&[])), false);
    let table = [
        ("firmware", 7_000_000),
        ("loader", 2_000_000),
        ("kernel", 1_000_000),
        ("initrd", 2_000_000),
        ("userspace", 17_000_000),
        ("total", 29_000_000),
    ];
    for (name, want) in table {
        assert_eq!(at(&boot.durations, name), Ok(want), "{name}");
    }
    let mut bare = times(&[]);
    (bare.firmware, bare.loader, bare.initrd, bare.finish) = (0, 0, 0, 0);
    let boot = tell(Ok(&bare), false);
    assert_eq!(at(&boot.durations, "kernel"), Ok(3_000_000));
    for name in ["firmware", "loader", "initrd", "userspace", "total"] {
        assert!(at(&boot.durations, name).is_err(), "{name}");
    }
    assert!(!boot.finished);
}

#[test]
fn a_container_and_a_soft_reboot_have_their_own_zero() {
    let mut times = times(&[("multi-user.target", up(8_000_000, 8_000_000))]);
    let boot = tell(Ok(&times), true);
    assert_eq!(boot.origin, Origin::Container);
    assert_eq!(at(&boot.milestones, "multi-user"), Ok(5_000_000));
    assert_eq!(at(&boot.milestones, "userspace"), Ok(0));
    assert_eq!(at(&boot.durations, "total"), Ok(17_000_000));
    assert!(
        at(&boot.durations, "kernel")
            .unwrap_err()
            .contains("shared")
    );
    times.soft_reboot = 10_000_000;
    let boot = tell(Ok(&times), false);
    assert_eq!(at(&boot.milestones, "finish"), Ok(10_000_000));
    assert_eq!(at(&boot.durations, "userspace"), Ok(10_000_000));
    let early = at(&boot.milestones, "multi-user").unwrap_err();
    assert!(early.contains("before the soft reboot"), "{early}");
}

#[test]
fn a_milestone_that_is_missing_says_why() {
    let table = [
        (vec![], "there is no rke2-server.service and no rke2-agent"),
        (
            vec![("rke2-server.service", state("activating", true, false))],
            "still starting",
        ),
        (
            vec![("rke2-server.service", state("failed", false, false))],
            "it failed",
        ),
        (
            vec![("rke2-server.service", state("inactive", true, false))],
            "waits",
        ),
        (
            vec![("rke2-server.service", state("inactive", false, true))],
            "conditions",
        ),
        (
            vec![("rke2-server.service", state("inactive", false, false))],
            "rke2-server.service: nothing started it",
        ),
    ];
    for (units, want) in table {
        let boot = tell(Ok(&times(&units)), false);
        let why = at(&boot.milestones, "rke2-ready").unwrap_err();
        assert!(why.contains(want), "{why}");
    }
    let boot = tell(Err("no bus"), false);
    assert_eq!(at(&boot.milestones, "finish"), Err("no bus".to_owned()));
    assert_eq!(at(&boot.durations, "kernel"), Err("no bus".to_owned()));
    let boot = tell(Ok(&times(&[])), false);
    let why = at(&boot.milestones, "kubelet-start").unwrap_err();
    assert!(why.contains("kubelet_node_startup"), "{why}");
}

#[test]
fn of_two_units_the_one_that_started_counts() {
    let units = [
        ("rke2-server.service", state("inactive", false, false)),
        ("rke2-agent.service", up(12_000_000, 0)),
    ];
    let boot = tell(Ok(&times(&units)), false);
    assert_eq!(at(&boot.milestones, "rke2-start"), Ok(12_000_000));
    let why = at(&boot.milestones, "rke2-ready").unwrap_err();
    assert!(why.starts_with("rke2-agent.service: "), "{why}");
    let old = [("cloud-init.service", up(4_000_000, 6_000_000))];
    let boot = tell(Ok(&times(&old)), false);
    assert_eq!(at(&boot.milestones, "cloud-init-network"), Ok(6_000_000));
}

#[test]
fn every_unit_is_asked_for_once() {
    let units = units();
    assert!(units.contains(&"rke2-agent.service") && units.contains(&"cloud-init.service"));
    let mut once = units.clone();
    once.dedup();
    assert_eq!(once, units);
}
