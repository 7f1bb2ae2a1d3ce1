//! Two agents on one tree: the second refuses and names the first, or waits for it.
//! Separate because it is about processes beside each other, not about their ends.

use super::bench::{BAKE, Bench};
use super::report;
use nix::sys::signal::Signal;
use std::{thread::sleep, time::Duration};

const LOCK: &str = "var/lib/nodeagent/lock";

#[test]
fn the_second_bake_refuses_or_waits() {
    let bench = Bench::new("lock");
    let mut first = bench.start(&BAKE);
    assert!(first.until(|| bench.read(LOCK).contains("bake, process")));
    let holder = format!("bake, process {}, since 20", first.pid());
    for args in [&BAKE[..], &["generalize"]] {
        let second = bench.run(args);
        assert_eq!(second.code, 4, "{}", second.stderr);
        assert!(second.stderr.contains(&holder), "{}", second.stderr);
        assert!(second.stderr.contains("--wait"), "{}", second.stderr);
    }
    let waits = || bench.start(&[&BAKE[..], &["--wait", "--json"]].concat());
    let (waiting, stopped) = (waits(), waits());
    // Long enough to be waiting; a signal ends that too.
    sleep(Duration::from_millis(1500));
    stopped.signal(Signal::SIGTERM);
    let stopped = stopped.wait();
    assert!(first.runs(), "the first bake was too fast to be waited for");
    assert_eq!(stopped.code, 143, "{}", stopped.stderr);
    let first = first.wait();
    assert_eq!(first.code, 0, "{}", first.stderr);
    let waiting = waiting.wait();
    assert_eq!(waiting.code, 0, "{}", waiting.stderr);
    assert!(
        waiting.stderr.contains(&format!("waiting for {holder}")),
        "{}",
        waiting.stderr
    );
    assert_eq!(report(&waiting.stdout)["changes"], 0, "{}", waiting.stdout);
}
