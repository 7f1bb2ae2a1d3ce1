//! systemd units: over D-Bus where a manager runs, by symlinks where none does.
//! It is separate so that one seam serves the booted machine, the unbooted tree and the fakes.

mod ask;
pub mod boot;
mod manager;
mod name;
mod offline;
mod proxy;
mod transient;

use std::time::Duration;

use crate::error::{Error, Result};

pub use manager::{BUS, Manager};
pub use offline::Offline;

/// What systemd says of a unit.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct UnitState {
    /// A unit file (or a generated unit) exists.
    pub exists: bool,
    /// As `systemctl is-enabled` says: enabled, disabled, static, masked, indirect, alias, generated, ….
    pub enablement: String,
    /// As `systemctl is-active` says; none without a running manager.
    pub active: Option<String>,
    /// The manager has not read the file's newest version.
    pub need_reload: bool,
    /// The condition that kept the unit from starting when it was last tried, as `ConditionX=value`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unmet: Option<String>,
}

/// A change of what is started at boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Enablement {
    /// As `systemctl enable`.
    Enable,
    /// As `systemctl disable`.
    Disable,
    /// As `systemctl mask`.
    Mask,
    /// As `systemctl unmask`.
    Unmask,
}

impl Enablement {
    /// The word for it, as systemctl has it.
    pub fn verb(self) -> &'static str {
        match self {
            Enablement::Enable => "enable",
            Enablement::Disable => "disable",
            Enablement::Mask => "mask",
            Enablement::Unmask => "unmask",
        }
    }
}

/// A service without a file: it lives until it is stopped, and is forgotten then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transient {
    /// What it is, for people.
    pub description: String,
    /// Program, by its absolute path, and arguments. Never holds a secret.
    pub argv: Vec<String>,
    /// What it reads from standard input.
    pub stdin: Vec<u8>,
    /// The file, an absolute path, to which both its outputs are appended.
    pub log: String,
    /// It says itself when it is ready (sd_notify(3)), and must do so within this.
    pub ready: Duration,
    /// It is killed only when it has not ended this long after it was asked to.
    pub end: Duration,
}

/// The unit seam.
pub trait Units {
    /// Whether a manager runs that can start and stop units.
    fn manager(&self) -> bool;
    /// State of one unit; a unit that does not exist is a state, not an error.
    fn state(&self, unit: &str) -> Result<UnitState>;
    /// Names of all enabled unit files.
    fn enabled(&self) -> Result<Vec<String>>;
    /// Changes what is started at boot. Already so: no change.
    fn set(&self, unit: &str, change: Enablement) -> Result<()>;
    /// Starts a unit and waits for the job's result. Already active: no change.
    fn start(&self, unit: &str) -> Result<()>;
    /// Stops a unit and waits for the job's result. Already inactive: no change.
    fn stop(&self, unit: &str) -> Result<()>;
    /// Starts a service without a file and waits until it says that it is ready.
    fn run(&self, unit: &str, _service: &Transient) -> Result<()> {
        Err(Error::host(format!("start {unit}")).because("no manager runs here"))
    }
    /// Sends a signal to a unit's processes, for those that refuse a stop job (auditd).
    fn kill(&self, unit: &str, signal: i32) -> Result<()>;
    /// Makes the manager read unit files again.
    fn reload(&self) -> Result<()>;
}
