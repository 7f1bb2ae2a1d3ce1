//! The inventory: what no entry names, taken as sets at the seal: packages, setuid files, accounts, enabled units, listeners.
//! It is separate because these are not wanted facts but facts that must not change unnoticed.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::host::root::FileKind;
use crate::host::{Host, Meta, Root, accounts};

/// Trees whose content is the container store's or the kernel's; all else is walked, most of all what anybody may write to.
const NOT_WALKED: &[&str] = &[
    "/proc",
    "/sys",
    "/dev",
    "/run",
    "/var/lib/containerd",
    "/var/lib/kubelet",
    "/var/lib/rancher",
    "/var/lib/docker",
];

/// What a tree holds beside the entries.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Inventory {
    /// Installed packages and their versions.
    pub packages: BTreeMap<String, String>,
    /// Files with setuid or setgid, as `MODE UID:GID PATH`.
    pub setuid: BTreeSet<String>,
    /// Accounts, as `NAME:UID:GID:HOME:SHELL`.
    pub accounts: BTreeSet<String>,
    /// Units that are enabled.
    pub enabled_units: BTreeSet<String>,
}

/// Takes the inventory of a tree.
pub fn take(host: &Host) -> Result<Inventory> {
    let installed = host.packages.installed()?;
    let packages = installed
        .iter()
        .map(|(name, p)| (name.clone(), p.version.clone()))
        .collect();
    let accounts = accounts::accounts(&host.root)?
        .into_iter()
        .map(|a| format!("{}:{}:{}:{}:{}", a.name, a.uid, a.gid, a.home, a.shell))
        .collect();
    let enabled_units = host.units.enabled()?.into_iter().collect();
    Ok(Inventory {
        packages,
        setuid: setuid(&host.root)?,
        accounts,
        enabled_units,
    })
}

fn setuid(root: &Root) -> Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    root.walk(&mut |path: &str, meta: &Meta| {
        if meta.kind == FileKind::File && meta.mode & 0o6000 != 0 {
            found.insert(format!(
                "{} {}:{} {path}",
                meta.mode_text(),
                meta.uid,
                meta.gid
            ));
        }
        !NOT_WALKED.contains(&path)
    })?;
    Ok(found)
}

/// Sockets that wait for connections, as `PROTO ADDRESS:PORT` in the kernel's own hexadecimal, from /proc/net.
/// They are kept in the record, not compared: an unbooted tree has none.
pub fn listeners(root: &Root) -> Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    for (file, state) in [("tcp", "0A"), ("tcp6", "0A"), ("udp", "07"), ("udp6", "07")] {
        let text = root
            .read_text(&format!("/proc/net/{file}"))?
            .unwrap_or_default();
        for line in text.lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            if let (Some(local), Some(now)) = (fields.get(1), fields.get(3))
                && *now == state
            {
                found.insert(format!("{file} {local}"));
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn setuid_files_are_found_and_data_trees_are_not_entered() {
        let dir = tempfile::tempdir().unwrap();
        for path in ["usr/bin", "var/tmp", "var/lib/containerd/snap"] {
            std::fs::create_dir_all(dir.path().join(path)).unwrap();
        }
        for (path, mode) in [
            ("usr/bin/su", 0o4755),
            ("usr/bin/ls", 0o755),
            ("var/tmp/x", 0o4755),
            ("var/lib/containerd/snap/su", 0o4755),
        ] {
            std::fs::write(dir.path().join(path), "").unwrap();
            std::fs::set_permissions(dir.path().join(path), std::fs::Permissions::from_mode(mode))
                .unwrap();
        }
        std::os::unix::fs::symlink("/usr", dir.path().join("loop")).unwrap();
        let found = setuid(&Root::open(dir.path()).unwrap()).unwrap();
        assert_eq!(found.len(), 2, "{found:?}");
        for path in ["/usr/bin/su", "/var/tmp/x"] {
            let has = |line: &String| line.starts_with("4755 ") && line.ends_with(path);
            assert!(found.iter().any(has), "{path}: {found:?}");
        }
    }
}
