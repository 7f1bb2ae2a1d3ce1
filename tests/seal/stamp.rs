//! The stamp of a node: whose it is, and how a copy of its disk is told.
//! It is separate because what counts as "the same machine" is a table of its own.

use nodeagent::host::Evidence;
use nodeagent::record::stamp::{self, Standing};

use super::{Bench, ID, OTHER};

/// Public keys of two machines, in the files' own format; the bytes are filler.
const KEY_A: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB root@a\n";
const KEY_B: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIC root@b\n";

#[test]
fn a_copy_of_a_node_is_told_by_what_it_kept() {
    let bench = Bench::new();
    let key = "/etc/ssh/ssh_host_ed25519_key.pub";
    let look = || {
        let now = stamp::now(&bench.host.root, &bench.host.evidence, None, 1)
            .unwrap()
            .unwrap();
        stamp::standing(stamp::read(&bench.host.root).unwrap().as_ref(), &now)
    };
    let kept = |standing: Standing| match standing {
        Standing::Foreign(kept) => kept.into_iter().map(|d| d.what).collect::<Vec<_>>(),
        other => panic!("{other:?} is not a copy"),
    };
    bench.put("/var/lib/cloud/data/instance-id", "i-1\n");
    bench.put(key, KEY_A);
    assert_eq!(look(), Standing::Fresh);
    let now = stamp::now(&bench.host.root, &bench.host.evidence, None, 1)
        .unwrap()
        .unwrap();
    stamp::write(&bench.host.root, &now).unwrap();
    assert_eq!(look(), Standing::Mine);
    let text = bench.host.root.read_text(stamp::STAMP).unwrap().unwrap();
    assert!(
        !text.contains(ID),
        "the identifier itself is not kept: {text}"
    );

    bench.put("/var/lib/cloud/data/instance-id", "i-2\n");
    assert_eq!(kept(look()), ["/etc/machine-id", "SSH host keys"]);
    bench.put("/etc/machine-id", OTHER);
    assert_eq!(kept(look()), ["SSH host keys"]);
    bench.put(key, KEY_B);
    assert!(
        kept(look()).is_empty(),
        "a copy that made everything anew is a new node"
    );
    bench.put(stamp::STAMP, "torn");
    assert_eq!(look(), Standing::Fresh);
    assert_eq!(
        stamp::now(&bench.host.root, &Evidence::default(), None, 1).unwrap(),
        None
    );
}

#[test]
fn without_an_instance_the_hardware_tells_a_copy() {
    let stamped = |uuid: Option<&str>, instance: Option<&str>| {
        let bench = Bench::new();
        if let Some(id) = instance {
            bench.put("/var/lib/cloud/data/instance-id", id);
        }
        stamp::now(&bench.host.root, &bench.host.evidence, uuid, 1)
            .unwrap()
            .unwrap()
    };
    let (a, b) = (Some("uuid-a"), Some("uuid-b"));
    let table = [
        ("the node itself", (a, None), (a, None), true),
        ("a copy without cloud-init", (a, None), (b, None), false),
        ("no UUID anywhere", (None, None), (None, None), true),
        (
            "cloud-init failed at the first boot",
            (a, None),
            (a, Some("i-1")),
            true,
        ),
        (
            "a copy that got an instance",
            (a, None),
            (b, Some("i-1")),
            false,
        ),
        (
            "an instance where nothing else tells",
            (None, None),
            (None, Some("i-1")),
            false,
        ),
        (
            "another instance on equal UUIDs",
            (a, Some("i-1")),
            (a, Some("i-2")),
            false,
        ),
        (
            "moved to other hardware",
            (a, Some("i-1")),
            (b, Some("i-1")),
            true,
        ),
    ];
    for (case, before, here, mine) in table {
        let standing =
            stamp::standing(Some(&stamped(before.0, before.1)), &stamped(here.0, here.1));
        assert_eq!(standing == Standing::Mine, mine, "{case}: {standing:?}");
    }
}

#[test]
fn a_key_is_the_same_whatever_its_comment_or_place() {
    let bench = Bench::new();
    bench.put("/etc/ssh/sshd_config", "HostKey /opt/site_key\n");
    bench.put("/opt/site_key.pub", KEY_A);
    let keys = |bench: &Bench| {
        let now = stamp::now(&bench.host.root, &bench.host.evidence, None, 1);
        now.unwrap().unwrap().host_keys
    };
    let before = keys(&bench);
    assert_eq!(before.len(), 1);
    bench.remove("/opt/site_key.pub");
    bench.put(
        "/etc/ssh/ssh_host_ed25519_key.pub",
        &KEY_A.replace("root@a", "root@clone"),
    );
    assert_eq!(keys(&bench), before);
}
