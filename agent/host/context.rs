//! Where we run: a booted machine, a container, a chroot, an appliance, or beside an unbooted root.
//! It is separate because it decides what is applicable at all, and it is printed and recorded.

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
