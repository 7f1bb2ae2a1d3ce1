//! The order of versions against rpm's own.
//! Separate because the judge is another program.

use super::{Bench, dnf, tree};
use crate::sandbox::inside;
use nodeagent::host::{Cmd, Exec as _, Packages as _};
use std::fmt::Write as _;

const VERSIONS: &[&str] = &[
    "1.0",
    "1.0.0",
    "1.00",
    "1.0a",
    "1.0b",
    "1.a",
    "1a",
    "1.0~rc1",
    "1.0~rc2",
    "1.0~",
    "1.0~~",
    "1.0^",
    "1.0^git1",
    "1.0^git2",
    "1.0^git1~pre",
    "1.0~rc1^git1",
    "1_0",
    "1..0",
    "1.0.",
    "a",
    "b",
    "1",
    "2",
    "10",
    "9",
    "0",
    "00",
    "1.0.1",
    "20240101",
    "0.18.stable.1",
    "5.14.0",
    "2.191.0",
    "xyz10",
    "xyz.4",
    "10xyz",
    "10.1xyz",
    "99999999999999999999999",
    "100000000000000000000000",
    "1.fc4",
    "6.0.rc1",
    "7.Beta",
    "FC5",
    "~",
    "^",
    "1~^",
    "1^~",
];

#[test]
fn every_pair_is_ordered_as_rpm_orders_it() {
    let tree = tree("dnf-versions");
    let Bench { dnf, .. } = dnf(&tree);
    let mut script = String::from("%{lua:");
    for a in VERSIONS {
        for b in VERSIONS {
            write!(script, "print(rpm.vercmp('{a}','{b}')..' ') ").unwrap();
        }
    }
    script.push('}');
    let output = inside(&tree.path())
        .run(&Cmd::new(["rpm", "--eval", &script]))
        .unwrap();
    let text = output.text();
    let orders: Vec<i32> = text
        .split_whitespace()
        .map(|word| word.parse().unwrap())
        .collect();
    assert_eq!(
        orders.len(),
        VERSIONS.len() * VERSIONS.len(),
        "{}",
        output.errors()
    );
    let pairs = VERSIONS
        .iter()
        .flat_map(|a| VERSIONS.iter().map(move |b| (a, b)));
    for ((a, b), want) in pairs.zip(orders) {
        assert_eq!(dnf.compare(a, b) as i32, want, "{a} {b}");
    }
}
