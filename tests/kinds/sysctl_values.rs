//! Kind `sysctl`: how values compare, and where the running half does not count.
//! It is separate from the tables of violations because here nothing is wrong with the machine.

use std::collections::BTreeMap;

use nodeagent::host::Where;
use nodeagent::resource::sysctl::{OnNode, Sysctl};
use nodeagent::resource::{Accept, Place};

use super::sysctl::{PATH, good, key, running, wanted};
use super::{Bench, lines};

#[test]
fn values_compare_by_meaning() {
    let table: &[(&str, Accept, &[&str], &str, bool)] = &[
        (
            "4096 87380 6291456",
            Accept::Exact,
            &[],
            "4096\t87380\t6291456",
            true,
        ),
        ("1", Accept::Exact, &[], "01", false),
        ("1", Accept::Exact, &["2"], "2", true),
        ("1", Accept::Exact, &["2"], "3", false),
        ("1024", Accept::AtLeast, &[], "1024", true),
        ("1024", Accept::AtLeast, &[], "99999", true),
        ("1024", Accept::AtLeast, &[], "1023", false),
        ("1024", Accept::AtMost, &[], "1023", true),
        ("1024", Accept::AtMost, &[], "1025", false),
        ("4 4", Accept::AtLeast, &[], "5\t3", false),
        ("4 4", Accept::AtLeast, &[], "5 5 5", false),
        ("-1", Accept::AtLeast, &[], "-2", false),
        ("1", Accept::AtLeast, &[], "many", false),
    ];
    for (value, accept, one_of, have, conforms) in table {
        let bench = Bench::new();
        let mut wanted = key(value);
        wanted.accept = *accept;
        wanted.one_of = one_of.iter().map(|v| (*v).to_owned()).collect();
        let sysctl = Sysctl {
            path: PATH.to_owned(),
            keys: BTreeMap::from([("a.b".to_owned(), wanted)]),
        };
        running(&bench, "a.b", have);
        let found = lines(&bench.diff(&sysctl, Place::Build));
        let differs = found.iter().any(|line| line.starts_with("a.b at runtime"));
        assert_eq!(
            !differs, *conforms,
            "{value} {accept:?} {one_of:?} against {have}"
        );
    }
}

#[test]
fn places_and_contexts_decide_about_the_running_half() {
    let drift = |bench: &Bench| {
        running(bench, "net.ipv4.ip_forward", "0");
        running(bench, "vm.max_map_count", "65530");
    };
    let bench = good();
    drift(&bench);
    assert_eq!(lines(&bench.diff(&wanted(), Place::Node)).len(), 2);
    let image = bench.diff(&wanted(), Place::Image);
    assert!(image.conforms() && image.not_applicable[0].what == "runtime");

    let mut sysctl = wanted();
    let forward = sysctl.keys.get_mut("net.ipv4.ip_forward").unwrap();
    forward.node = OnNode::OwnedElsewhere;
    assert_eq!(
        lines(&bench.diff(&sysctl, Place::Node)),
        ["vm.max_map_count at runtime: 65530 -> 262144"]
    );
    assert_eq!(lines(&bench.diff(&sysctl, Place::Build)).len(), 2);

    bench.fakes.kernel.edit().foreign = Some("the tree is not booted".to_owned());
    let foreign = bench.diff(&wanted(), Place::Build);
    assert!(foreign.conforms());
    assert_eq!(foreign.not_applicable.len(), 2);
    assert_eq!(foreign.not_applicable[0].why, "the tree is not booted");
    std::fs::remove_file(bench.at(PATH)).unwrap();
    assert_eq!(lines(&bench.diff(&wanted(), Place::Build)).len(), 3);
    bench.settle(&wanted(), Place::Build).unwrap();
}

#[test]
fn a_key_of_a_module_that_a_container_cannot_load_is_not_applicable() {
    let mut bench = Bench::new();
    let mut sysctl = wanted();
    sysctl.keys = BTreeMap::from([("net.bridge.bridge-nf-call-iptables".to_owned(), key("1"))]);
    let found = lines(&bench.diff(&sysctl, Place::Build));
    assert_eq!(
        found[2],
        "net.bridge.bridge-nf-call-iptables at runtime: \
         no such key; it comes with the module br_netfilter -> 1"
    );
    bench.host.context.place = Where::Container;
    let diff = bench.diff(&sysctl, Place::Build);
    assert_eq!(lines(&diff).len(), 2);
    assert!(diff.not_applicable[0].why.contains("no such key"));
}
