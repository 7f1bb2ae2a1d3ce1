//! Scrub on real trees: what a builder leaves is found and removed, and its writers are stopped first.
//! It is separate from the tables beside the code because it runs through the one write loop.

mod bench;
mod boot;
mod identity;

use nodeagent::host::Where;
use nodeagent::resource::Place;
use serde_json::json;

use bench::{Bench, own_state, policy, scrub};

const ID: &str = "0123456789abcdef0123456789abcdef";

#[test]
fn each_action_leaves_what_it_says_and_nothing_the_second_time() {
    let mut bench = Bench::new();
    own_state(&bench);
    bench.put("/root/.bash_history", "secret");
    bench.put("/home/u/.bash_history", "secret");
    bench.put("/var/log/a.log", "x");
    bench.mode("/var/log/a.log", 0o640);
    bench.put("/var/log/deep/b.log", "x");
    bench.put("/var/log/journal/j", "binary");
    bench.link("/etc/passwd", "/var/log/README");
    bench.put("/tmp/a/b", "x");
    bench.put("/etc/hostname", "builder\n");
    bench.mode("/etc/hostname", 0o600);
    bench.put(
        "/etc/hosts",
        "127.0.0.1 localhost\n127.0.1.1\tbuilder\n127.0.1.10 other\n",
    );
    bench.put("/var/lib/dbus/machine-id", ID);
    let policy = policy(&[
        scrub(
            "histories",
            json!({"paths": ["~/.bash_history"], "action": "remove"}),
        ),
        scrub(
            "logs",
            json!({"paths": ["/var/log/**"], "except": ["/var/log/journal"], "action": "truncate"}),
        ),
        scrub(
            "tmp",
            json!({"paths": ["/tmp", "/var/tmp"], "action": "empty-dir"}),
        ),
        scrub(
            "hostname",
            json!({"paths": ["/etc/hostname", "/etc/absent"], "action": "write", "content": "localhost\n"}),
        ),
        scrub(
            "hosts",
            json!({"paths": ["/etc/hosts"], "action": "drop-lines", "content": "127.0.1.1[ \t]*"}),
        ),
        scrub(
            "dbus",
            json!({"paths": ["/var/lib/dbus/machine-id"], "action": "symlink", "content": "/etc/machine-id"}),
        ),
    ]);
    bench.clean(&policy);
    assert!(!bench.has("/root/.bash_history") && !bench.has("/home/u/.bash_history"));
    assert_eq!(
        (
            bench.text("/var/log/a.log"),
            bench.text("/var/log/deep/b.log")
        ),
        (String::new(), String::new())
    );
    let log = bench.host.root.meta("/var/log/a.log").unwrap().unwrap();
    assert_eq!(log.mode_text(), "0640");
    assert_eq!(bench.text("/var/log/journal/j"), "binary");
    assert!(
        bench.text("/etc/passwd").contains("root"),
        "a link among logs is not followed"
    );
    assert!(bench.has("/tmp") && !bench.has("/tmp/a") && !bench.has("/var/tmp"));
    assert_eq!(bench.text("/etc/hostname"), "localhost\n");
    assert_eq!(
        bench
            .host
            .root
            .meta("/etc/hostname")
            .unwrap()
            .unwrap()
            .mode_text(),
        "0600"
    );
    assert!(
        !bench.has("/etc/absent"),
        "write without create makes nothing new"
    );
    assert_eq!(
        bench.text("/etc/hosts"),
        "127.0.0.1 localhost\n127.0.1.10 other\n"
    );
    assert_eq!(
        bench
            .host
            .root
            .read_link("/var/lib/dbus/machine-id")
            .unwrap()
            .as_deref(),
        Some("/etc/machine-id")
    );
}

