//! Every side effect, behind narrow seams: files under a root, children, packages, kernel, units, clock.
//! It is separate so that decisions elsewhere stay pure and tests can put a fake in place of any one seam.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this is the one layer that may touch the host"
)]

pub mod accounts;
pub mod archive;
pub mod binary;
pub mod clock;
pub mod containerd;
pub mod context;
pub mod date;
pub mod environment;
pub mod evidence;
pub mod exec;
pub mod failure;
pub mod family;
pub mod glob;
pub mod kernel;
pub mod lease;
pub mod live;
pub mod meter;
pub mod netlink;
pub mod notes;
pub mod notify;
pub mod oci;
pub mod outlet;
pub mod packages;
pub mod registry;
pub mod root;
pub mod signals;
pub mod systemd;

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

pub use clock::Clock;
pub use context::{Context, Where};
pub use evidence::{Evidence, Tombstone};
pub use exec::{Cmd, Exec, Output};
pub use family::Family;
pub use kernel::{Kernel, LiveKernel, ModuleState};
pub use notes::Notes;
pub use packages::{Installed, Manager, PackageRequest, Packages};
pub use root::{FileKind, Meta, Root};
pub use systemd::{Enablement, UnitState, Units};

/// A fact that only a running system of one's own has: seen, or not applicable here and why.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Runtime<T> {
    /// The fact as it is.
    Seen(T),
    /// There is no such fact here (an unbooted tree, a shared kernel), with the reason.
    NotApplicable(String),
}

/// The machine or tree that is worked on: one value per seam.
pub struct Host {
    /// Files, all resolved below the root's descriptor.
    pub root: Root,
    /// Children.
    pub exec: Rc<dyn Exec>,
    /// The package manager and its database.
    pub packages: Box<dyn Packages>,
    /// Running kernel: sysctls, modules, swap.
    pub kernel: Box<dyn Kernel>,
    /// systemd units, with or without a running manager.
    pub units: Box<dyn Units>,
    /// Time.
    pub clock: Box<dyn Clock>,
    /// Where we are: booted machine, container, chroot, unbooted root.
    pub context: Context,
    /// This is the closing run at shutdown: what a running machine leaves to it is done now.
    pub closing: bool,
    /// This very machine was stamped by a first boot: what it joined since is its own.
    pub stamped: bool,
    /// Repositories are to be asked anew for upgrades; the upgrade that did so ends it.
    pub refresh: Cell<bool>,
    /// This run has tried to pull images: what failed is judged by its record now.
    pub tried_images: Cell<bool>,
    /// Told how far work is that takes minutes.
    pub meter: Arc<dyn meter::Meter>,
    /// Contents are read again instead of trusting sizes and times of change: at the seal, and where it is asked for.
    pub deep: bool,
    /// Salt and tombstones of the bake, read from the record before observing.
    pub evidence: Evidence,
    /// Retries and fallbacks that effects report, drained into the journal after each step.
    pub notes: Notes,
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host")
            .field("root", &self.root)
            .field("context", &self.context)
            .finish_non_exhaustive()
    }
}
