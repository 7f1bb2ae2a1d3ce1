//! The configuration of a containerd that only keeps a store: no CRI, no tasks, no listeners but its own socket.
//! It is separate because it is the one text that three generations must read alike.
//!
//! It is written in version 2 of the format, which 1.6 and 1.7 have and 2.x translates. Content sharing and the overlayfs
//! snapshotter stay as they are by default, which is how RKE2 runs it; so does the way a store is laid out. Plugins are
//! switched off by the names of all generations: a name that is not known is not looked at.

use crate::error::{Error, Result};

/// What is not needed to keep a store, or would look around the machine, or listen.
const OFF: &[&str] = &[
    // CRI.
    "io.containerd.cri.v1.images",
    "io.containerd.cri.v1.runtime",
    "io.containerd.grpc.v1.cri",
    "io.containerd.podsandbox.controller.v1.podsandbox",
    // Containers that run, and what watches them.
    "io.containerd.grpc.v1.tasks",
    "io.containerd.internal.v1.restart",
    "io.containerd.monitor.container.v1.restart",
    "io.containerd.monitor.task.v1.cgroups",
    "io.containerd.monitor.v1.cgroups",
    "io.containerd.nri.v1.nri",
    "io.containerd.runtime.v1.linux",
    "io.containerd.runtime.v2.shim",
    "io.containerd.runtime.v2.task",
    "io.containerd.service.v1.tasks-service",
    "io.containerd.shim.v1.manager",
    "io.containerd.ttrpc.v1.task",
    // Sandboxes.
    "io.containerd.grpc.v1.sandbox-controllers",
    "io.containerd.grpc.v1.sandboxes",
    "io.containerd.sandbox.controller.v1.local",
    "io.containerd.sandbox.controller.v1.shim",
    "io.containerd.sandbox.store.v1.local",
    // Transfers: nothing comes through the daemon.
    "io.containerd.grpc.v1.streaming",
    "io.containerd.grpc.v1.transfer",
    "io.containerd.image-verifier.v1.bindir",
    "io.containerd.streaming.v1.manager",
    "io.containerd.transfer.v1.local",
    // Directories and reports elsewhere.
    "io.containerd.internal.v1.opt",
    "io.containerd.internal.v1.tracing",
    "io.containerd.tracing.processor.v1.otlp",
    // Snapshotters that a store made by overlayfs has no use for; each would make a directory or run a program.
    "io.containerd.differ.v1.erofs",
    "io.containerd.snapshotter.v1.aufs",
    "io.containerd.snapshotter.v1.blockfile",
    "io.containerd.snapshotter.v1.btrfs",
    "io.containerd.snapshotter.v1.devmapper",
    "io.containerd.snapshotter.v1.erofs",
    "io.containerd.snapshotter.v1.zfs",
];

/// Where the daemon finds and puts things, as it sees them.
pub(super) struct Paths<'a> {
    /// The store.
    pub(super) root: &'a str,
    /// What it needs only while it runs.
    pub(super) state: &'a str,
    /// Its socket.
    pub(super) socket: &'a str,
}

/// The configuration file. Garbage is collected when a call asks for it and never by itself.
pub(super) fn render(paths: &Paths<'_>) -> Result<String> {
    let off: Vec<String> = OFF.iter().map(|name| format!("\"{name}\"")).collect();
    Ok(format!(
        "version = 2\nimports = []\nroot = {}\nstate = {}\ndisabled_plugins = [{}]\n\
         [grpc]\naddress = {}\ntcp_address = \"\"\n[metrics]\naddress = \"\"\n\
         [debug]\naddress = \"\"\nlevel = \"warn\"\n\
         [plugins.\"io.containerd.gc.v1.scheduler\"]\nstartup_delay = \"8760h\"\n\
         mutation_threshold = 0\ndeletion_threshold = 0\n",
        quoted(paths.root)?,
        quoted(paths.state)?,
        off.join(", "),
        quoted(paths.socket)?
    ))
}

/// A path as a TOML string. What JSON escapes TOML reads alike; control characters have no place in a path of ours.
fn quoted(path: &str) -> Result<String> {
    let plain = path
        .split('/')
        .skip(1)
        .all(|part| !matches!(part, "." | ".."));
    if !path.starts_with('/') || !plain || path.chars().any(char::is_control) {
        let doing = format!("use {path:?} as a directory of containerd");
        return Err(Error::usage(doing).because("it is not a plain absolute path"));
    }
    Ok(serde_json::Value::from(path).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use toml::de::DeTable;

    fn paths(root: &str) -> Paths<'_> {
        Paths {
            root,
            state: "/run/state",
            socket: "/run/socket",
        }
    }

    #[test]
    fn paths_are_read_back_as_they_are() {
        for root in ["/var/lib/a", "/with \"quotes\" and \\", "/ünï"] {
            let text = render(&paths(root)).unwrap();
            let table = DeTable::parse(&text).unwrap();
            let table = table.get_ref();
            assert_eq!(table["root"].get_ref().as_str(), Some(root));
            let grpc = table["grpc"].get_ref();
            let address = grpc.get("address").unwrap().get_ref();
            assert_eq!(address.as_str(), Some("/run/socket"));
            let off = table["disabled_plugins"].get_ref().as_array().unwrap();
            assert_eq!(off.len(), OFF.len());
        }
    }

    #[test]
    fn only_a_plain_absolute_path_is_a_root() {
        for root in ["", "relative", "/a/../b", "/a\nroot = \"/\"", "/a/./b"] {
            assert!(render(&paths(root)).is_err(), "{root:?}");
        }
    }
}
