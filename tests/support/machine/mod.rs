//! The machine rig: a Debian 12 root, a local package pool and booted systemd-nspawn machines.
//! Separate because the machine tests and the driver of `make demo` both stand on it.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the rig drives real files and processes of the test host; the bans protect the agent"
)]
#![allow(
    dead_code,
    reason = "compiled into two programs, the tests and the demo, and each uses its own part"
)]

pub(crate) mod cache;
pub(crate) mod cgroup;
pub(crate) mod el9;
pub(crate) mod nspawn;
pub(crate) mod pool;
pub(crate) mod rootfs;
pub(crate) mod rpms;
pub(crate) mod run;
pub(crate) mod seed;
pub(crate) mod sources;
pub(crate) mod tree;

/// A failure of the rig, told as one readable text: what was being done, to what, and what it said.
pub(crate) type Result<T> = std::result::Result<T, String>;

/// Fails with what is missing when the caller is not root, which everything here needs.
pub(crate) fn need_root() -> Result<()> {
    if nix::unistd::geteuid().is_root() {
        return Ok(());
    }
    Err(
        "the machine rig needs root: it makes device nodes, mounts and namespaces; \
         run it with sudo or in a privileged container"
            .to_owned(),
    )
}

/// Puts what was being done in front of an error of the standard library.
pub(crate) fn doing<E: std::fmt::Display>(what: &str, path: &std::path::Path, error: &E) -> String {
    format!("{what} {}: {error}", path.display())
}
