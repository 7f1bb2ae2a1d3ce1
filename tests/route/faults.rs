//! A kernel that refuses writes and loses events, and one that counts: through the seam, with the real one behind it.
//! It is separate because no real kernel fails on demand.

use std::net::IpAddr;
use std::time::Duration;

use nodeagent::error::{Error, Result};
use nodeagent::host::lease::Leases;
use nodeagent::host::netlink::{Change, Link, Live, Network, Snapshot, Wake, Wanted};
use nodeagent::route::Config;
use nodeagent::route::reconcile::{apply, look, reconcile};

use super::lab::in_lab;
use super::probe::{is_cut_off, reaches, within};
use super::scenarios::STANDARD as STANDARD_FOUND;
use super::watch::{after_burst, burst};

/// No network manager.
pub(super) struct Nobody;

impl Leases for Nobody {
    fn routers(&mut self, _: &Link) -> Result<Vec<IpAddr>> {
        Ok(Vec::new())
    }
}

/// The real kernel, counted, failing on the n-th write.
pub(super) struct Counting {
    pub(super) inner: Live,
    pub(super) writes: usize,
    pub(super) fail_on: Option<usize>,
}

impl Counting {
    pub(super) fn open() -> Self {
        Self {
            inner: Live::open().unwrap(),
            writes: 0,
            fail_on: None,
        }
    }
}

impl Network for Counting {
    fn look(&mut self, wanted: &Wanted) -> Result<Snapshot> {
        self.inner.look(wanted)
    }

    fn write(&mut self, change: &Change) -> Result<()> {
        self.writes += 1;
        if self.fail_on == Some(self.writes) {
            return Err(Error::host(format!("{change}: no memory")));
        }
        self.inner.write(change)
    }

    fn wait(&mut self, at_most: Duration) -> Result<Wake> {
        self.inner.wait(at_most)
    }
}

/// The standard case.
pub(super) fn config() -> Config {
    Config {
        main_cidrs: vec![
            "10.42.0.0/16".parse().unwrap(),
            "10.43.0.0/16".parse().unwrap(),
        ],
        ..Config::default()
    }
}

#[test]
fn with_nothing_to_do_nothing_is_written() {
    in_lab(|lab| {
        lab.node("addr add fd00:1::10/64 dev eth1 nodad");
        lab.node("-6 route add default via fe80::1 dev eth1 metric 101");
        let writes = within("node", || {
            let mut network = Counting::open();
            let count = |network: &mut Counting| {
                let before = network.writes;
                let outcome = apply(network, &mut Nobody, &config()).unwrap();
                assert!(outcome.is_right(), "{outcome:?}");
                network.writes - before
            };
            [
                count(&mut network),
                count(&mut network),
                count(&mut network),
            ]
        });
        assert_eq!(
            writes,
            [11, 0, 0],
            "IPv4: 3 routes and 3 rules; IPv6: 4 routes and 1 rule"
        );
        // The kernel's own word for it: nobody heard of a change.
        let monitor = "timeout 0.5 ip -n node monitor route rule address link >/run/heard & sleep 0.1; \
                       ip netns exec node PROGRAM route apply --main-cidr 10.42.0.0/16 --main-cidr 10.43.0.0/16 >/dev/null; wait; cat /run/heard";
        let heard = lab.sh(&monitor.replace("PROGRAM", super::lab::PROGRAM));
        assert_eq!(heard, "");
        let changed = monitor
            .replace("PROGRAM", super::lab::PROGRAM)
            .replace("10.43.", "10.44.");
        assert!(
            lab.sh(&changed).contains("10.44.0.0/16"),
            "the monitor is deaf"
        );
    });
}

#[test]
fn a_write_that_fails_keeps_no_other_and_is_made_up_for() {
    for n in 1..=6 {
        in_lab(|lab| {
            within("node", || {
                let mut network = Counting {
                    fail_on: Some(n),
                    ..Counting::open()
                };
                let first = reconcile(&mut network, &mut Nobody, &config()).unwrap();
                assert_eq!(
                    (first.changes.len(), first.failed.len()),
                    (5, 1),
                    "{first:?}"
                );
                assert!(!first.is_right());
                let next = apply(&mut network, &mut Nobody, &config()).unwrap();
                assert_eq!(next.changes.len(), 1, "{next:?}");
            });
            assert_eq!(lab.found(), STANDARD_FOUND);
        });
    }
}

