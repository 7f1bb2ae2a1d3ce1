//! The package seam in memory.
//! It is separate so that a test of packages reads one file.

use std::cell::{Ref, RefCell, RefMut};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::rc::Rc;

use nodeagent::error::{Error, Result};
use nodeagent::host::{Installed, Manager, PackageRequest, Packages};

use super::Calls;

/// A package database and what can be had.
#[derive(Debug, Default)]
pub(crate) struct PackageState {
    /// Installed packages.
    pub(crate) installed: BTreeMap<String, Installed>,
    /// Versions that the repositories offer.
    pub(crate) available: BTreeMap<String, Vec<String>>,
    /// The family; none: apt.
    pub(crate) manager: Option<Manager>,
    /// Digest of the metadata on disk.
    pub(crate) metadata: Option<String>,
    /// Digest that the next refresh fetches.
    pub(crate) published: String,
}

/// The package seam.
#[derive(Debug, Clone, Default)]
pub(crate) struct FakePackages {
    state: Rc<RefCell<PackageState>>,
    /// Its calls.
    pub(crate) calls: Calls,
}

impl FakePackages {
    /// To arrange.
    pub(crate) fn edit(&self) -> RefMut<'_, PackageState> {
        self.state.borrow_mut()
    }

    /// To look.
    pub(crate) fn see(&self) -> Ref<'_, PackageState> {
        self.state.borrow()
    }

    /// Makes a version available.
    pub(crate) fn offer(&self, name: &str, version: &str) {
        let mut state = self.edit();
        let versions = state.available.entry(name.to_owned()).or_default();
        versions.push(version.to_owned());
    }

    fn pick(&self, wanted: &PackageRequest) -> Result<String> {
        let state = self.see();
        let offered = state.available.get(&wanted.name);
        let offered = offered.map(Vec::as_slice).unwrap_or_default();
        let found = match &wanted.version {
            Some(exact) => offered.iter().find(|version| *version == exact),
            None => offered.iter().max_by(|a, b| self.compare(a, b)),
        };
        found.cloned().ok_or_else(|| {
            Error::host(format!(
                "install {}: no such package or version",
                wanted.name
            ))
        })
    }
}

impl Packages for FakePackages {
    fn manager(&self) -> Result<Manager> {
        Ok(self.see().manager.unwrap_or(Manager::Apt))
    }

    fn installed(&self) -> Result<Rc<BTreeMap<String, Installed>>> {
        self.calls.look("installed")?;
        Ok(Rc::new(self.see().installed.clone()))
    }

    fn install(&self, wanted: &[PackageRequest]) -> Result<()> {
        let names: Vec<&str> = wanted.iter().map(|w| w.name.as_str()).collect();
        self.calls.change("install", &names.join(" "))?;
        let picked: Vec<_> = wanted
            .iter()
            .map(|w| Ok((w.name.clone(), self.pick(w)?)))
            .collect::<Result<_>>()?;
        for (name, version) in picked {
            let package = Installed {
                version,
                arch: "amd64".to_owned(),
                held: false,
                complete: true,
            };
            self.edit().installed.insert(name, package);
        }
        Ok(())
    }

    fn set_hold(&self, names: &[String], held: bool) -> Result<()> {
        self.calls
            .change("set_hold", &format!("{} {held}", names.join(" ")))?;
        for name in names {
            match self.edit().installed.get_mut(name) {
                Some(package) => package.held = held,
                None => return Err(Error::host(format!("hold {name}: not installed"))),
            }
        }
        Ok(())
    }

    fn repair(&self) -> Result<()> {
        self.calls.change("repair", "")?;
        for package in self.edit().installed.values_mut() {
            package.complete = true;
        }
        Ok(())
    }

    fn refresh(&self) -> Result<()> {
        self.calls.change("refresh", "")?;
        let mut state = self.edit();
        state.metadata = Some(state.published.clone());
        Ok(())
    }

    fn metadata_digest(&self) -> Result<Option<String>> {
        self.calls.look("metadata_digest")?;
        Ok(self.see().metadata.clone())
    }

    fn upgrade(&self) -> Result<()> {
        self.calls.change("upgrade", "")?;
        for waiting in self.waiting()? {
            if let Some((name, version)) = waiting.split_once(' ')
                && let Some(package) = self.edit().installed.get_mut(name)
            {
                version.clone_into(&mut package.version);
            }
        }
        Ok(())
    }

    fn waiting(&self) -> Result<Vec<String>> {
        let state = self.see();
        let newest = |name: &String| {
            let offered = state.available.get(name)?;
            offered.iter().max_by(|a, b| self.compare(a, b))
        };
        let newer = state.installed.iter().filter(|(_, now)| !now.held);
        Ok(newer
            .filter_map(|(name, now)| Some((name, now, newest(name)?)))
            .filter(|(_, now, newest)| self.compare(newest, &now.version).is_gt())
            .map(|(name, _, newest)| format!("{name} {newest}"))
            .collect())
    }

    /// Runs of digits by their number, all else by bytes: enough for tests, not a family's rule.
    fn compare(&self, a: &str, b: &str) -> Ordering {
        let parts = |text: &str| -> Vec<(u64, String)> {
            text.split(|c: char| !c.is_ascii_alphanumeric())
                .map(|part| (part.parse().unwrap_or(0), part.to_owned()))
                .collect()
        };
        parts(a).cmp(&parts(b))
    }
}
