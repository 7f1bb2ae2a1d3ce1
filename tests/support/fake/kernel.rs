//! The kernel seam in memory.
//! It is separate so that a test of kernels reads one file.

use std::cell::{Ref, RefCell, RefMut};
use std::collections::BTreeMap;
use std::rc::Rc;

use nodeagent::error::{Error, Result};
use nodeagent::host::{Kernel, ModuleState, Runtime};

use super::Calls;

/// A kernel's state.
#[derive(Debug, Default)]
pub(crate) struct KernelState {
    /// Values by key with dots.
    pub(crate) sysctls: BTreeMap<String, String>,
    /// Keys that are not ours, with the reason.
    pub(crate) foreign_keys: BTreeMap<String, String>,
    /// Modules that are loaded or built in.
    pub(crate) modules: BTreeMap<String, ModuleState>,
    /// Modules that can be loaded, and the sysctls that come with each.
    pub(crate) loadable: BTreeMap<String, Vec<(String, String)>>,
    /// Active swap devices.
    pub(crate) swaps: Vec<String>,
    /// Why nothing of this kernel is ours; none: all of it is.
    pub(crate) foreign: Option<String>,
    /// SMBIOS UUID.
    pub(crate) product_uuid: Option<String>,
    /// Identifier of the boot.
    pub(crate) boot_id: String,
    /// More words of the command line.
    pub(crate) words: String,
}

/// The kernel seam.
#[derive(Debug, Clone, Default)]
pub(crate) struct FakeKernel {
    state: Rc<RefCell<KernelState>>,
    /// Its calls.
    pub(crate) calls: Calls,
}

impl FakeKernel {
    /// To arrange.
    pub(crate) fn edit(&self) -> RefMut<'_, KernelState> {
        self.state.borrow_mut()
    }

    /// To look.
    pub(crate) fn see(&self) -> Ref<'_, KernelState> {
        self.state.borrow()
    }

    fn runtime<T>(&self, seen: impl FnOnce(&KernelState) -> T) -> Runtime<T> {
        let state = self.state.borrow();
        match &state.foreign {
            Some(why) => Runtime::NotApplicable(why.clone()),
            None => Runtime::Seen(seen(&state)),
        }
    }
}

impl Kernel for FakeKernel {
    fn release(&self) -> Result<String> {
        self.calls.look("release")?;
        Ok("6.1.0-fake".to_owned())
    }

    fn machine(&self) -> Result<String> {
        self.calls.look("machine")?;
        Ok("x86_64".to_owned())
    }

    fn sysctl(&self, key: &str) -> Result<Runtime<Option<String>>> {
        self.calls.look("sysctl")?;
        if let Some(why) = self.see().foreign_keys.get(key) {
            return Ok(Runtime::NotApplicable(why.clone()));
        }
        Ok(self.runtime(|state| state.sysctls.get(key).cloned()))
    }

    fn set_sysctl(&self, key: &str, value: &str) -> Result<()> {
        self.calls.change("set_sysctl", &format!("{key}={value}"))?;
        match self.edit().sysctls.get_mut(key) {
            Some(slot) => {
                value.clone_into(slot);
                Ok(())
            }
            None => Err(Error::host(format!("set {key}: no such key"))),
        }
    }

    fn module(&self, name: &str) -> Result<Runtime<ModuleState>> {
        self.calls.look("module")?;
        Ok(self.runtime(|state| {
            let found = state.modules.get(name).copied();
            found.unwrap_or(ModuleState::Absent)
        }))
    }

    fn load_module(&self, name: &str) -> Result<()> {
        self.calls.change("load_module", name)?;
        let mut state = self.edit();
        let Some(keys) = state.loadable.get(name).cloned() else {
            return Err(Error::host(format!("load {name}: no such module")));
        };
        state.sysctls.extend(keys);
        state.modules.insert(name.to_owned(), ModuleState::Loaded);
        Ok(())
    }

    fn swaps(&self) -> Result<Runtime<Vec<String>>> {
        self.calls.look("swaps")?;
        Ok(self.runtime(|state| state.swaps.clone()))
    }

    fn swap_off(&self, device: &str) -> Result<()> {
        self.calls.change("swap_off", device)?;
        self.edit().swaps.retain(|active| active != device);
        Ok(())
    }

    fn product_uuid(&self) -> Result<Option<String>> {
        self.calls.look("product_uuid")?;
        Ok(self.see().product_uuid.clone())
    }

    fn command_line(&self) -> Result<String> {
        self.calls.look("command_line")?;
        let line = format!("root=/dev/vda1 ro {}", self.see().words);
        Ok(line.trim_end().to_owned())
    }

    fn boot_id(&self) -> Result<String> {
        self.calls.look("boot_id")?;
        Ok(self.see().boot_id.clone())
    }
}
