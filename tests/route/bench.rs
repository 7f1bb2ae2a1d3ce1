//! Figures, printed and never asserted: from an event to the right table, and what each event costs.
//! It is separate because it takes its time: `cargo test --release --test tests -- --ignored --nocapture route::bench`.

use std::fs;
use std::time::{Duration, Instant};

use super::lab::{Lab, in_lab};
use super::probe::within;
use super::scenarios::STANDARD;
use super::watch::{Watcher, until};

const ROUNDS: u32 = 20;
const TICKS: f64 = 100.0;

/// Seconds of processor time of a process and of the children it waited for.
fn cpu(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap()
        .split_whitespace()
        .collect();
    let ticks: f64 = fields[11..15]
        .iter()
        .map(|f| f.parse::<f64>().unwrap())
        .sum();
    ticks / TICKS
}

fn forks() -> u64 {
    let stat = fs::read_to_string("/proc/stat").unwrap();
    let line = stat
        .lines()
        .find_map(|l| l.strip_prefix("processes "))
        .unwrap();
    line.parse().unwrap()
}

#[test]
#[ignore = "prints figures; takes half a minute"]
fn event_to_table_and_cost() {
    in_lab(|lab| {
        let watcher = Watcher::start(lab, &[]);
        watcher.told();
        let mut waits = Vec::new();
        let begin = cpu(watcher.child.id());
        for _ in 0..ROUNDS {
            waits.push(one_event(lab));
        }
        let ours = (cpu(watcher.child.id()) - begin) / f64::from(2 * ROUNDS);
        waits.sort();
        let status = fs::read_to_string(format!("/proc/{}/status", watcher.child.id())).unwrap();
        let memory = status
            .lines()
            .find(|l| l.starts_with("VmHWM"))
            .unwrap()
            .to_owned();
        drop(watcher);
        let after = |wait: Duration| wait.saturating_sub(Duration::from_millis(100));
        println!(
            "event to table after debounce: median {:?}, worst {:?}",
            after(waits[waits.len() / 2]),
            after(*waits.last().unwrap())
        );
        println!(
            "ours: {:.2} ms of CPU an event, no process, {memory}",
            ours * 1000.0
        );
        theirs(lab);
    });
}

/// A new address until its rule is there, looked at through a socket of its own.
fn one_event(lab: &Lab) -> Duration {
    let took = within("node", || {
        use nodeagent::host::netlink::{Live, Network as _, Wanted};
        let mut eye = Live::open().unwrap();
        let nothing = Wanted {
            tables: vec![21001],
            protocol: 154,
        };
        lab.node("addr add 10.1.8.10/24 dev eth1");
        let begin = Instant::now();
        while !eye
            .look(&nothing)
            .unwrap()
            .rules
            .iter()
            .any(|r| r.from.is_some_and(|f| f.to_string() == "10.1.8.0/24"))
        {
            std::thread::sleep(Duration::from_micros(200));
        }
        begin.elapsed()
    });
    lab.node("addr del 10.1.8.10/24 dev eth1");
    until("as before", || lab.found() == STANDARD);
    took
}

fn theirs(lab: &Lab) {
    let own = std::process::id();
    let (processes, begin, clock) = (forks(), cpu(own), Instant::now());
    for _ in 0..ROUNDS {
        lab.theirs("eth1", "up");
    }
    let rounds = f64::from(ROUNDS);
    println!(
        "the script: {:.2} ms of CPU an event, {:.0} processes (whole machine), {:.1} ms",
        (cpu(own) - begin) / rounds * 1000.0,
        f64::from(u32::try_from(forks() - processes).unwrap()) / rounds,
        clock.elapsed().as_secs_f64() / rounds * 1000.0
    );
}