#[test]
fn stopped_after_any_write_nothing_leaks_and_the_next_run_ends_right() {
    for n in 0..=6 {
        in_lab(|lab| {
            within("node", || {
                let mut network = Counting::open();
                let (_, plan) = look(&mut network, &mut Nobody, &config()).unwrap();
                for change in plan.changes.iter().take(n) {
                    network.write(change).unwrap();
                }
            });
            // Where the rule is there, the table behind it is whole: it works, or it is as before.
            let rule = lab.node("rule").contains("from 10.1.0.0/24");
            let right = match rule {
                true => reaches("cli", "10.1.0.10"),
                false => is_cut_off("cli", "10.1.0.10"),
            };
            assert!(right, "after {n} writes");
            assert!(reaches("cli", "10.0.0.10"), "after {n} writes");
            assert_eq!(lab.apply(&[]).0, 0);
            assert_eq!(lab.found(), STANDARD_FOUND);
        });
    }
}

#[test]
fn events_that_got_lost_are_told_and_nothing_is_missed() {
    in_lab(|lab| {
        within("node", || {
            let mut network = Counting::open();
            apply(&mut network, &mut Nobody, &config()).unwrap();
            assert_eq!(
                network.wait(Duration::ZERO).unwrap(),
                Wake::Changed,
                "our own writes"
            );
            assert_eq!(network.wait(Duration::ZERO).unwrap(), Wake::Quiet);
            network.inner.events().limit(1).unwrap();
            burst(lab);
            assert_eq!(network.wait(Duration::ZERO).unwrap(), Wake::Overrun);
            apply(&mut network, &mut Nobody, &config()).unwrap();
        });
        assert_eq!(lab.found(), after_burst());
    });
}

#[test]
fn flush_deletes_what_is_ours_and_nothing_else() {
    in_lab(|lab| {
        lab.node("rule add pref 20510 from 10.7.0.0/16 lookup 50");
        lab.node("route add 10.7.0.0/16 dev eth1 table 21001 proto static");
        let (code, said) = lab.apply(&["--interface", "eth1", "--table", "21001"]);
        assert_eq!(code, 0);
        assert!(
            said.contains("from 10.7.0.0/16 lookup 50") && said.contains("10.7.0.0/16 dev #"),
            "{said}"
        );
        // Another table before, as after a change of the configuration.
        assert_eq!(lab.apply(&["--table", "21055"]).0, 0);
        let (code, said) = lab.ours(&["route", "flush"]);
        assert_eq!(code, 0, "{said}");
        assert_eq!(
            lab.found(),
            ["10.7.0.0/16 dev eth1 proto static scope link"]
        );
        assert_eq!(lab.node("route show table all proto 154"), "");
        let rules = lab.node("rule");
        assert!(rules.contains("from 10.7.0.0/16 lookup 50"), "{rules}");
        assert_eq!(rules.lines().count(), 4, "{rules}");
        let again = lab.ours(&["route", "flush"]).1;
        assert!(!again.contains("done"), "{again}");
    });
}

#[test]
fn exit_codes_say_how_it_stands() {
    in_lab(|lab| {
        assert_eq!(
            lab.ours(&["route", "show"]).0,
            3,
            "something is to be written"
        );
        assert_eq!(lab.apply(&[]).0, 0);
        assert_eq!(
            lab.ours(&[
                "route",
                "show",
                "--main-cidr",
                "10.42.0.0/16",
                "--main-cidr",
                "10.43.0.0/16"
            ])
            .0,
            0
        );
        lab.node("route del default dev eth1");
        assert_eq!(lab.apply(&[]).0, 3, "no router");
        assert_eq!(lab.apply(&["--interface", "eth9"]).0, 0, "no such NIC");
        assert_eq!(lab.found(), Vec::<String>::new());
        lab.node("route add 10.1.0.0/24 dev eth1 table 21001 proto static");
        assert_eq!(
            lab.apply(&["--gateway", "10.1.0.1"]).0,
            4,
            "another's route in our place"
        );
    });
}
