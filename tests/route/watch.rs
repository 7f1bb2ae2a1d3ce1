//! The watcher as a process: events, bursts, kills, readiness.
//! It is separate because time passes in it; every wait is for a state, never for a duration.

use std::os::unix::net::UnixDatagram;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use super::lab::{CLUSTER, Lab, in_lab};
use super::probe::within;
use super::scenarios::STANDARD;

/// Nothing here takes a tenth of it.
pub(super) const LONG: Duration = Duration::from_secs(20);

/// Waits for a state.
pub(crate) fn until(what: &str, mut reached: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !reached() {
        assert!(begin.elapsed() < LONG, "never: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A watcher on the node; ended when it goes out of scope.
pub(super) struct Watcher {
    pub(super) child: Child,
    manager: UnixDatagram,
}

impl Watcher {
    pub(super) fn start(lab: &Lab, flags: &[&str]) -> Self {
        let socket = "/run/manager.sock";
        std::fs::remove_file(socket).unwrap_or_default();
        let manager = UnixDatagram::bind(socket).unwrap();
        manager.set_read_timeout(Some(LONG)).unwrap();
        let mut words = vec!["route", "watch"];
        words.extend(CLUSTER);
        words.extend(flags);
        let child = within("node", || {
            let mut command = lab.command(&words);
            command.env("NOTIFY_SOCKET", socket);
            command
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap()
        });
        Self { child, manager }
    }

    /// What it tells the service manager next.
    pub(super) fn told(&self) -> String {
        let mut space = [0; 4096];
        let length = self.manager.recv(&mut space).expect("it says nothing");
        String::from_utf8_lossy(&space[..length]).into_owned()
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.child.kill().unwrap_or_default();
        self.child.wait().unwrap();
    }
}

#[test]
fn ready_means_routed_and_what_changes_is_followed() {
    in_lab(|lab| {
        let watcher = Watcher::start(lab, &[]);
        let told = watcher.told();
        assert!(told.starts_with("READY=1\nSTATUS=eth1 routed\n"), "{told}");
        assert_eq!(lab.found(), STANDARD, "ready before it was right");
        // Every way in which it can become wrong, by the kernel, by a person, by a manager.
        for (wrong, check) in [
            ("rule del pref 20510", None),
            ("route flush table 21001", None),
            ("route del default table 21001", None),
            ("addr add 10.1.8.10/24 dev eth1", Some("from 10.1.8.0/24")),
            ("addr del 10.1.8.10/24 dev eth1", None),
        ] {
            lab.node(wrong);
            match check {
                Some(text) => until(text, || lab.node("rule").contains(text)),
                None => until(wrong, || lab.found() == STANDARD),
            }
        }
        lab.node("link set eth1 down");
        until("only the end of the table", || lab.found().len() == 4);
        assert_eq!(lab.way("192.0.2.50 from 10.1.0.10"), "unreachable");
        lab.node("link set eth1 up");
        lab.node("route add default via 10.1.0.1 dev eth1 metric 101");
        until("up again", || lab.found() == STANDARD);
        lab.node("link del eth1");
        until("nothing stays", || lab.found().is_empty());
    });
}

#[test]
fn a_nic_that_is_missing_is_not_waited_for_and_one_without_address_is() {
    in_lab(|lab| {
        lab.node("link set eth1 down");
        lab.node("link set eth1 name other");
        let watcher = Watcher::start(lab, &["--wait", "600"]);
        let told = watcher.told();
        assert!(
            told.contains("READY=1") && told.contains("eth1 absent"),
            "{told}"
        );
        drop(watcher);
        lab.node("addr flush dev other");
        lab.node("link set other name eth1");
        lab.node("link set eth1 up");
        let watcher = Watcher::start(lab, &["--wait", "600"]);
        let told = watcher.told();
        assert!(told.starts_with("STATUS=eth1 waiting"), "{told}");
        lab.node("addr add 10.1.0.10/24 dev eth1");
        lab.node("route add default via 10.1.0.1 dev eth1 metric 101");
        let mut told = watcher.told();
        while !told.contains("READY=1") {
            told = watcher.told();
        }
        assert_eq!(lab.found(), STANDARD, "{told}");
        drop(watcher);
        lab.node("addr flush dev eth1");
        let told = Watcher::start(lab, &["--wait", "0"]).told();
        assert!(told.contains("READY=1\nSTATUS=eth1 waiting"), "{told}");
    });
}

#[test]
fn a_manager_that_does_not_listen_stops_nothing() {
    in_lab(|lab| {
        let watcher = Watcher::start(lab, &[]);
        assert!(watcher.told().contains("READY=1"));
        // The manager's queue holds ten messages.
        for _ in 0..8 {
            lab.node("link set eth1 down");
            until("only the end of the table", || lab.found().len() == 4);
            lab.node("link set eth1 up");
            lab.node("route add default via 10.1.0.1 dev eth1 metric 101");
            until("up again", || lab.found() == STANDARD);
        }
    });
}

/// A thousand addresses come and go; what is left has a network of its own.
pub(super) fn burst(lab: &Lab) {
    let lines = (0..500).map(|n| {
        let address = format!("10.{}.{}.10/24 dev eth1", 20 + n / 250, n % 250);
        match n {
            499 => format!("addr add {address}\n"),
            _ => format!("addr add {address}\naddr del {address}\n"),
        }
    });
    let lines: String = lines.collect();
    std::fs::write("/run/burst", lines).unwrap();
    lab.sh("ip -n node -b /run/burst");
}

/// What is right then.
pub(super) fn after_burst() -> Vec<String> {
    let mut wanted: Vec<String> = STANDARD.iter().map(ToString::to_string).collect();
    wanted.insert(
        3,
        "20510: from 10.21.249.0/24 lookup 21001 proto 154".to_owned(),
    );
    wanted.push("10.21.249.0/24 dev eth1 proto 154 scope link".to_owned());
    wanted
}

#[test]
fn a_thousand_changes_at_once_end_right() {
    in_lab(|lab| {
        let watcher = Watcher::start(lab, &[]);
        watcher.told();
        burst(lab);
        let mut wanted: Vec<String> = STANDARD.iter().map(ToString::to_string).collect();
        wanted.insert(
            3,
            "20510: from 10.21.249.0/24 lookup 21001 proto 154".to_owned(),
        );
        wanted.push("10.21.249.0/24 dev eth1 proto 154 scope link".to_owned());
        until("the last of a thousand", || lab.found() == wanted);
    });
}

#[test]
fn killed_at_any_moment_the_next_one_ends_right() {
    in_lab(|lab| {
        for n in 0..12u64 {
            let mut watcher = Watcher::start(lab, &[]);
            // Moments from before its first look to after its last write.
            std::thread::sleep(Duration::from_millis(4 * n));
            lab.node("route flush table 21001 2>/dev/null || true");
            watcher.kill();
        }
        let watcher = Watcher::start(lab, &[]);
        assert!(watcher.told().contains("READY=1"));
        assert_eq!(lab.found(), STANDARD);
        drop(watcher);
        assert_eq!(lab.found(), STANDARD, "routes stay when it is gone");
    });
}
