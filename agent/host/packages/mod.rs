//! Packages: what the database says is installed, and asking the package manager for more.
//! It is separate so that one seam serves apt, dnf and the fakes.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::error::Result;

/// One installed package.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Installed {
    /// Full version, with epoch and revision as the family writes it.
    pub version: String,
    /// Architecture.
    pub arch: String,
    /// Held back from upgrades.
    pub held: bool,
    /// Unpacked and configured; false for a half-installed or unconfigured package.
    pub complete: bool,
}

/// A package to be installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageRequest {
    /// Name.
    pub name: String,
    /// Exact version, when one is wanted.
    pub version: Option<String>,
}

/// The package seam.
pub trait Packages {
    /// Installed packages by name (`name:arch` for a second architecture); read without a process, cached until changed.
    fn installed(&self) -> Result<Rc<BTreeMap<String, Installed>>>;
    /// Installs all in one transaction, waiting for locks and retrying network faults. Already there: no change.
    fn install(&self, wanted: &[PackageRequest]) -> Result<()>;
    /// Holds or releases packages. Already so: no change.
    fn set_hold(&self, names: &[String], held: bool) -> Result<()>;
    /// Finishes what an interrupted transaction left half configured; nothing to do: no change.
    fn repair(&self) -> Result<()>;
    /// Compares two versions by the family's own rules.
    fn compare(&self, a: &str, b: &str) -> std::cmp::Ordering;
}
