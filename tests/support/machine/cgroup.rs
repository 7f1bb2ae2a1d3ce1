//! The control group one machine lives in, and its end.
//! Separate because a machine killed half-way leaves groups behind that only this clears.

use std::{
    fs,
    path::{Path, PathBuf},
    thread::sleep,
    time::Duration,
};

/// Where the host has the unified hierarchy: alone, or beside version 1.
pub(crate) fn unified() -> &'static Path {
    let hybrid = Path::new("/sys/fs/cgroup/unified/cgroup.procs");
    if hybrid.exists() {
        Path::new("/sys/fs/cgroup/unified")
    } else {
        Path::new("/sys/fs/cgroup")
    }
}

/// Kills every process of a machine's group and removes the group; best effort, for use in `Drop`.
pub(crate) fn clear(name: &str) {
    let group = unified().join(name);
    if !group.exists() {
        return;
    }
    fs::write(group.join("cgroup.kill"), "1").unwrap_or_default();
    for _ in 0..100 {
        remove(&group);
        if !group.exists() {
            return;
        }
        sleep(Duration::from_millis(20));
    }
}

/// Removes a group after its children; a group with a process left stays for the next round.
fn remove(group: &Path) {
    let children: Vec<PathBuf> = fs::read_dir(group)
        .map(|names| {
            names
                .flatten()
                .map(|n| n.path())
                .filter(|p| p.is_dir())
                .collect()
        })
        .unwrap_or_default();
    for child in children {
        remove(&child);
    }
    fs::remove_dir(group).unwrap_or_default();
}
