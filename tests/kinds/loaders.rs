//! Our rules of which sysctl line wins, against the two programs themselves on the same files.
//! It is separate because here the programs are the judge: no expectation is written down but theirs.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use nodeagent::resource::Kind as _;
use nodeagent::resource::sysctl::{OnNode, Setting, Sysctl, Wanted};

use crate::support::fake::fake_host;
use crate::support::namespace::{empty, in_namespaces};

const KEY: &str = "net.ipv4.conf.all.arp_ignore";
const FILE: &str = "/proc/sys/net/ipv4/conf/all/arp_ignore";

/// Files of a case: path below / and text; `->` before a text makes a symlink.
type Case = &'static [(&'static str, &'static str)];

const CASES: &[Case] = &[
    &[],
    &[("etc/sysctl.d/a.conf", "net.ipv4.conf.all.arp_ignore=1")],
    &[(
        "etc/sysctl.d/a.conf",
        "net.ipv4.conf.all.arp_ignore = 1\r\n",
    )],
    &[("etc/sysctl.d/a.conf", "net/ipv4/conf/all/arp_ignore = 1\n")],
    &[("etc/sysctl.d/a.conf", "/net/ipv4/conf/all/arp_ignore = 1\n")],
    &[("etc/sysctl.d/a.conf", "net.ipv4/conf.all.arp_ignore = 1\n")],
    &[("etc/sysctl.d/a.conf", "-net.ipv4.conf.all.arp_ignore = 1\n")],
    &[(
        "etc/sysctl.d/a.conf",
        " -net.ipv4.conf.all.arp_ignore = 1\n",
    )],
    &[(
        "etc/sysctl.d/a.conf",
        "- net.ipv4.conf.all.arp_ignore = 1\n",
    )],
    &[("etc/sysctl.d/a.conf", "net.ipv4.conf.all.arp_ignore\n")],
    &[(
        "etc/sysctl.d/a.conf",
        "# net.ipv4.conf.all.arp_ignore=1\n;net.ipv4.conf.all.arp_ignore=2\n",
    )],
    &[(
        "etc/sysctl.d/a.conf",
        "net.ipv4.conf.all.arp_ignore=1\n-net.ipv4.conf.all.arp_ignore\n",
    )],
    &[(
        "etc/sysctl.d/a.conf",
        "-net.ipv4.conf.all.arp_ignore\nnet.ipv4.conf.all.arp_ignore=1\n",
    )],
    &[(
        "etc/sysctl.d/a.conf",
        "net.ipv4.conf.*.arp_ignore=1\n-net.ipv4.conf.all.arp_ignore\n",
    )],
    &[("etc/sysctl.d/a.conf", "net.ipv4.conf.al[l].arp_ignore=1\n")],
    &[("etc/sysctl.d/a.conf", "net.ipv4.conf.al[!m].arp_ignore=1\n")],
    &[("etc/sysctl.d/a.conf", "net.ipv4.conf.a?l.arp_ignore=1\n")],
    &[("etc/sysctl.d/a.conf", "net.ipv4.*.arp_ignore=1\n")],
    &[(
        "etc/sysctl.d/a.conf",
        "net.ipv4.conf.{all,lo}.arp_ignore=1\n",
    )],
    &[
        ("etc/sysctl.d/A.conf", "net.ipv4.conf.all.arp_ignore=1\n"),
        ("etc/sysctl.d/a.conf", "net.ipv4.conf.all.arp_ignore=2\n"),
    ],
    &[
        ("etc/sysctl.d/a-b.conf", "net.ipv4.conf.all.arp_ignore=1\n"),
        ("etc/sysctl.d/a.conf", "net.ipv4.conf.all.arp_ignore=2\n"),
    ],
    &[
        ("etc/sysctl.d/a.conf", "net.ipv4.conf.all.arp_ignore=1\n"),
        ("etc/sysctl.d/b.conf", "net.ipv4.conf.*.arp_ignore=2\n"),
    ],
    &[
        ("etc/sysctl.d/a.conf", "net.ipv4.conf.*.arp_ignore=1\n"),
        ("etc/sysctl.d/b.conf", "net.ipv4.conf.*l.arp_ignore=2\n"),
    ],
    &[
        ("etc/sysctl.d/a.conf", "net.ipv4.conf.*l.arp_ignore=2\n"),
        ("etc/sysctl.d/b.conf", "net.ipv4.conf.*.arp_ignore=1\n"),
        ("etc/sysctl.d/c.conf", "net.ipv4.conf.*l.arp_ignore=2\n"),
    ],
    &[
        ("etc/sysctl.d/a.conf", "net.ipv4.conf.*l.arp_ignore=2\n"),
        ("etc/sysctl.d/b.conf", "net.ipv4.conf.*.arp_ignore=1\n"),
        ("etc/sysctl.d/c.conf", "net.ipv4.conf.*l.arp_ignore=3\n"),
    ],
    &[
        (
            "usr/lib/sysctl.d/b.conf",
            "net.ipv4.conf.all.arp_ignore=1\n",
        ),
        ("etc/sysctl.d/a.conf", "net.ipv4.conf.all.arp_ignore=2\n"),
    ],
    &[
        (
            "usr/lib/sysctl.d/a.conf",
            "net.ipv4.conf.all.arp_ignore=1\n",
        ),
        ("run/sysctl.d/a.conf", "net.ipv4.conf.all.arp_ignore=2\n"),
    ],
    &[
        (
            "usr/local/lib/sysctl.d/a.conf",
            "net.ipv4.conf.all.arp_ignore=1\n",
        ),
        (
            "usr/lib/sysctl.d/a.conf",
            "net.ipv4.conf.all.arp_ignore=2\n",
        ),
    ],
    &[
        (
            "usr/local/lib/sysctl.d/a.conf",
            "net.ipv4.conf.all.arp_ignore=1\n",
        ),
        ("run/sysctl.d/a.conf", "net.ipv4.conf.all.arp_ignore=2\n"),
    ],
    &[
        ("run/sysctl.d/a.conf", "net.ipv4.conf.all.arp_ignore=1\n"),
        ("etc/sysctl.d/a.conf", ""),
    ],
    &[
        ("run/sysctl.d/a.conf", "net.ipv4.conf.all.arp_ignore=1\n"),
        ("etc/sysctl.d/a.conf", "->/dev/null"),
    ],
    &[
        ("run/sysctl.d/a.conf", "net.ipv4.conf.all.arp_ignore=1\n"),
        ("etc/sysctl.d/a.conf", "->/nowhere"),
    ],
    &[("etc/sysctl.d/.a.conf", "net.ipv4.conf.all.arp_ignore=1\n")],
    &[("etc/sysctl.d/a.conf~", "net.ipv4.conf.all.arp_ignore=1\n")],
    &[("etc/sysctl.d/a", "net.ipv4.conf.all.arp_ignore=1\n")],
    &[("etc/sysctl.conf", "net.ipv4.conf.all.arp_ignore=1\n")],
    &[
        ("etc/sysctl.conf", "net.ipv4.conf.all.arp_ignore=1\n"),
        ("etc/sysctl.d/z.conf", "net.ipv4.conf.all.arp_ignore=2\n"),
    ],
    &[
        ("etc/sysctl.conf", "net.ipv4.conf.all.arp_ignore=1\n"),
        ("etc/sysctl.d/99-sysctl.conf", "->../sysctl.conf"),
        ("etc/sysctl.d/z.conf", "net.ipv4.conf.all.arp_ignore=2\n"),
    ],
    &[
        ("etc/sysctl.conf", "net.ipv4.conf.*.arp_ignore=1\n"),
        ("etc/sysctl.d/z.conf", "net.ipv4.conf.all.arp_ignore=2\n"),
    ],
];

