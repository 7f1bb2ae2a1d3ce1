//! The control group one machine lives in, and its end.
//! Separate because a machine killed half-way leaves groups behind that only this clears.

use std::{
    fs,
    path::{Path, PathBuf},
    thread::sleep,
    time::Duration,
};

/// Removes the groups of machines whose test program, named in the group's name, was killed.
pub(crate) fn sweep() {
    let names = fs::read_dir(of("")).into_iter().flatten().flatten();
    for path in names.map(|name| name.path()).filter(|path| path.is_dir()) {
        let name = path
            .file_name()
            .map(|n| n.to_string_lossy().into_owned())
            .unwrap_or_default();
        let owner = name
            .rsplit('-')
            .nth(1)
            .and_then(|pid| pid.parse::<u32>().ok());
        if owner.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
            clear(&name);
        }
    }
}

/// Where the host has the unified hierarchy: alone, or beside version 1.
fn unified() -> &'static Path {
    let hybrid = Path::new("/sys/fs/cgroup/unified/cgroup.procs");
    if hybrid.exists() {
        Path::new("/sys/fs/cgroup/unified")
    } else {
        Path::new("/sys/fs/cgroup")
    }
}

/// The group of one machine; all are below one group of the rig's.
pub(crate) fn of(name: &str) -> PathBuf {
    unified().join("nodeagent-rig").join(name)
}

/// Kills every process of a machine's group and removes the group; best effort, for use in `Drop`.
pub(crate) fn clear(name: &str) {
    let group = of(name);
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
