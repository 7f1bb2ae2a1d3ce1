//! Figures, printed and never asserted: the same VM from power-on to RKE2, provisioned at boot and from the golden image.
//! It is separate because it takes minutes and wants a quiet machine: `make bench-boot`.

use super::{
    image::{binary, golden},
    lab::in_lab,
};
use crate::support::{
    machine::run,
    vm::{
        golden::Supply,
        guest,
        node::{self, Identity, Told},
        qemu::LIMIT,
    },
};
use std::{path::Path, process::Command, time::Instant};

/// The runtime cloud-init of a node without an image of its own.
const OLD_WAY: &str = include_str!("../support/guest/old-way.yaml");
/// Boots of each way unless `NODEAGENT_ROUNDS` says another number.
const ROUNDS: u8 = 3;
const STARTED: &str = "InactiveExitTimestampMonotonic";
const REACHED: &str = "ActiveEnterTimestampMonotonic";

/// What is timed: a name, and the part and property with its seconds since the kernel's start.
const POINTS: [(&str, &str, &str); 6] = [
    ("network stage of cloud-init done", "cloud-network", REACHED),
    ("gate: begun", "gate", STARTED),
    ("gate: identity proved", "gate", REACHED),
    ("last stage of cloud-init begun", "cloud-final", STARTED),
    ("RKE2 started", "rke2", STARTED),
    ("RKE2 ready", "rke2", REACHED),
];

#[test]
#[ignore = "prints figures; takes a quarter of an hour"]
fn boot_to_ready_side_by_side() {
    let rounds = std::env::var("NODEAGENT_ROUNDS").map_or(ROUNDS, |given| given.parse().unwrap());
    let (mut old, mut new) = (Vec::new(), Vec::new());
    // One VM after the other: two would take each other's processors.
    for round in 0..rounds {
        old.push(old_way(round));
        new.push(golden_way(round));
    }
    println!("\nSeconds from the kernel's start, median of {rounds} boots:\n");
    println!("| reached | provisioned at boot | golden image |");
    println!("|---|---|---|");
    for (name, part, property) in POINTS {
        let median = |all: &[Told]| median(all.iter().map(|told| told.seconds(part, property)));
        println!(
            "| {name} | {} | {} |",
            shown(median(&old)),
            shown(median(&new))
        );
    }
    let ready = |all: &[Told]| median(all.iter().map(|told| told.seconds("rke2", REACHED)));
    let (before, after) = (ready(&old), ready(&new));
    println!(
        "\nready {:.2} times as soon, {:.1} s saved",
        before / after,
        before - after
    );
    for (way, all) in [("provisioned at boot", &old), ("golden image", &new)] {
        println!("\ncloud-init's longest modules, {way}:");
        for line in longest(all[0].text("cloud")) {
            println!("  {line}");
        }
    }
    gate(&new);
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn shown(seconds: f64) -> String {
    if seconds > 0.0 {
        format!("{seconds:.1}")
    } else {
        "–".to_owned()
    }
}

/// Lines of `cloud-init analyze blame`, which come sorted.
fn longest(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .map(str::trim)
        .filter(|line| line.contains("s ("))
        .take(6)
}

fn golden_way(round: u8) -> Told {
    let golden = golden();
    let last = 61 + round;
    boot(&format!("golden-{round}"), last, |who, dir| {
        node::boot(&golden.guest, &golden.file("golden.raw"), who, dir).unwrap()
    })
}

fn old_way(round: u8) -> Told {
    let bare = guest::bare().unwrap_or_else(|error| panic!("{error}"));
    let binary = binary();
    let supply = Supply::new(&binary, &bare).unwrap_or_else(|error| panic!("{error}"));
    boot(&format!("old-way-{round}"), 51 + round, |who, dir| {
        let files = dir.join("supply-of-it");
        std::fs::create_dir(&files).unwrap();
        supply.pack(&files).unwrap();
        let disk = files.join("supply.iso");
        let drive = format!("file={},if=virtio,format=raw,readonly=on", disk.display());
        let user_data = format!("{OLD_WAY}{}", node::proving().unwrap());
        let more = vec!["-drive".to_owned(), drive];
        node::boot_with(&bare, &bare.disk(), who, user_data, more, dir).unwrap()
    })
}

fn boot(
    name: &str,
    last: u8,
    start: impl FnOnce(&Identity<'_>, &Path) -> crate::support::vm::qemu::Vm + Send,
) -> Told {
    let uuid = format!("0a1b2c3d-0000-4000-8000-0000000000{last}");
    let mut told = None;
    in_lab(name, |dir| {
        let who = Identity {
            name,
            uuid: &uuid,
            last,
            user_data: "",
        };
        let mut vm = start(&who, dir);
        told = Some(Told::by(&mut vm).unwrap_or_else(|error| panic!("{error}")));
    });
    let told = told.unwrap();
    let state = told.property("rke2", "ActiveState");
    assert_eq!(state, "active", "{name}: RKE2\n{}", told.text("journal"));
    told
}

/// What the first boot's own work costs: in the VM, and what the emulation makes of it.
fn gate(nodes: &[Told]) {
    let blocks = median(
        nodes
            .iter()
            .map(|told| told.seconds("gate", REACHED) - told.seconds("gate", STARTED)),
    );
    let own = median(nodes.iter().map(|told| {
        told.json("firstboot")["millis"]
            .as_f64()
            .unwrap_or_default()
    }));
    let memory = nodes
        .iter()
        .map(|told| told.text("memory").trim().parse::<f64>().unwrap());
    let guest = median(nodes.iter().flat_map(|told| {
        told.text("speed")
            .lines()
            .map(|line| line.parse::<f64>().unwrap())
            .collect::<Vec<_>>()
    }));
    let factor = guest / host_micros();
    println!(
        "\nThe gate, in the VM: {:.0} ms from its start to RKE2's, {own:.0} ms of them its own work",
        blocks * 1e3
    );
    println!("peak RSS {:.0} KiB", median(memory));
    println!(
        "emulation takes {factor:.1} times as long for the same program (policy show) as this host:"
    );
    println!(
        "that makes {:.0} ms and {:.0} ms here",
        blocks * 1e3 / factor,
        own / factor
    );
}

/// What the host takes for the work that the nodes time.
fn host_micros() -> f64 {
    let binary = binary();
    median((0..9).map(|_| {
        let start = Instant::now();
        let mut show = Command::new(&binary);
        run::ok(
            show.args(["policy", "show", "--profile", "rke2-debian12"]),
            LIMIT,
        )
        .unwrap();
        start.elapsed().as_secs_f64() * 1e6
    }))
}
