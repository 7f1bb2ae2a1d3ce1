//! What tests of several tiers share: fakes of the host's seams, and real machines.
//! It is separate because no single tier owns it.

pub(crate) mod archives;
pub(crate) mod fake;
pub(crate) mod far;
pub(crate) mod generations;
pub(crate) mod images;
pub(crate) mod lying;
pub(crate) mod machine;
pub(crate) mod namespace;
pub(crate) mod offline;
pub(crate) mod openpgp;
pub(crate) mod packages;
pub(crate) mod proxy;
pub(crate) mod registry;
pub(crate) mod tarball;
pub(crate) mod tree_compare;
pub(crate) mod vm;

/// One ignored test of this very program, to be run as a process of its own that another test ends.
pub(crate) fn own_test(name: &str) -> std::process::Command {
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command.args(["--ignored", "--exact", name]);
    command
}
