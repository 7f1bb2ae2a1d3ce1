//! Kind `sysctl`: running value and persisted winner, each with what makes it fail.
//! It is separate because the two halves fail apart from each other.

use nodeagent::resource::sysctl::{OnNode, Sysctl, Wanted};
use nodeagent::resource::{Accept, Place};

use super::{Bench, lines, steps};

pub(super) const PATH: &str = "/etc/sysctl.d/90-node.conf";

pub(super) fn key(value: &str) -> Wanted {
    Wanted {
        value: value.to_owned(),
        reason: "Why so.\nAnd more.".to_owned(),
        accept: Accept::Exact,
        one_of: Vec::new(),
        node: OnNode::Checked,
    }
}

pub(super) fn wanted() -> Sysctl {
    let keys = [
        ("vm.max_map_count", key("262144")),
        ("net.ipv4.ip_forward", key("1")),
    ];
    Sysctl {
        path: PATH.to_owned(),
        keys: keys.map(|(name, wanted)| (name.to_owned(), wanted)).into(),
    }
}

/// A machine that conforms.
pub(super) fn good() -> Bench {
    let bench = Bench::new();
    running(&bench, "vm.max_map_count", "65530");
    running(&bench, "net.ipv4.ip_forward", "0");
    bench.settle(&wanted(), Place::Build).unwrap();
    bench
}

pub(super) fn running(bench: &Bench, key: &str, value: &str) {
    let mut kernel = bench.fakes.kernel.edit();
    kernel.sysctls.insert(key.to_owned(), value.to_owned());
}

#[test]
fn a_fresh_machine_gets_file_and_values() {
    let bench = Bench::new();
    running(&bench, "vm.max_map_count", "65530");
    running(&bench, "net.ipv4.ip_forward", "0");
    let diff = bench.diff(&wanted(), Place::Build);
    let found = lines(&diff);
    assert!(
        found[0].starts_with("content: absent -> sha256:"),
        "{found:?}"
    );
    assert_eq!(
        found[1..],
        [
            "net.ipv4.ip_forward persisted: nothing sets it -> 1",
            "net.ipv4.ip_forward at runtime: 0 -> 1",
            "vm.max_map_count persisted: nothing sets it -> 262144",
            "vm.max_map_count at runtime: 65530 -> 262144",
        ]
    );
    let steps = steps(&diff);
    assert!(steps[0].starts_with("write "), "{steps:?}");
    assert_eq!(
        steps[1..],
        [
            "set net.ipv4.ip_forward = 1",
            "set vm.max_map_count = 262144"
        ]
    );
    bench.settle(&wanted(), Place::Build).unwrap();
    assert_eq!(
        bench.text(PATH),
        "# Written by nodeagent for the policy entry sysctl:/etc/sysctl.d/90-node.conf; changes here are lost.\n\
         \n# Why so.\n# And more.\nnet.ipv4.ip_forward = 1\n\
         \n# Why so.\n# And more.\nvm.max_map_count = 262144\n"
    );
    assert_eq!(
        bench.fakes.kernel.see().sysctls["vm.max_map_count"],
        "262144"
    );
}

#[test]
fn forwarding_is_set_before_the_keys_that_it_resets() {
    let bench = Bench::new();
    let names = [
        "net.ipv4.conf.all.accept_redirects",
        "net.ipv4.ip_forward",
        "net.ipv6.conf.all.accept_ra",
        "net.ipv6.conf.all.forwarding",
    ];
    let mut sysctl = wanted();
    sysctl.keys = names
        .iter()
        .map(|name| ((*name).to_owned(), key("1")))
        .collect();
    for name in names {
        running(&bench, name, "0");
    }
    let steps = steps(&bench.diff(&sysctl, Place::Build));
    let order = [1, 3, 0, 2].map(|at: usize| format!("set {} = 1", names[at]));
    assert_eq!(steps[1..], order);
}

