//! The unit seam in memory.
//! It is separate so that a test of units reads one file.

use std::cell::{Ref, RefCell, RefMut};
use std::collections::BTreeMap;
use std::rc::Rc;

use nodeagent::error::{Error, Result};
use nodeagent::host::{Enablement, UnitState, Units};

use super::Calls;

/// Units and their state.
#[derive(Debug, Default)]
pub(crate) struct UnitsState {
    /// Known units.
    pub(crate) units: BTreeMap<String, UnitState>,
    /// Whether there is no running manager.
    pub(crate) no_manager: bool,
}

/// The unit seam.
#[derive(Debug, Clone, Default)]
pub(crate) struct FakeUnits {
    state: Rc<RefCell<UnitsState>>,
    /// Its calls.
    pub(crate) calls: Calls,
}

impl FakeUnits {
    /// To arrange.
    pub(crate) fn edit(&self) -> RefMut<'_, UnitsState> {
        self.state.borrow_mut()
    }

    /// To look.
    pub(crate) fn see(&self) -> Ref<'_, UnitsState> {
        self.state.borrow()
    }

    /// Adds a unit, such as `enabled` and `active`.
    pub(crate) fn add(&self, unit: &str, enablement: &str, active: &str) {
        let state = UnitState {
            exists: true,
            enablement: enablement.to_owned(),
            active: (!self.see().no_manager).then(|| active.to_owned()),
            need_reload: false,
            unmet: None,
        };
        self.edit().units.insert(unit.to_owned(), state);
    }

    fn with(&self, unit: &str, doing: &str, change: impl FnOnce(&mut UnitState)) -> Result<()> {
        self.calls.change(doing, unit)?;
        match self.edit().units.get_mut(unit) {
            Some(state) => {
                change(state);
                Ok(())
            }
            None => Err(Error::host(format!("{doing} {unit}: no such unit"))),
        }
    }
}

impl Units for FakeUnits {
    fn manager(&self) -> bool {
        !self.see().no_manager
    }

    fn state(&self, unit: &str) -> Result<UnitState> {
        self.calls.look("state")?;
        let known = self.see().units.get(unit).cloned();
        Ok(known.unwrap_or_else(|| UnitState {
            exists: false,
            enablement: String::new(),
            active: self.manager().then(|| "inactive".to_owned()),
            need_reload: false,
            unmet: None,
        }))
    }

    fn enabled(&self) -> Result<Vec<String>> {
        self.calls.look("enabled")?;
        let state = self.see();
        let enabled = state
            .units
            .iter()
            .filter(|(_, u)| u.enablement == "enabled");
        Ok(enabled.map(|(name, _)| name.clone()).collect())
    }

    fn set(&self, unit: &str, change: Enablement) -> Result<()> {
        let (doing, word) = match change {
            Enablement::Enable => ("enable", "enabled"),
            Enablement::Disable => ("disable", "disabled"),
            Enablement::Mask => ("mask", "masked"),
            Enablement::Unmask => ("unmask", "disabled"),
        };
        if change == Enablement::Mask && !self.see().units.contains_key(unit) {
            // A unit may be masked before it exists.
            self.add(unit, "", "inactive");
        }
        self.with(unit, doing, |state| word.clone_into(&mut state.enablement))
    }

    fn start(&self, unit: &str) -> Result<()> {
        self.with(unit, "start", |state| {
            state.active = Some("active".to_owned());
        })
    }

    fn stop(&self, unit: &str) -> Result<()> {
        self.with(unit, "stop", |state| {
            state.active = Some("inactive".to_owned());
        })
    }

    fn kill(&self, unit: &str, _signal: i32) -> Result<()> {
        self.with(unit, "kill", |state| {
            state.active = Some("inactive".to_owned());
        })
    }

    fn reload(&self) -> Result<()> {
        self.calls.change("reload", "")?;
        for state in self.edit().units.values_mut() {
            state.need_reload = false;
        }
        Ok(())
    }
}
