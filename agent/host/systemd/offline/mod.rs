//! Units of a tree without a running manager: unit files are searched and symlinks made as systemctl does.
//! It is separate from the manager because nothing here talks to systemd; it works on any tree, from any system.

mod change;
mod find;
mod install;
mod links;
mod state;

use std::rc::Rc;

use links::Links;

use super::{Enablement, UnitState, Units, name};
use crate::error::{Error, Result};
use crate::host::Root;

/// Units of one tree.
#[derive(Debug)]
pub struct Offline {
    root: Root,
    search: Vec<String>,
    /// The symlinks as they were, where nothing changes meanwhile.
    still: Option<Rc<Links>>,
}

impl Offline {
    /// Units of the tree at `root`.
    pub fn new(root: Root) -> Result<Self> {
        let mut offline = Self {
            root,
            search: Vec::new(),
            still: None,
        };
        offline.search = offline.search_path()?;
        Ok(offline)
    }

    /// Units of a tree in which nothing changes as long as this is asked: its symlinks are read once, not for every unit.
    pub fn still(root: Root) -> Result<Self> {
        let mut offline = Self::new(root)?;
        offline.still = Some(Rc::new(offline.read_links()?));
        Ok(offline)
    }

    fn links(&self) -> Result<Rc<Links>> {
        match &self.still {
            Some(links) => Ok(Rc::clone(links)),
            None => self.read_links().map(Rc::new),
        }
    }

    fn no_manager<T>(doing: &str, unit: &str) -> Result<T> {
        Err(Error::host(format!(
            "{doing} {unit}: no systemd manager runs for this tree"
        )))
    }
}

impl Units for Offline {
    fn manager(&self) -> bool {
        false
    }

    fn state(&self, unit: &str) -> Result<UnitState> {
        let found = self.find(unit)?;
        let enablement = match &found {
            Some(found) => Self::enablement(unit, found, &*self.links()?).to_owned(),
            None => String::new(),
        };
        Ok(UnitState {
            exists: found.is_some(),
            enablement,
            active: None,
            need_reload: false,
            unmet: None,
        })
    }

    fn enabled(&self) -> Result<Vec<String>> {
        self.enabled_names()
    }

    fn set(&self, unit: &str, change: Enablement) -> Result<()> {
        if !name::valid(unit) {
            return Err(Error::host(format!(
                "change unit {unit}: it is not a valid unit name"
            )));
        }
        match change {
            Enablement::Enable => self.enable(unit),
            Enablement::Disable => self.disable(unit),
            Enablement::Mask => self.mask(unit),
            Enablement::Unmask => self.unmask(unit),
        }
    }

    fn start(&self, unit: &str) -> Result<()> {
        Self::no_manager("start", unit)
    }

    fn stop(&self, unit: &str) -> Result<()> {
        Self::no_manager("stop", unit)
    }

    fn kill(&self, unit: &str, _signal: i32) -> Result<()> {
        Self::no_manager("send a signal to", unit)
    }

    fn reload(&self) -> Result<()> {
        Ok(())
    }
}
