//! The running kernel: sysctl values, modules, swap, release, boot identifiers.
//! It is separate because /proc/sys and modules cannot be re-rooted: in a tree or container they are not ours.

mod live;
mod sysctl;

pub use live::LiveKernel;
pub use sysctl::path as sysctl_path;

use crate::error::Result;
use crate::host::Runtime;

/// Whether a module's code is in the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ModuleState {
    /// Loaded.
    Loaded,
    /// Built into the kernel.
    Builtin,
    /// Neither.
    Absent,
}

/// The kernel seam.
pub trait Kernel {
    /// Release of the running kernel (`uname -r`).
    fn release(&self) -> Result<String>;
    /// The machine's architecture as `uname -m` says it.
    fn machine(&self) -> Result<String>;
    /// The value of a sysctl (dots or slashes), trimmed, blanks as one space; `Seen(None)` when the kernel has no such key.
    fn sysctl(&self, key: &str) -> Result<Runtime<Option<String>>>;
    /// Sets a sysctl. Idempotent.
    fn set_sysctl(&self, key: &str, value: &str) -> Result<()>;
    /// Whether a module is in the kernel.
    fn module(&self, name: &str) -> Result<Runtime<ModuleState>>;
    /// Loads a module. Already loaded: no change.
    fn load_module(&self, name: &str) -> Result<()>;
    /// Active swap devices and files (first column of /proc/swaps).
    fn swaps(&self) -> Result<Runtime<Vec<String>>>;
    /// Stops swapping to one device or file.
    fn swap_off(&self, device: &str) -> Result<()>;
    /// SMBIOS product UUID, lower case with dashes, where the machine has one.
    fn product_uuid(&self) -> Result<Option<String>>;
    /// The kernel command line.
    fn command_line(&self) -> Result<String>;
    /// The random identifier of this boot.
    fn boot_id(&self) -> Result<String>;
}
