//! Figures, printed and never asserted: from an event to the right table, what each event costs, beside the source's script.
//! It is separate because it takes a minute and wants a quiet machine: `make bench-route`.

use std::fs;
use std::time::{Duration, Instant};

use super::lab::{Lab, in_lab};
use super::probe::within;
use super::scenarios::STANDARD;
use super::watch::{Watcher, burst, until};

const ROUNDS: u32 = 50;

/// What the kernel counts processor time in, a second.
const TICKS: f64 = 100.0;

/// Quiet that ends a burst of events.
const DEBOUNCE: Duration = Duration::from_millis(100);

/// Seconds of processor time that all threads of a process had.
fn cpu(pid: u32) -> f64 {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let nanos = threads.map(|thread| {
        let text = fs::read_to_string(thread.unwrap().path().join("schedstat")).unwrap();
        text.split_whitespace()
            .next()
            .unwrap()
            .parse::<f64>()
            .unwrap()
    });
    nanos.sum::<f64>() / 1e9
}

/// Seconds of processor time of all children of this process that have ended.
fn cpu_of_children() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let after_name = stat.rsplit(')').next().unwrap();
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks = fields[13..15].iter().map(|f| f.parse::<f64>().unwrap());
    ticks.sum::<f64>() / TICKS
}

fn forks() -> u64 {
    let stat = fs::read_to_string("/proc/stat").unwrap();
    let mut lines = stat.lines();
    let line = lines.find_map(|l| l.strip_prefix("processes ")).unwrap();
    line.parse().unwrap()
}

/// A line of a process's status in kB.
fn memory(pid: u32, field: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
#[ignore = "prints figures; takes a minute"]
fn event_to_table_and_cost() {
    in_lab(|lab| {
        let watcher = Watcher::start(lab, &[]);
        watcher.told();
        // The end of IPv6's search for duplicate addresses is an event too, and would begin the quiet time anew.
        std::thread::sleep(Duration::from_secs(3));
        let pid = watcher.child.id();
        let begun = cpu(pid);
        let mut waits: Vec<Duration> = (0..ROUNDS).map(|_| one_event(lab)).collect();
        let ours = (cpu(pid) - begun) / f64::from(2 * ROUNDS) * 1000.0;
        waits.sort();
        let after = |wait: &Duration| wait.saturating_sub(DEBOUNCE);
        let (median, nearly) = (&waits[waits.len() / 2], &waits[waits.len() * 19 / 20]);
        println!(
            "event to table, after the 100 ms of quiet: median {:.1?}, 95 of 100 within {:.1?}, worst {:.1?}",
            after(median),
            after(nearly),
            after(waits.last().unwrap())
        );
        let begun = (cpu(pid), Instant::now());
        burst(lab);
        let last = "from 10.21.249.0/24";
        until("the last of a thousand", || lab.node("rule").contains(last));
        let (spent, took) = (cpu(pid) - begun.0, begun.1.elapsed());
        println!(
            "a thousand changes at once: right {took:.1?} after the first, {:.1} ms of CPU",
            spent * 1000.0
        );
        let (most, now) = (memory(pid, "VmHWM"), memory(pid, "VmRSS"));
        println!(
            "memory of the watcher: {:.1} MB resident, {:.1} MB at most",
            mb(now),
            mb(most)
        );
        drop(watcher);
        nothing_to_do(lab);
        let theirs = theirs(lab);
        println!(
            "an event: nodeagent {ours:.2} ms of CPU and no process; {theirs:.1} ms for the script, {:.0} times as much",
            theirs / ours
        );
    });
}

/// What `route apply` writes and costs where all is right already.
fn nothing_to_do(lab: &Lab) {
    lab.apply(&[]);
    let begun = cpu_of_children();
    let writes: usize = (0..ROUNDS).map(|_| changes(&lab.apply(&[]).1)).sum();
    println!(
        "an apply with nothing to do: {writes} netlink writes in {ROUNDS}, {:.1} ms of CPU with its start",
        (cpu_of_children() - begun) / f64::from(ROUNDS) * 1000.0
    );
}

fn changes(page: &str) -> usize {
    let page: serde_json::Value = serde_json::from_str(page).unwrap();
    page["changes"].as_array().unwrap().len()
}

#[expect(clippy::cast_precision_loss, reason = "megabytes with one digit")]
fn mb(kb: u64) -> f64 {
    kb as f64 / 1024.0
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

/// Milliseconds of processor time that the script takes for an event.
fn theirs(lab: &Lab) -> f64 {
    let (processes, begun, clock) = (forks(), cpu_of_children(), Instant::now());
    for _ in 0..ROUNDS {
        lab.theirs("eth1", "up");
    }
    let rounds = f64::from(ROUNDS);
    let each = (cpu_of_children() - begun) / rounds * 1000.0;
    println!(
        "the script: {:.0} processes an event (whole machine), {:.1} ms",
        f64::from(u32::try_from(forks() - processes).unwrap()) / rounds,
        clock.elapsed().as_secs_f64() / rounds * 1000.0
    );
    each
}