#[test]
fn a_link_that_hides_what_must_go_is_never_passed_over_in_silence() {
    let mut bench = Bench::new();
    own_state(&bench);
    bench.put("/srv/keys/authorized_keys", "backdoor");
    bench.link("/srv/keys", "/home/u/.ssh");
    bench.put("/data/x", "x");
    bench.link("/data", "/tmp");
    let policy = policy(&[
        scrub(
            "keys",
            json!({"paths": ["~/.ssh/authorized_keys"], "action": "remove"}),
        ),
        scrub("tmp", json!({"paths": ["/tmp"], "action": "empty-dir"})),
    ]);
    let outcome = bench.generalize(&policy);
    assert_eq!(outcome.failed.len(), 2, "{outcome:?}");
    assert!(
        outcome.failed[0].error.contains("/home/u/.ssh"),
        "{outcome:?}"
    );
    assert!(bench.has("/srv/keys/authorized_keys") && bench.has("/data/x"));
}

#[test]
fn a_running_machine_stops_its_writers_by_the_way_that_works() {
    let mut bench = Bench::new();
    own_state(&bench);
    bench.host.context.place = Where::Booted;
    bench.put("/var/log/a.log", "x");
    bench
        .fakes
        .units
        .add("rsyslog.service", "enabled", "active");
    bench.fakes.units.add("auditd.service", "enabled", "active");
    bench
        .fakes
        .units
        .add("other.service", "enabled", "inactive");
    let stop = [
        "rsyslog.service",
        "auditd.service",
        "other.service",
        "missing.service",
    ];
    let wanted = policy(&[scrub(
        "logs",
        json!({"paths": ["/var/log/**"], "action": "truncate", "stop": stop}),
    )]);
    bench.clean(&wanted);
    assert_eq!(
        bench.fakes.units.calls.changes(),
        ["stop rsyslog.service", "kill auditd.service"]
    );
    assert_eq!(bench.text("/var/log/a.log"), "");
}

#[test]
fn the_transport_is_left_to_the_closing_run() {
    let mut bench = Bench::new();
    own_state(&bench);
    bench.host.context.place = Where::Booted;
    bench.put("/root/.ssh/authorized_keys", "packer");
    bench.put("/var/log/journal/j", "x");
    let wanted = policy(&[
        scrub(
            "keys",
            json!({"paths": ["~/.ssh/authorized_keys"], "action": "remove", "when": "close"}),
        ),
        scrub(
            "journal",
            json!({"paths": ["/var/log/journal"], "action": "empty-dir", "when": "close",
            "stop": ["systemd-journald.service", "chrony.service"]}),
        ),
    ]);
    bench.clean(&wanted);
    assert!(
        bench.has("/root/.ssh/authorized_keys"),
        "generalize needs it still"
    );
    let plan = bench.plan(&wanted, Place::Image);
    assert_eq!(plan.items[0].not_applicable.len(), 1);

    bench.host.closing = true;
    bench
        .fakes
        .exec
        .expect("journalctl --relinquish-var", 0, "");
    bench.fakes.units.calls.fail_on("state", 1);
    bench.clean(&wanted);
    assert!(!bench.has("/root/.ssh/authorized_keys") && !bench.has("/var/log/journal/j"));
    assert!(
        bench.fakes.exec.left().is_empty(),
        "journald was told to leave /var"
    );
}

#[test]
fn a_writer_that_does_not_stop_is_a_failure() {
    let mut bench = Bench::new();
    own_state(&bench);
    bench.host.context.place = Where::Booted;
    bench.put("/var/log/journal/j", "x");
    bench.fakes.exec.expect("journalctl", 1, "");
    let wanted = policy(&[scrub(
        "journal",
        json!({"paths": ["/var/log/journal"], "action": "empty-dir",
        "stop": ["systemd-journald.service"]}),
    )]);
    let outcome = bench.generalize(&wanted);
    assert!(
        outcome.failed[0].error.contains("journald leave /var"),
        "{outcome:?}"
    );
    assert!(
        bench.has("/var/log/journal/j"),
        "nothing goes before its writer"
    );
}