/// What is done to a good machine, and what then differs.
type Case = (&'static str, fn(&Bench), &'static [&'static str]);

const CASES: &[Case] = &[
    ("nothing", |_| (), &[]),
    (
        "running value",
        |b| running(b, "vm.max_map_count", "65530"),
        &["vm.max_map_count at runtime: 65530 -> 262144"],
    ),
    (
        "a later file",
        |b| {
            b.put(
                "/usr/lib/sysctl.d/99-x.conf",
                "# x\n\nnet.ipv4.ip_forward=0\n",
            );
        },
        &["net.ipv4.ip_forward persisted: 0 from /usr/lib/sysctl.d/99-x.conf:3 -> 1"],
    ),
    (
        "a later file with the other spelling",
        |b| b.put("/etc/sysctl.d/95.conf", "-net/ipv4/ip_forward = 0"),
        &["net.ipv4.ip_forward persisted: 0 from /etc/sysctl.d/95.conf:1 -> 1"],
    ),
    (
        "an earlier file",
        |b| b.put("/usr/lib/sysctl.d/10-x.conf", "net.ipv4.ip_forward=0\n"),
        &[],
    ),
    (
        "a later file that is masked",
        |b| {
            b.put("/usr/lib/sysctl.d/99-x.conf", "net.ipv4.ip_forward=0\n");
            b.link("/etc/sysctl.d/99-x.conf", "/dev/null");
        },
        &[],
    ),
    (
        "sysctl.conf without a link in sysctl.d",
        |b| b.put("/etc/sysctl.conf", "net.ipv4.ip_forward = 0\n"),
        &["net.ipv4.ip_forward persisted: 0 from /etc/sysctl.conf:1, by sysctl --system -> 1"],
    ),
    (
        "sysctl.conf with the usual link",
        |b| {
            b.put("/etc/sysctl.conf", "net.ipv4.ip_forward = 0\n");
            b.link("/etc/sysctl.d/99-sysctl.conf", "../sysctl.conf");
        },
        &[
            "net.ipv4.ip_forward persisted: 0 from /etc/sysctl.d/99-sysctl.conf:1, by systemd-sysctl -> 1",
            "net.ipv4.ip_forward persisted: 0 from /etc/sysctl.conf:1, by sysctl --system -> 1",
        ],
    ),
    (
        "a pattern, which loses to the name",
        |b| b.put("/etc/sysctl.d/99.conf", "net.ipv4.ip_* = 0\n"),
        &[],
    ),
    (
        "an exclusion, which systemd takes as the last word",
        |b| b.put("/etc/sysctl.d/99.conf", "-net.ipv4.ip_forward\n"),
        &["net.ipv4.ip_forward persisted: nothing sets it, by systemd-sysctl -> 1"],
    ),
    (
        "the kernel lacks the key",
        |b| {
            b.fakes.kernel.edit().sysctls.remove("net.ipv4.ip_forward");
        },
        &["net.ipv4.ip_forward at runtime: the kernel has no such key -> 1"],
    ),
];

#[test]
fn every_violation_is_seen() {
    for (name, spoil, differences) in CASES {
        let bench = good();
        assert!(bench.diff(&wanted(), Place::Build).conforms());
        spoil(&bench);
        assert_eq!(
            lines(&bench.diff(&wanted(), Place::Build)),
            *differences,
            "{name}"
        );
    }
}

#[test]
fn an_edited_drop_in_differs_in_content_and_key() {
    let bench = good();
    let text = bench.text(PATH).replace("262144", "1");
    bench.put(PATH, &text);
    let found = lines(&bench.diff(&wanted(), Place::Build));
    assert!(found[0].starts_with("content: sha256:"), "{found:?}");
    assert_eq!(
        found[1],
        "vm.max_map_count persisted: 1 from /etc/sysctl.d/90-node.conf:9 -> 262144"
    );
    assert_eq!(found.len(), 2);
    bench.settle(&wanted(), Place::Build).unwrap();
}

#[test]
fn a_fault_in_the_middle_is_ended_by_the_next_run() {
    let bench = Bench::new();
    running(&bench, "vm.max_map_count", "65530");
    running(&bench, "net.ipv4.ip_forward", "0");
    bench.fakes.kernel.calls.fail_on("set_sysctl", 2);
    let error = bench.settle(&wanted(), Place::Build).unwrap_err();
    assert!(error.one_line().contains("injected fault"));
    assert_eq!(
        steps(&bench.diff(&wanted(), Place::Build)),
        ["set vm.max_map_count = 262144"]
    );
    bench.settle(&wanted(), Place::Build).unwrap();
}

#[test]
fn a_hostile_directory_of_drop_ins_is_not_followed_outside() {
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("99-x.conf"), "net.ipv4.ip_forward=0\n").unwrap();
    let bench = good();
    bench.link("/usr/lib/sysctl.d", &outside.path().display().to_string());
    bench.link(
        "/etc/sysctl.d/99-y.conf",
        &outside.path().join("99-x.conf").display().to_string(),
    );
    assert!(bench.diff(&wanted(), Place::Build).conforms());
}
