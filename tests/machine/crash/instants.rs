//! Kills at random instants: while apt reads, while dpkg unpacks and configures, while files are written.
//! Separate because choosing the instants so that they cover the whole duration needs some arithmetic.

use super::{
    bench::{BAKE, Bench, GENERALIZE, Running},
    judge_by,
    snapshot::Snapshot,
    tell, undisturbed,
};
use std::{
    fs,
    thread::sleep,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// How many kills.
const KILLS: u32 = 20;
/// Gives the seed of an earlier run again.
const SEED: &str = "NODEAGENT_CRASH_SEED";

/// xorshift64*: small, and the same everywhere.
struct Random(u64);

impl Random {
    fn seeded() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let given = std::env::var(SEED).ok().and_then(|seed| seed.parse().ok());
        let seed = given.unwrap_or(u64::from(now.subsec_nanos()) | 1);
        tell(&format!("random instants: {SEED}={seed}"));
        Self(seed)
    }

    /// Between 0 and 1.
    fn next(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32;
        f64::from(u32::try_from(number).unwrap()) / f64::from(u32::MAX)
    }
}

/// How much of a verb is still to be killed: seconds of work, and what a run needs before it works on.
struct Work {
    args: &'static [&'static str],
    left: f64,
    start: f64,
    /// Kills on one tree at most: most of the time is dpkg's, so are most of the kills.
    kills: u32,
}

fn both() -> [Work; 2] {
    let whole = undisturbed();
    let start = whole.until_dpkg.as_secs_f64();
    [
        Work {
            args: &BAKE,
            left: whole.bake.as_secs_f64() - start,
            start,
            kills: KILLS - 5,
        },
        Work {
            args: &GENERALIZE,
            left: whole.generalize.as_secs_f64(),
            start: 0.0,
            kills: 5,
        },
    ]
}

#[test]
fn killed_at_random_instants_the_tree_is_the_same() {
    let mut random = Random::seeded();
    let (mut kills, mut trees, mut torn) = (0, 0, 0);
    while kills < KILLS {
        let bench = Bench::new("instants");
        trees += 1;
        for work in both() {
            let (args, mut killed) = (work.args, Vec::new());
            let most = work.kills.min(KILLS - kills);
            for (number, after) in instants(work, most, &mut random).enumerate() {
                let mut running = bench.start(args);
                sleep(Duration::from_secs_f64(after));
                if !running.runs() {
                    let done = running.wait();
                    assert_eq!(done.code, 0, "after {number} kills: {}", done.stderr);
                    break;
                }
                running.kill();
                let place = place(&bench);
                torn += u32::from(place.contains("torn"));
                tell(&format!("  {} killed after {after:.2} s: {place}", args[0]));
                killed.push(running);
                kills += 1;
                if closed(&bench) {
                    break;
                }
            }
            // The next run began at once, beside whatever of the killed one was still dying.
            if !closed(&bench) {
                bench.ok(args);
            }
            killed.into_iter().for_each(ended);
            if args == BAKE {
                bench.ok(&["plan"]);
            }
        }
        judge_by(&bench, Snapshot::differences_after_kills);
    }
    tell(&format!(
        "killed {kills} times at random instants, on {trees} tree(s), {torn} times amid dpkg's work"
    ));
    assert!(torn > 0, "of {kills} kills none met dpkg at work");
}

/// Killed after its last effect: nothing is left to do, and the verb would be refused.
fn closed(bench: &Bench) -> bool {
    bench
        .read("etc/packer-build/seal.json")
        .contains("\"closed\"")
}

fn ended(killed: Running) {
    assert_eq!(killed.wait().code, 137);
}

/// The least of as many random instants as there are kills to come is the next one: so all of the work is covered.
fn instants(
    mut work: Work,
    kills: u32,
    random: &mut Random,
) -> impl Iterator<Item = f64> + use<'_> {
    (1..=kills).rev().map(move |to_come| {
        let share = 1.0 - random.next().powf(1.0 / f64::from(to_come));
        let step = work.left * share;
        work.left -= step;
        step + 2.0 * work.start * random.next()
    })
}

/// Where the kill has hit: the last step of the journal, and what dpkg has left half-done.
fn place(bench: &Bench) -> String {
    let journal = bench.read("var/lib/nodeagent/journal.jsonl");
    let last = journal.lines().last().unwrap_or_default();
    let status = bench.read("var/lib/dpkg/status");
    let states = status
        .lines()
        .filter_map(|line| line.strip_prefix("Status: "));
    let open = states
        .filter(|state| *state != "install ok installed")
        .count();
    let log = bench.read("var/log/dpkg.log");
    let word = log.lines().last().unwrap_or("nothing").to_owned();
    let last: String = last.chars().take(60).collect();
    let unmerged =
        fs::read_dir(bench.root().join("var/lib/dpkg/updates")).map_or(0, Iterator::count);
    match open + unmerged {
        0 => last,
        _ => format!(
            "torn: {open} packages not configured, {unmerged} changes not merged, last {word}"
        ),
    }
}
