//! Kinds of the hardening fragments against the programs that they rely on, in a real Debian tree.
//! Separate because the judge of each is the program that reads the files in the end, not our own parser.

mod account;
mod cis;
mod managers;
mod selinux;
mod sshd;
mod validate;
mod whole;

use std::path::{Path, PathBuf};
use std::process::Command;

use nodeagent::error::Result;
use nodeagent::host::{Context, Host, Where};
use nodeagent::resource::{Diff, Kind, Place};

use super::{PROGRAM, debian};
use crate::support::machine::tree::Tree;

/// A Debian tree and the host that works on it.
struct Bed {
    tree: Tree,
    host: Host,
}

impl Bed {
    fn new(label: &str) -> Self {
        let tree = debian(label);
        let context = Context {
            place: Where::Root,
            evidence: "a test".to_owned(),
        };
        let host = Host::open(&tree.path(), context, Path::new(PROGRAM)).unwrap();
        Self { tree, host }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.tree.path().join(path.trim_start_matches('/'))
    }

    fn put(&self, path: &str, text: &str) {
        std::fs::create_dir_all(self.at(path).parent().unwrap()).unwrap();
        std::fs::write(self.at(path), text).unwrap();
    }

    fn text(&self, path: &str) -> String {
        std::fs::read_to_string(self.at(path)).unwrap()
    }

    fn diff<K: Kind>(&self, kind: &K) -> Diff<K::Action> {
        kind.diff(&kind.observe(&self.host).unwrap(), Place::Build)
    }

    /// Does the steps, twice as a killed run and its successor would, and shows what is still different.
    fn settle<K: Kind>(&self, kind: &K) -> Result<Vec<String>> {
        let diff = self.diff(kind);
        for action in &diff.actions {
            K::apply(&[(kind, action)], &self.host)?;
            K::apply(&[(kind, action)], &self.host)?;
        }
        Ok(lines(&self.diff(kind)))
    }

    /// Runs a program in the tree: exit code, standard output and error.
    fn run(&self, argv: &[&str]) -> (i32, String) {
        let mut chroot = Command::new("chroot");
        let output = chroot.arg(self.tree.path()).args(argv).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (
            output.status.code().unwrap_or(-1),
            String::from_utf8_lossy(&text).into_owned(),
        )
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
