//! A system whose package manager is not known: every question about packages is an error that says so.
//! It is separate because all else of a policy can still be looked at there.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::{Installed, Manager, PackageRequest, Packages};
use crate::error::{Error, Result};

/// Packages of a system that os-release does not say enough about.
#[derive(Debug)]
pub struct Unknown {
    /// What os-release says.
    found: String,
}

impl Unknown {
    /// `found` is what os-release says of itself.
    pub fn new(found: impl Into<String>) -> Self {
        Self {
            found: found.into(),
        }
    }

    fn error<T>(&self) -> Result<T> {
        Err(Error::refused(format!(
            "work with packages: no package manager is known for this system ({})",
            self.found
        ))
        .hint("ID or ID_LIKE in /etc/os-release must say debian, ubuntu, rhel or fedora"))
    }
}

impl Packages for Unknown {
    fn manager(&self) -> Result<Manager> {
        self.error()
    }

    fn installed(&self) -> Result<Rc<BTreeMap<String, Installed>>> {
        self.error()
    }

    fn install(&self, _wanted: &[PackageRequest]) -> Result<()> {
        self.error()
    }

    fn set_hold(&self, _names: &[String], _held: bool) -> Result<()> {
        self.error()
    }

    fn repair(&self) -> Result<()> {
        self.error()
    }

    fn refresh(&self) -> Result<()> {
        self.error()
    }

    fn metadata_digest(&self) -> Result<Option<String>> {
        self.error()
    }

    fn upgrade(&self) -> Result<()> {
        self.error()
    }

    fn waiting(&self) -> Result<Vec<String>> {
        self.error()
    }

    fn compare(&self, a: &str, b: &str) -> Ordering {
        a.cmp(b)
    }
}
