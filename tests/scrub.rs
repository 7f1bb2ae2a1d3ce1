//! Scrub and identity on real trees: what a builder leaves is found, buried, removed, and proved gone on a node.
//! It is separate from the tables beside the code because it runs both kinds through the one write loop.

use std::path::Path;
use std::time::Duration;

use nodeagent::apply::{Outcome, Progress, Run};
use nodeagent::error::Error;
use nodeagent::host::{Host, Where};
use nodeagent::observe::observe;
use nodeagent::plan::{Plan, Scope};
use nodeagent::policy::Policy;
use nodeagent::record::Journal;
use nodeagent::resource::{Phase, Place};
use serde_json::{Value, json};

use crate::support::fake::{Fakes, fake_parts};

const ID: &str = "0123456789abcdef0123456789abcdef";
/// Public keys of two machines, in the files' own format; the bytes are filler.
const KEY_A: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB root@a\n";
const KEY_B: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIC root@b\n";
/// The OpenSSH private file of KEY_A's pair, cut to its public half: that is all that is read of it.
const PRIVATE_A: &str = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZWQyNTUxOQAAACABAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ==\n-----END OPENSSH PRIVATE KEY-----\n";

struct Silent;

impl Progress for Silent {
    fn phase(&mut self, _: Phase, _: usize) {}
    fn step(&mut self, _: &str, _: &str) {}
    fn done(&mut self, _: &str, _: &str, _: Duration, _: &[String]) {}
    fn failed(&mut self, _: &str, _: &Error) {}
}

