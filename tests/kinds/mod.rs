//! Kinds against temporary trees and fakes: what differs, what is done about it, and that it then conforms.
//! It is separate from the unit tables because every case goes through observe, diff and apply as a bake does.

mod absent;
mod artifact;
mod cloud_init;
mod directory;
mod file;
mod file_content;
mod fips;
mod kargs;
mod loaders;
mod module;
mod need;
mod repository;
mod sandbox;
mod swap;
mod sysctl;
mod sysctl_values;
mod trim;
mod trust;
mod upgrade;

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::Path;

use nodeagent::host::Host;
use nodeagent::resource::{Diff, Kind, Place};

use crate::support::fake::{Fakes, fake_parts};

/// A tree, a host that works on it, and its fakes.
struct Bench {
    dir: tempfile::TempDir,
    host: Host,
    fakes: Fakes,
}

impl Bench {
    /// An empty tree with the accounts root, and web (33:34).
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (host, fakes) = fake_parts(dir.path());
        let bench = Self { dir, host, fakes };
        bench.put(
            "/etc/passwd",
            "root:x:0:0::/root:/bin/sh\nweb:x:33:34::/srv:/bin/false\n",
        );
        bench.put("/etc/group", "root:x:0:\nweb:x:34:\n");
        bench
    }

    fn at(&self, path: &str) -> std::path::PathBuf {
        self.dir.path().join(path.trim_start_matches('/'))
    }

    fn put(&self, path: &str, text: &str) {
        std::fs::create_dir_all(self.at(path).parent().unwrap()).unwrap();
        std::fs::write(self.at(path), text).unwrap();
    }

    fn link(&self, path: &str, target: &str) {
        std::fs::create_dir_all(self.at(path).parent().unwrap()).unwrap();
        symlink(target, self.at(path)).unwrap();
    }

    fn text(&self, path: &str) -> String {
        std::fs::read_to_string(self.at(path)).unwrap()
    }

    fn diff<K: Kind>(&self, kind: &K, place: Place) -> Diff<K::Action> {
        kind.diff(&kind.observe(&self.host).unwrap(), place)
    }

    /// Does what diff says; on success the kind conforms, and doing it all once more changes no byte.
    fn settle<K: Kind>(&self, kind: &K, place: Place) -> nodeagent::error::Result<()> {
        let diff = self.diff(kind, place);
        for action in &diff.actions {
            K::apply(&[(kind, action)], &self.host)?;
        }
        let after = self.diff(kind, place);
        assert_eq!(lines(&after), Vec::<String>::new(), "still differs");
        assert!(after.actions.is_empty());
        let tree = snapshot(self.dir.path());
        for action in &diff.actions {
            K::apply(&[(kind, action)], &self.host)?;
        }
        assert_eq!(tree, snapshot(self.dir.path()), "not idempotent");
        Ok(())
    }
}

/// Differences as `what: have -> want`, and what could not be judged as `? what: why`.
fn lines<A>(diff: &Diff<A>) -> Vec<String> {
    let differences = diff
        .differences
        .iter()
        .map(|d| format!("{}: {} -> {}", d.what, d.have, d.want));
    let unknown = diff
        .unknown
        .iter()
        .map(|r| format!("? {}: {}", r.what, r.why));
    differences.chain(unknown).collect()
}

fn steps<A: std::fmt::Display>(diff: &Diff<A>) -> Vec<String> {
    diff.actions.iter().map(ToString::to_string).collect()
}

/// Every path of a tree with type, mode, owner and content.
fn snapshot(root: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut open = vec![root.to_path_buf()];
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            let meta = std::fs::symlink_metadata(&path).unwrap();
            let content = if meta.is_symlink() {
                std::fs::read_link(&path).unwrap().display().to_string()
            } else if meta.is_file() {
                String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned()
            } else {
                String::new()
            };
            let state = format!("{:o} {}:{} {content}", meta.mode(), meta.uid(), meta.gid());
            if meta.is_dir() {
                open.push(path.clone());
            }
            found.insert(path.display().to_string(), state);
        }
    }
    found
}
