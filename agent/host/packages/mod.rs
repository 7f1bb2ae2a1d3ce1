//! Packages: what the database says is installed, and asking the package manager for more.
//! It is separate so that one seam serves apt, dnf and the fakes.

mod apt;
mod dnf;
mod status;
mod unknown;
mod version;
mod wait;

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::error::Result;
use crate::host::root::sha256;

pub use apt::Apt;
pub use dnf::Dnf;
pub use unknown::Unknown;

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
    /// Directory of package files of the family, installed from when the network fails for good.
    pub offline: Option<String>,
}

/// Whose rules and files the packages of a system follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Manager {
    /// apt and dpkg.
    Apt,
    /// dnf and rpm.
    Dnf,
}

impl Manager {
    /// The word used in output.
    pub fn word(self) -> &'static str {
        match self {
            Manager::Apt => "apt",
            Manager::Dnf => "dnf",
        }
    }
}

/// The package seam.
pub trait Packages {
    /// Which family's files it works with.
    fn manager(&self) -> Result<Manager>;
    /// Installed packages by name (`name:arch` for a second architecture); cached until changed, at the cost of no process per package.
    fn installed(&self) -> Result<Rc<BTreeMap<String, Installed>>>;
    /// Whether a transaction was interrupted and what is left of it; none when all is configured.
    fn interrupted(&self) -> Result<Option<String>> {
        let all = self.installed()?;
        let open = all.iter().filter(|(_, package)| !package.complete);
        let names: Vec<&str> = open.map(|(name, _)| name.as_str()).take(4).collect();
        Ok((!names.is_empty()).then(|| format!("not configured: {}", names.join(", "))))
    }
    /// Installs all in one transaction, waiting for locks and retrying network faults. Already there: no change.
    fn install(&self, wanted: &[PackageRequest]) -> Result<()>;
    /// Holds or releases packages. Already so: no change.
    fn set_hold(&self, names: &[String], held: bool) -> Result<()>;
    /// Finishes what an interrupted transaction left half configured; nothing to do: no change.
    fn repair(&self) -> Result<()>;
    /// Fetches the metadata of every configured repository anew; one that cannot be had is an error.
    fn refresh(&self) -> Result<()>;
    /// Digest of the repository metadata on disk; none when there is none. It must be cheap: every bake asks.
    fn metadata_digest(&self) -> Result<Option<String>>;
    /// Digest of the package set: names, versions, architectures.
    fn set_digest(&self) -> Result<String> {
        Ok(set_digest(&*self.installed()?))
    }
    /// Digest of package set and repository metadata; none without metadata, because then nothing is known to be newest.
    fn state_digest(&self) -> Result<Option<String>> {
        let set = self.set_digest()?;
        let both = |metadata| sha256(format!("{set}\n{metadata}\n").as_bytes());
        Ok(self.metadata_digest()?.map(both))
    }
    /// Upgrades every package that is not held, by the metadata on disk. Nothing to do: no change.
    fn upgrade(&self) -> Result<()>;
    /// What an upgrade by the metadata on disk would change, as `name version`; empty when nothing waits.
    fn waiting(&self) -> Result<Vec<String>>;
    /// Compares two versions by the family's own rules.
    fn compare(&self, a: &str, b: &str) -> std::cmp::Ordering;
}

/// Digest of names, versions and architectures; what is held or half configured is judged elsewhere.
fn set_digest(all: &BTreeMap<String, Installed>) -> String {
    let lines = all
        .iter()
        .map(|(name, package)| format!("{name} {} {}\n", package.version, package.arch));
    sha256(lines.collect::<String>().as_bytes())
}
