//! SIGKILL at random instants of a fill, then another: complete, correct, and as if nothing had happened.
//! Separate because the fill must be a process of its own, to be killed.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::stand::{
    Stand, all_well, client, difference, fill, inventory, on, options, place, restarted, small_set,
};
use crate::support::generations::{Daemon, Generation};
use crate::support::images::{Dialect, Entry, Image, Layer, Packing};
use crate::support::own_test;
use nodeagent::host::oci::Name;
use nodeagent::host::registry::{Access, Puller};
use nodeagent::store::{self, Place, Quiet, Wanted};

/// How many kills, where nobody says otherwise.
const KILLS: u32 = 20;
/// Says otherwise.
const MANY: &str = "NODEAGENT_FILL_KILLS";
/// Gives the seed of an earlier run again.
const SEED: &str = "NODEAGENT_FILL_SEED";
/// What the child is to do: socket, root, registry, names.
const ORDER: &str = "NODEAGENT_TEST_FILL";
/// Kills of one store at most, before it must become whole.
const EACH: u32 = 4;

/// xorshift64*: small, and the same everywhere.
struct Random(u64);

impl Random {
    fn seeded() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let given = std::env::var(SEED).ok().and_then(|seed| seed.parse().ok());
        let seed = given.unwrap_or(u64::from(now.subsec_nanos()) | 1);
        eprintln!("random instants: {SEED}={seed}");
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

/// The small set, and some that take a while.
fn images() -> Vec<Image> {
    let mut images = small_set();
    for number in 0..4u32 {
        let many: Vec<Entry> = (0..150u32)
            .map(|file| {
                let word = (file + 1).wrapping_mul(2_654_435_761).wrapping_add(number);
                let bytes: Vec<u8> = (0..6000u32)
                    .flat_map(|at| (word ^ (at * at)).to_le_bytes())
                    .collect();
                Entry::file(&format!("d{}/f{file}", file % 9), &bytes)
            })
            .collect();
        let (lower, upper) = many.split_at(70);
        let layers = [
            Layer::new(Packing::Gzip, lower),
            Layer::new(Packing::Gzip, upper),
        ];
        images.push(Image::single(
            &format!("k8s/large{number}:1"),
            Dialect::Oci,
            &layers,
        ));
    }
    images
}

/// A fill in a process of its own.
fn start(daemon: &Daemon, stand: &Stand) -> Child {
    let names: Vec<String> = stand.wanted().iter().map(|w| w.name.to_string()).collect();
    let socket = daemon.socket().display().to_string();
    let root = daemon.root().display().to_string();
    let order = [
        socket,
        root,
        stand.registry.host().to_owned(),
        names.join(" "),
    ];
    own_test("store::fill::kill::child")
        .env(ORDER, order.join("\n"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
#[ignore = "the other tests of this file run it as their child"]
fn child() {
    let Ok(order) = std::env::var(ORDER) else {
        return;
    };
    let lines: Vec<&str> = order.lines().collect();
    let access = Access {
        plain_http: vec![lines[2].to_owned()],
        ..Access::default()
    };
    let source = Puller::new(&access).unwrap();
    let mut daemon =
        nodeagent::host::containerd::Client::connect(lines[0].as_ref(), super::stand::NAMESPACE)
            .unwrap();
    let place = Place::open("/".as_ref(), lines[1].as_ref()).unwrap();
    let wanted: Vec<Wanted> = (lines[3].split(' '))
        .map(|n| Wanted::new(Name::parse(n).unwrap()))
        .collect();
    let report = store::fill(&place, &mut daemon, &source, &wanted, &options(), &Quiet).unwrap();
    all_well(&report);
}

/// How far a killed fill had come.
fn stage(daemon: &Daemon) -> String {
    let there = inventory(daemon);
    let active = there
        .snapshots
        .iter()
        .filter(|s| s.name.starts_with("nodeagent"))
        .count();
    format!(
        "{} blobs, {} snapshots ({active} unfinished), {} names, leases {:?}",
        there.content.len(),
        there.snapshots.len(),
        there.images.len(),
        there.leases
    )
}

#[test]
fn killed_at_random_instants_the_next_fill_completes() {
    let mut random = Random::seeded();
    let many = std::env::var(MANY)
        .ok()
        .and_then(|many| many.parse().ok())
        .unwrap_or(KILLS);
    let stand = Stand::with(images());
    let references: Vec<Daemon> = (Generation::ALL.iter())
        .map(|generation| {
            let daemon = Daemon::start(*generation).unwrap();
            stand.reference(&daemon);
            daemon
        })
        .collect();
    let (mut kills, mut stores, mut between) = (0, 0, 0);
    let mut whole = None;
    while kills < many {
        let generation = Generation::ALL[stores % 3];
        let root = tempfile::tempdir().unwrap();
        let daemon = on(generation, root.path());
        let begun = Instant::now();
        let time = *whole.get_or_insert_with(|| {
            assert!(start(&daemon, &stand).wait().unwrap().success());
            begun.elapsed()
        });
        for _ in 0..EACH.min(many - kills) {
            let mut running = start(&daemon, &stand);
            // The machine may be busier than it was when it was measured.
            let share = 1.5 * random.next();
            sleep(Duration::from_secs_f64(time.as_secs_f64() * share));
            running.kill().unwrap();
            let status = running.wait().unwrap();
            if status.signal() != Some(9) {
                assert!(status.success());
                break;
            }
            kills += 1;
            let there = inventory(&daemon);
            between += u32::from(!there.content.is_empty() && there.images.is_empty());
            eprintln!(
                "  {}: killed after {share:.2} of {time:?}: {}",
                generation.name(),
                stage(&daemon)
            );
        }
        let report = fill(&daemon, &stand.source(), &stand.wanted(), &options());
        all_well(&report);
        let left = inventory(&daemon);
        assert!(
            left.leases.is_empty() && left.ingests.is_empty(),
            "{left:?}"
        );
        assert!(!root.path().join("io.nodeagent.staging").exists());
        let daemon = restarted(daemon);
        let differs = difference(&daemon, &references[stores % 3]);
        assert!(differs.is_empty(), "{}: {differs:#?}", generation.name());
        stores += 1;
    }
    eprintln!("killed {kills} times on {stores} stores, {between} times amid layers");
    assert!(
        between > 0,
        "of {kills} kills none met a fill amid its layers"
    );
}

#[test]
fn two_fills_exclude_each_other() {
    let stand = Stand::with(images());
    let daemon = Daemon::start(Generation::V17).unwrap();
    let mut first = start(&daemon, &stand);
    let mark = daemon.root().join("io.nodeagent.staging");
    while !mark.exists() && first.try_wait().unwrap().is_none() {
        std::thread::yield_now();
    }
    let second = store::fill(
        &place(&daemon),
        &mut client(&daemon),
        &stand.source(),
        &stand.wanted(),
        &options(),
        &Quiet,
    );
    assert!(first.wait().unwrap().success());
    let error = second.unwrap_err();
    assert!(
        error.one_line().contains("another fill"),
        "{}",
        error.one_line()
    );
    assert_eq!(error.kind(), nodeagent::error::Kind::Refused);
}
