//! A miniature root with fakes, and entries of the two kinds as policy.json has them.
//! It is separate so that a test shows only what it spoils and what must be seen.

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

struct Silent;

impl Progress for Silent {
    fn phase(&mut self, _: Phase, _: usize) {}
    fn step(&mut self, _: &str, _: &str) {}
    fn done(&mut self, _: &str, _: &str, _: Duration, _: &[String]) {}
    fn failed(&mut self, _: &str, _: &Error) {}
}

pub(super) struct Bench {
    pub(super) dir: tempfile::TempDir,
    pub(super) host: Host,
    pub(super) fakes: Fakes,
}

impl Bench {
    pub(super) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (mut host, fakes) = fake_parts(dir.path());
        host.context.place = Where::Root;
        host.evidence.salt = Some("salt".to_owned());
        Self { dir, host, fakes }
    }

    /// Replaces a file that may be read-only.
    pub(super) fn put_over(&self, path: &str, content: &str) {
        self.host.root.remove(path).unwrap();
        self.put(path, content);
    }

    pub(super) fn put(&self, path: &str, content: &str) {
        let at = self.dir.path().join(path.trim_start_matches('/'));
        std::fs::create_dir_all(at.parent().unwrap()).unwrap();
        std::fs::write(at, content).unwrap();
    }

    pub(super) fn mode(&self, path: &str, mode: u32) {
        use std::os::unix::fs::PermissionsExt as _;
        let at = self.dir.path().join(path.trim_start_matches('/'));
        std::fs::set_permissions(at, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    pub(super) fn link(&self, target: &str, path: &str) {
        let at = self.dir.path().join(path.trim_start_matches('/'));
        std::fs::create_dir_all(at.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(target, at).unwrap();
    }

    pub(super) fn has(&self, path: &str) -> bool {
        self.dir
            .path()
            .join(path.trim_start_matches('/'))
            .symlink_metadata()
            .is_ok()
    }

    pub(super) fn text(&self, path: &str) -> String {
        self.host.root.read_text(path).unwrap().unwrap()
    }

    pub(super) fn plan(&self, policy: &Policy, place: Place) -> Plan {
        Plan::new(
            policy,
            &observe(&policy.entries, |_| true, &self.host),
            place,
        )
    }

    pub(super) fn generalize(&mut self, policy: &Policy) -> Outcome {
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
    pub(super) fn clean(&mut self, policy: &Policy) {
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

pub(super) fn policy(entries: &[Value]) -> Policy {
    serde_json::from_value(json!({
        "schema": 1, "profile": "test", "description": "d", "proven": true, "variables": {}, "fragments": [],
        "requires": {"family": "debian", "version": "12", "arch": ["x86_64"]}, "entries": entries,
    }))
    .unwrap()
}

pub(super) fn scrub(name: &str, mut fact: Value) -> Value {
    let common = json!({"kind": "scrub", "id": format!("scrub:{name}"), "name": name, "reason": "because",
        "places": ["image"], "origin": "test:1"});
    fact.as_object_mut()
        .unwrap()
        .extend(common.as_object().unwrap().clone());
    fact
}

pub(super) fn identity(what: &str) -> Policy {
    policy(&[
        json!({"kind": "identity", "id": format!("identity:{what}"), "what": what, "reason": "because",
        "places": ["node"], "origin": "test:1"}),
    ])
}

pub(super) fn machine_id() -> Value {
    scrub(
        "machine-id",
        json!({"paths": ["/etc/machine-id"], "action": "write", "content": "", "mode": "0444",
        "create": true, "tombstone": "machine-id"}),
    )
}

pub(super) fn host_keys() -> Value {
    scrub(
        "ssh-host-keys",
        json!({"paths": ["/etc/ssh/ssh_host_*_key*"], "action": "remove", "tombstone": "ssh-host-key"}),
    )
}

pub(super) fn own_state(bench: &Bench) {
    bench.put(
        "/etc/passwd",
        "root:x:0:0::/root:/bin/sh\nu:x:1000:1000::/home/u:/bin/sh\n",
    );
    bench.put("/etc/group", "root:x:0:\n");
}
