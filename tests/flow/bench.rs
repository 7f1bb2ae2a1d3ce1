//! A miniature root with fakes and a policy in memory, and the two things one does with them.
//! It is separate so that the tests beside it show only what they test.

use std::path::Path;
use std::time::Duration;

use nodeagent::apply::{Outcome, Progress, Run};
use nodeagent::error::Error;
use nodeagent::host::Host;
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

/// An entry as policy.json has it, with the common fields filled in.
pub(crate) fn entry(id: &str, mut fact: Value) -> Value {
    let common = json!({"id": id, "reason": "because", "places": ["build", "image", "node"], "origin": "test:1"});
    fact.as_object_mut()
        .unwrap()
        .extend(common.as_object().unwrap().clone());
    fact
}

pub(crate) fn file(path: &str, content: &str) -> Value {
    let own = (
        nix::unistd::getuid().to_string(),
        nix::unistd::getgid().to_string(),
    );
    let digest = nodeagent::host::root::sha256(content.as_bytes());
    entry(
        &format!("file:{path}"),
        json!({"kind": "file", "path": path, "sha256": digest, "content": content, "owner": own.0, "group": own.1}),
    )
}

fn directory(path: &str) -> Value {
    let own = (
        nix::unistd::getuid().to_string(),
        nix::unistd::getgid().to_string(),
    );
    entry(
        &format!("directory:{path}"),
        json!({"kind": "directory", "path": path, "owner": own.0, "group": own.1}),
    )
}

pub(super) fn package(name: &str) -> Value {
    entry(
        &format!("package:{name}"),
        json!({"kind": "package", "name": name}),
    )
}

pub(super) fn unit(name: &str, active: &str) -> Value {
    entry(
        &format!("unit:{name}"),
        json!({"kind": "unit", "name": name, "enabled": "enabled", "active": active}),
    )
}

pub(crate) fn policy(entries: &[Value]) -> Policy {
    serde_json::from_value(json!({
        "schema": 1, "profile": "test", "description": "d", "proven": true, "variables": {}, "fragments": [],
        "requires": {"family": "debian", "version": "12", "arch": ["x86_64"]}, "entries": entries,
    }))
    .unwrap()
}

pub(super) fn demo() -> Policy {
    policy(&[
        package("chrony"),
        package("socat"),
        directory("/a/b"),
        file("/a/b/c", "content\n"),
        file("/a/d", "other\n"),
        unit("chrony.service", "started"),
    ])
}

pub(super) struct Bench {
    pub(super) dir: tempfile::TempDir,
    pub(super) host: Host,
    pub(super) fakes: Fakes,
}

pub(super) fn bench() -> Bench {
    let dir = tempfile::tempdir().unwrap();
    let (host, fakes) = fake_parts(dir.path());
    fakes.units.add("chrony.service", "disabled", "inactive");
    for name in ["chrony", "socat"] {
        fakes.packages.offer(name, "1");
    }
    Bench { dir, host, fakes }
}

pub(super) fn bake(
    bench: &mut Bench,
    policy: &Policy,
    stop: &dyn Fn() -> Option<i32>,
) -> Result<Outcome, Error> {
    run(&mut bench.host, policy, stop)
}

/// Bakes a host.
pub(crate) fn run(
    host: &mut Host,
    policy: &Policy,
    stop: &dyn Fn() -> Option<i32>,
) -> Result<Outcome, Error> {
    let mut journal = Journal::build(&host.root, "salt")?;
    let scope = Scope::default();
    Run {
        policy,
        place: Place::Build,
        scope: &scope,
        progress: &mut Silent,
        stop,
        after_step: &|_| {},
    }
    .go(host, &mut journal)
}

pub(super) fn plan(bench: &Bench, policy: &Policy) -> Plan {
    Plan::new(
        policy,
        &observe(&policy.entries, |_| true, &bench.host),
        Place::Build,
    )
}

/// Every path below the root with its content, but for our own state.
pub(super) fn tree(root: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let mut todo = vec![root.to_path_buf()];
    while let Some(dir) = todo.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.ends_with("var/lib/nodeagent") {
                continue;
            }
            let name = path
                .strip_prefix(root)
                .unwrap()
                .to_string_lossy()
                .into_owned();
            if path.is_dir() {
                todo.push(path);
                found.push((name, Vec::new()));
            } else {
                found.push((name, std::fs::read(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}
