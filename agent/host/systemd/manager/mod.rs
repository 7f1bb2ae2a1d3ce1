//! The running manager: units over D-Bus, every start and stop waited for until its job has a result.
//! It is separate from the offline half because a job can fail, hang or vanish, and files cannot.
//! Interface: org.freedesktop.systemd1(5).

mod bus;

use std::time::Duration;

use super::{Enablement, UnitState, Units};
use crate::error::{Error, Result};
use bus::Bus;

/// Longest wait for one job; systemd's own default for a start is 90 s.
const JOB: Duration = Duration::from_secs(300);

/// States in which a unit counts as running.
const UP: &[&str] = &["active", "reloading"];
/// States in which a unit counts as stopped; a failed unit is stopped and keeps its failure.
const DOWN: &[&str] = &["inactive", "failed"];

/// Units of the manager that is PID 1; connects at the first call.
#[derive(Debug, Default)]
pub struct Manager {
    bus: Bus,
}

impl Manager {
    /// A manager that is not connected yet.
    pub fn new() -> Self {
        Self::default()
    }

    fn active(&self, unit: &str) -> Result<String> {
        self.bus.unit(unit)?.text("ActiveState")
    }

    /// Starts or stops a unit and waits for the job's result.
    fn job(&self, method: &str, unit: &str) -> Result<()> {
        if self.bus.unit(unit)?.flag("NeedDaemonReload")? {
            self.reload()?;
        }
        let result = self.bus.job(method, unit, JOB)?;
        if result == "done" {
            return Ok(());
        }
        let state = self.bus.unit(unit)?;
        let why = match state.text("LoadState")?.as_str() {
            "not-found" => "there is no such unit".to_owned(),
            "masked" => "the unit is masked".to_owned(),
            _ => format!(
                "the job ended as '{result}', the unit is {}",
                state.text("ActiveState")?
            ),
        };
        Err(Error::host(format!("{method} {unit}: {why}")).hint(format!(
            "see `systemctl status {unit}` and `journalctl -b -u {unit}`"
        )))
    }
}

impl Units for Manager {
    fn manager(&self) -> bool {
        true
    }

    fn state(&self, unit: &str) -> Result<UnitState> {
        let seen = self.bus.unit(unit)?;
        let load = seen.text("LoadState")?;
        // UnitFileState of a loaded unit may lag behind the files; the manager looks at them when asked.
        let enablement = self.bus.file_state(unit)?;
        let exists = load != "not-found" || enablement.is_some();
        Ok(UnitState {
            exists,
            enablement: enablement
                .unwrap_or_else(|| seen.text("UnitFileState").unwrap_or_default()),
            active: Some(seen.text("ActiveState")?),
            need_reload: seen.flag("NeedDaemonReload")?,
        })
    }

    fn enabled(&self) -> Result<Vec<String>> {
        let mut enabled: Vec<String> = self
            .bus
            .files()?
            .into_iter()
            .filter(|(_, state)| state == "enabled")
            .filter_map(|(path, _)| path.rsplit('/').next().map(str::to_owned))
            .collect();
        enabled.sort();
        enabled.dedup();
        Ok(enabled)
    }

    fn set(&self, unit: &str, change: Enablement) -> Result<()> {
        let files = vec![unit];
        match change {
            Enablement::Enable => self.bus.change("EnableUnitFiles", &(files, false, true))?,
            Enablement::Disable => self.bus.change("DisableUnitFiles", &(files, false))?,
            Enablement::Mask => self.bus.change("MaskUnitFiles", &(files, false, true))?,
            Enablement::Unmask => self.bus.change("UnmaskUnitFiles", &(files, false))?,
        }
        self.reload()
    }

    fn start(&self, unit: &str) -> Result<()> {
        if UP.contains(&self.active(unit)?.as_str()) {
            return Ok(());
        }
        self.job("StartUnit", unit)
    }

    fn stop(&self, unit: &str) -> Result<()> {
        if DOWN.contains(&self.active(unit)?.as_str()) {
            return Ok(());
        }
        self.job("StopUnit", unit)
    }

    fn kill(&self, unit: &str, signal: i32) -> Result<()> {
        self.bus.change("KillUnit", &(unit, "all", signal))
    }

    fn reload(&self) -> Result<()> {
        self.bus.change("Reload", &())
    }
}