struct Bench {
    dir: tempfile::TempDir,
    host: Host,
    fakes: Fakes,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (mut host, fakes) = fake_parts(dir.path());
        host.context.place = Where::Root;
        host.evidence.salt = Some("salt".to_owned());
        Self { dir, host, fakes }
    }

    fn put(&self, path: &str, content: &str) {
        let at = self.dir.path().join(path.trim_start_matches('/'));
        std::fs::create_dir_all(at.parent().unwrap()).unwrap();
        std::fs::write(at, content).unwrap();
    }

    fn mode(&self, path: &str, mode: u32) {
        use std::os::unix::fs::PermissionsExt as _;
        let at = self.dir.path().join(path.trim_start_matches('/'));
        std::fs::set_permissions(at, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    fn link(&self, target: &str, path: &str) {
        let at = self.dir.path().join(path.trim_start_matches('/'));
        std::fs::create_dir_all(at.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(target, at).unwrap();
    }

    fn has(&self, path: &str) -> bool {
        self.dir
            .path()
            .join(path.trim_start_matches('/'))
            .symlink_metadata()
            .is_ok()
    }

    fn text(&self, path: &str) -> String {
        self.host.root.read_text(path).unwrap().unwrap()
    }

    fn plan(&self, policy: &Policy, place: Place) -> Plan {
        Plan::new(
            policy,
            &observe(&policy.entries, |_| true, &self.host),
            place,
        )
    }

    fn generalize(&mut self, policy: &Policy) -> Outcome {
        let mut journal = Journal::open(&self.host.root, nodeagent::record::JOURNAL).unwrap();
        let scope = Scope::default();
        Run {
            policy,
            place: Place::Image,
            scope: &scope,
            progress: &mut Silent,
            stop: &|| None,
            after_step: &|_| {},
        }
        .go(&mut self.host, &mut journal)
        .unwrap()
    }

    /// Generalizes; nothing may fail, and a second run finds nothing to do.
    fn clean(&mut self, policy: &Policy) {
        let first = self.generalize(policy);
        assert!(first.failed.is_empty(), "{:?}", first.failed);
        let second = self.generalize(policy);
        assert_eq!(
            (second.steps.len(), second.failed.len()),
            (0, 0),
            "{second:?}"
        );
    }
}

fn policy(entries: &[Value]) -> Policy {
    serde_json::from_value(json!({
        "schema": 1, "profile": "test", "description": "d", "proven": true, "variables": {}, "fragments": [],
        "requires": {"family": "debian", "version": "12", "arch": ["x86_64"]}, "entries": entries,
    }))
    .unwrap()
}

fn scrub(name: &str, mut fact: Value) -> Value {
    let common = json!({"kind": "scrub", "id": format!("scrub:{name}"), "name": name, "reason": "because",
        "places": ["image"], "origin": "test:1"});
    fact.as_object_mut()
        .unwrap()
        .extend(common.as_object().unwrap().clone());
    fact
}

fn identity(what: &str) -> Policy {
    policy(&[
        json!({"kind": "identity", "id": format!("identity:{what}"), "what": what, "reason": "because",
        "places": ["node"], "origin": "test:1"}),
    ])
}

fn machine_id() -> Value {
    scrub(
        "machine-id",
        json!({"paths": ["/etc/machine-id"], "action": "write", "content": "", "mode": "0444",
        "create": true, "tombstone": "machine-id"}),
    )
}

fn host_keys() -> Value {
    scrub(
        "ssh-host-keys",
        json!({"paths": ["/etc/ssh/ssh_host_*_key*"], "action": "remove", "tombstone": "ssh-host-key"}),
    )
}

fn own_state(bench: &Bench) {
    bench.put(
        "/etc/passwd",
        "root:x:0:0::/root:/bin/sh\nu:x:1000:1000::/home/u:/bin/sh\n",
    );
    bench.put("/etc/group", "root:x:0:\n");
}

/// Differences and unknown parts of the only entry.
fn verdict(bench: &Bench, what: &str) -> (Vec<String>, usize) {
    let plan = bench.plan(&identity(what), Place::Node);
    let item = &plan.items[0];
    let differs = item.differences.iter().map(|d| d.what.clone()).collect();
    (differs, item.could_not_check.len())
}

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
fn an_identifier_is_buried_before_it_goes_and_a_node_that_has_it_is_caught() {
    let mut bench = Bench::new();
    own_state(&bench);
    bench.put("/etc/machine-id", &format!("{ID}\n"));
    bench.clean(&policy(&[machine_id()]));
    let meta = bench.host.root.meta("/etc/machine-id").unwrap().unwrap();
    assert_eq!((meta.size, meta.mode_text().as_str()), (0, "0444"));
    let evidence = nodeagent::record::journal::evidence(&bench.host.root).unwrap();
    let stone = bench
        .host
        .evidence
        .tombstone("machine-id", ID.as_bytes())
        .unwrap();
    assert_eq!(
        evidence.tombstones,
        [stone],
        "recorded once, the identifier without its line end"
    );

    assert_eq!(
        verdict(&bench, "machine-id"),
        (vec!["/etc/machine-id".to_owned()], 0),
        "still empty"
    );
    bench.put_over("/etc/machine-id", &format!("{ID}\n"));
    assert_eq!(verdict(&bench, "machine-id").0.len(), 1, "the builder's");
    bench.put_over("/etc/machine-id", &ID.replace('0', "f"));
    assert_eq!(verdict(&bench, "machine-id"), (vec![], 0));
    bench.host.evidence.tombstones.clear();
    assert_eq!(
        verdict(&bench, "machine-id"),
        (vec![], 1),
        "no tombstone: could not check"
    );
    bench.host.evidence.salt = None;
    assert_eq!(
        verdict(&bench, "machine-id"),
        (vec![], 1),
        "no salt: could not check"
    );
}

#[test]
fn the_hypervisor_as_source_is_only_a_note() {
    let mut bench = Bench::new();
    own_state(&bench);
    bench.put("/etc/machine-id", "");
    bench.clean(&policy(&[machine_id()]));
    bench.put_over("/etc/machine-id", ID);
    bench.fakes.kernel.edit().product_uuid =
        Some("01234567-89AB-cdef-0123-456789abcdef".to_owned());
    let policy = identity("machine-id");
    let seen = policy.entries[0].resource.observe(&bench.host).unwrap();
    assert!(
        serde_json::to_string(&seen)
            .unwrap()
            .contains("\"from-smbios\":true")
    );
    assert!(
        !serde_json::to_string(&seen).unwrap().contains(ID),
        "the identifier itself is never shown"
    );
    assert_eq!(verdict(&bench, "machine-id"), (vec![], 0));
}

#[test]
fn that_there_was_nothing_to_bury_is_evidence_too() {
    let mut bench = Bench::new();
    own_state(&bench);
    bench.put("/etc/machine-id", "");
    bench.mode("/etc/machine-id", 0o444);
    let wanted = policy(&[machine_id()]);
    let plan = bench.plan(&wanted, Place::Image);
    assert_eq!(plan.items[0].steps, ["record that there was no identifier"]);
    bench.clean(&wanted);
    bench.put_over("/etc/machine-id", ID);
    assert_eq!(verdict(&bench, "machine-id"), (vec![], 0));

    bench.host.evidence = nodeagent::host::Evidence::default();
    let unsalted = bench.plan(&wanted, Place::Image);
    assert_eq!(
        unsalted.items[0].could_not_check.len(),
        1,
        "without a salt nothing is proved"
    );
}

#[test]
fn every_host_key_is_compared_whatever_its_public_file_says() {
    let mut bench = Bench::new();
    own_state(&bench);
    bench.put("/etc/ssh/ssh_host_ed25519_key", PRIVATE_A);
    bench.put("/etc/ssh/ssh_host_ed25519_key.pub", KEY_A);
    bench.put(
        "/etc/ssh/sshd_config",
        "HostKey /etc/ssh/ssh_host_ed25519_key\nHostKey /opt/keys/site\n",
    );
    bench.put(
        "/opt/keys/site",
        "-----BEGIN EC PRIVATE KEY-----\nsite\n-----END EC PRIVATE KEY-----\n",
    );
    bench.clean(&policy(&[host_keys()]));
    assert!(
        !bench.has("/etc/ssh/ssh_host_ed25519_key")
            && !bench.has("/etc/ssh/ssh_host_ed25519_key.pub")
    );
    assert!(
        !bench.has("/opt/keys/site"),
        "a key that only the configuration names goes as well"
    );

    let names = verdict(&bench, "ssh-host-keys").0;
    assert_eq!(
        names.len(),
        3,
        "both configured keys are absent, none is loaded: {names:?}"
    );

    bench.put("/etc/ssh/sshd_config", "");
    for (case, public) in [
        ("no public file", None),
        ("another's public file", Some(KEY_B)),
    ] {
        bench.put("/etc/ssh/ssh_host_ed25519_key", PRIVATE_A);
        bench.mode("/etc/ssh/ssh_host_ed25519_key", 0o600);
        if let Some(public) = public {
            bench.put("/etc/ssh/ssh_host_ed25519_key.pub", public);
        }
        let (names, _) = verdict(&bench, "ssh-host-keys");
        assert!(
            names.contains(&"/etc/ssh/ssh_host_ed25519_key".to_owned()),
            "{case}: {names:?}"
        );
        let stale = names.contains(&"/etc/ssh/ssh_host_ed25519_key.pub".to_owned());
        assert_eq!(stale, public.is_some(), "{case}: {names:?}");
    }
}

#[test]
fn a_key_of_another_type_or_outside_the_configuration_counts() {
    let mut bench = Bench::new();
    own_state(&bench);
    bench.put("/etc/ssh/ssh_host_xmss_key.pub", KEY_A);
    bench.clean(&policy(&[host_keys()]));
    bench.put("/etc/ssh/ssh_host_rsa_key", KEY_B);
    assert_eq!(verdict(&bench, "ssh-host-keys"), (vec![], 0), "made anew");
    bench.put("/etc/ssh/ssh_host_xmss_key.pub", KEY_A);
    assert_eq!(
        verdict(&bench, "ssh-host-keys").0,
        ["/etc/ssh/ssh_host_xmss_key.pub"]
    );
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
        Path::new(&bench.dir.path().join("var/log/journal/j")).exists(),
        "nothing goes before its writer"
    );
}

impl Bench {
    /// Replaces a file that may be read-only.
    fn put_over(&self, path: &str, content: &str) {
        self.host.root.remove(path).unwrap();
        self.put(path, content);
    }
}
