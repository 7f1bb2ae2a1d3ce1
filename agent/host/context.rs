//! Where we run: a booted machine, a container, a chroot, an appliance, or beside an unbooted root.
//! It is separate because it decides what is applicable at all, and it is printed and recorded.

use std::os::unix::fs::MetadataExt as _;

use serde::Serialize;

/// The place of execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Where {
    /// A booted machine with its own kernel and PID 1.
    Booted,
    /// A booted container: own init, the host's kernel.
    Container,
    /// Inside a chroot without an init of its own.
    Chroot,
    /// virt-customize's appliance: a chroot whose kernel is the appliance's.
    Appliance,
    /// Beside an unbooted tree, by `--root`.
    Root,
}

/// Where we run and what follows from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Context {
    /// The place of execution.
    pub place: Where,
    /// How it was told, for the log.
    pub evidence: String,
}

impl Context {
    /// Why a fact of the running kernel is not ours here; none when it is.
    /// net.* belongs to the network namespace, so a booted container with its own has it (design, ruling 17).
    pub fn kernel_is_foreign(&self, net: bool) -> Option<&'static str> {
        match self.place {
            Where::Booted => None,
            Where::Container if net => None,
            Where::Container => Some("the kernel is shared with the container's host"),
            Where::Chroot => Some("a chroot has no kernel of its own"),
            Where::Appliance => Some("the running kernel is the appliance's"),
            Where::Root => Some("the tree is not booted"),
        }
    }

    /// Whether a systemd manager of this very system runs.
    pub fn has_manager(&self) -> bool {
        matches!(self.place, Where::Booted | Where::Container)
    }
}

/// What is looked at to tell where we run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Signs {
    /// Name of process 1.
    pub init: String,
    /// systemd's mark that it is process 1 of a booted system (sd_booted(3)).
    pub booted: bool,
    /// The container manager, as it or systemd names itself.
    pub container: Option<String>,
    /// Whether process 1 has another root directory; none when that cannot be seen.
    pub other_root: Option<bool>,
    /// libguestfs's daemon runs, or its mark is on the kernel's command line.
    pub appliance: bool,
}

/// Tells where we run; pure.
pub fn decide(signs: &Signs) -> Context {
    let (place, evidence) = match signs {
        Signs {
            appliance: true, ..
        } => (Where::Appliance, "a libguestfs appliance".to_owned()),
        Signs {
            other_root: Some(true),
            ..
        } => (
            Where::Chroot,
            format!("process 1 ({}) has another root directory", signs.init),
        ),
        Signs { booted: false, .. } => {
            let inside = signs
                .container
                .as_ref()
                .map(|name| format!(" in a container ({name})"));
            let inside = inside.unwrap_or_default();
            (
                Where::Chroot,
                format!("process 1 is {}, not systemd{inside}", signs.init),
            )
        }
        Signs {
            container: Some(name),
            ..
        } => (
            Where::Container,
            format!("systemd is process 1 in a container ({name})"),
        ),
        Signs { .. } => (Where::Booted, "systemd is process 1".to_owned()),
    };
    Context { place, evidence }
}

/// Where this process runs.
pub fn detect() -> Context {
    decide(&look())
}

/// Reads the signs; one that cannot be read is one that is not there.
fn look() -> Signs {
    let text = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let init = text("/proc/1/comm").trim().to_owned();
    let booted = init == "systemd"
        && std::fs::symlink_metadata("/run/systemd/system").is_ok_and(|m| m.is_dir());
    Signs {
        booted,
        container: container(),
        other_root: other_root(),
        appliance: text("/proc/cmdline").contains("guestfs_") || runs("guestfsd"),
        init,
    }
}

/// The container manager: systemd's own note, process 1's environment, marks of podman and docker.
fn container() -> Option<String> {
    let noted = std::fs::read_to_string("/run/systemd/container").unwrap_or_default();
    if !noted.trim().is_empty() {
        return Some(noted.trim().to_owned());
    }
    let environment = std::fs::read("/proc/1/environ").unwrap_or_default();
    let variables = environment.split(|byte| *byte == 0);
    let named = variables.filter_map(|line| line.strip_prefix(b"container="));
    if let Some(name) = named
        .map(String::from_utf8_lossy)
        .find(|name| !name.is_empty())
    {
        return Some(name.into_owned());
    }
    [("/run/.containerenv", "podman"), ("/.dockerenv", "docker")]
        .iter()
        .find(|(path, _)| std::fs::symlink_metadata(path).is_ok())
        .map(|(_, name)| (*name).to_owned())
}

fn other_root() -> Option<bool> {
    let own = std::fs::metadata("/").ok()?;
    let first = std::fs::metadata("/proc/1/root/").ok()?;
    Some((own.dev(), own.ino()) != (first.dev(), first.ino()))
}

fn runs(name: &str) -> bool {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return false;
    };
    entries.flatten().any(|entry| {
        std::fs::read_to_string(entry.path().join("comm")).is_ok_and(|comm| comm.trim() == name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signs(init: &str, container: &str, other_root: Option<bool>, appliance: bool) -> Signs {
        Signs {
            init: init.to_owned(),
            booted: init == "systemd",
            container: (!container.is_empty()).then(|| container.to_owned()),
            other_root,
            appliance,
        }
    }

    #[test]
    fn the_place_follows_from_the_signs() {
        let (same, other, unseen) = (Some(false), Some(true), None);
        let table = [
            (signs("systemd", "", same, false), Where::Booted),
            (signs("systemd", "", unseen, false), Where::Booted),
            (signs("systemd", "nspawn", same, false), Where::Container),
            (signs("systemd", "", other, false), Where::Chroot),
            (signs("systemd", "nspawn", other, false), Where::Chroot),
            (signs("sh", "docker", same, false), Where::Chroot),
            (signs("init", "", same, false), Where::Chroot),
            (signs("init", "", other, true), Where::Appliance),
        ];
        for (signs, want) in table {
            let found = decide(&signs);
            assert_eq!(found.place, want, "{signs:?}");
            assert!(!found.evidence.is_empty());
        }
    }
}
