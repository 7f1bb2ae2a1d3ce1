//! The sandbox tier: each seam of the host against the real thing, in namespaces and trees of its own.
//! Separate because it needs root, but no booted machine.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stderr,
    reason = "tests touch their own temporary trees directly"
)]

mod apt;
mod beside;
mod dnf;
mod exec;
mod harden;
mod live;
mod manager;
mod offline;
mod outage;
mod tree;

use nodeagent::host::exec::LiveExec;
use std::path::Path;

use crate::support::machine::{rootfs, tree::Tree};

/// The agent's binary: the tests' own cannot run as its child.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_nodeagent");

/// A writable Debian tree.
pub(crate) fn debian(label: &str) -> Tree {
    Tree::of_stock(&rootfs::stock().unwrap().path, label).unwrap()
}

/// Children of this machine.
pub(crate) fn live() -> LiveExec {
    LiveExec::live(Path::new(PROGRAM))
}

/// Children of a tree.
pub(crate) fn inside(tree: &Path) -> LiveExec {
    LiveExec::in_tree(Path::new(PROGRAM), tree)
}