fn arrange(case: Case) {
    for dir in ["/etc", "/run", "/usr/local/lib", "/usr/lib/sysctl.d"] {
        empty(dir);
    }
    for dir in ["/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d"] {
        std::fs::create_dir(dir).unwrap();
    }
    for (path, text) in case {
        let path = Path::new("/").join(path);
        match text.strip_prefix("->") {
            Some(target) => std::os::unix::fs::symlink(target, &path).unwrap(),
            None => std::fs::write(&path, text).unwrap(),
        }
    }
}

/// The value that a program leaves, from 0. Its exit code tells nothing: it fails for a line that we pass over too.
fn left_by(program: &str, arguments: &[&str]) -> String {
    std::fs::write(FILE, "0").unwrap();
    let run = Command::new(program).args(arguments).output();
    run.unwrap_or_else(|error| panic!("{program}: {error}; install systemd and procps"));
    std::fs::read_to_string(FILE).unwrap().trim().to_owned()
}

fn value(setting: Option<&Setting>) -> String {
    setting.map_or_else(|| "0".to_owned(), |setting| setting.value.clone())
}

#[test]
fn the_winner_is_the_one_of_the_programs() {
    let wanted = Wanted {
        value: "1".to_owned(),
        reason: "A reason.".to_owned(),
        accept: nodeagent::resource::Accept::Exact,
        one_of: Vec::new(),
        node: OnNode::Checked,
    };
    let sysctl = Sysctl {
        path: "/etc/sysctl.d/none.conf".to_owned(),
        keys: BTreeMap::from([(KEY.to_owned(), wanted)]),
    };
    let mut set = 0;
    for case in CASES {
        in_namespaces(|| {
            arrange(case);
            let host = fake_host(Path::new("/"));
            let seen = sysctl.observe(&host).unwrap();
            let key = &seen.keys[KEY];
            let systemd = left_by("/lib/systemd/systemd-sysctl", &[]);
            let procps = left_by("sysctl", &["--system"]);
            assert_eq!(
                value(key.systemd.as_ref()),
                systemd,
                "systemd-sysctl: {case:?}"
            );
            assert_eq!(
                value(key.procps.as_ref()),
                procps,
                "sysctl --system: {case:?}"
            );
            set += usize::from(systemd != "0") + usize::from(procps != "0");
        });
    }
    assert!(set > CASES.len(), "most cases set the key: {set}");
}
