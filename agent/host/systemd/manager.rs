//! Units of a running systemd, over D-Bus; start and stop wait for the job's own result.
//! It is separate because it is asynchronous inside and everything above it is not.

use std::cell::{Cell, RefCell};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use zbus::connection;

use super::ask::{or_none, result_of, state_of, subscribe, unit_proxy, why_not};
use super::proxy::{Change, ManagerProxy};
use super::{Enablement, Transient, UnitState, Units, transient};
use crate::error::{Context as _, Error, Result};

/// Where the system bus listens. The environment is not asked: this is always the system's own.
pub const BUS: &str = "/run/dbus/system_bus_socket";

/// No call takes longer, not even a reload with slow generators.
const CALL: Duration = Duration::from_secs(90);

/// No job takes longer: units have their own, shorter limits.
const JOB: Duration = Duration::from_secs(600);

/// What is to be done with a unit.
enum Job<'a> {
    Start,
    Stop,
    Run(&'a Transient),
}

/// A running systemd.
#[derive(Debug)]
pub struct Manager {
    runtime: tokio::runtime::Runtime,
    bus: PathBuf,
    patience: Duration,
    connected: RefCell<Option<ManagerProxy<'static>>>,
    /// A call was in vain: one for each unit of a policy would add up to half an hour.
    silent: Cell<bool>,
}

impl Manager {
    /// The systemd behind a bus socket; nothing is connected before it is needed.
    pub fn new(bus: &Path) -> Result<Self> {
        Self::patient(bus, CALL)
    }

    /// [`Manager::new`] with another limit for a call; after the first that gets no answer none is made.
    pub fn patient(bus: &Path, patience: Duration) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context(|| "start a runtime for D-Bus")?;
        Ok(Self {
            runtime,
            bus: bus.to_owned(),
            patience,
            connected: RefCell::new(None),
            silent: Cell::new(false),
        })
    }

    fn proxy(&self) -> Result<ManagerProxy<'static>> {
        if let Some(proxy) = &*self.connected.borrow() {
            return Ok(proxy.clone());
        }
        let address = format!("unix:path={}", self.bus.display());
        let connect = async {
            let builder = connection::Builder::address(address.as_str());
            ManagerProxy::new(&builder.method_timeout(self.patience).build().await?).await
        };
        // Whoever accepts a connection and says nothing is met before the first call.
        let limited = async {
            let late = |_| zbus::Error::from(std::io::Error::from(ErrorKind::TimedOut));
            let made = tokio::time::timeout(self.patience, connect).await;
            made.map_err(late)?
        };
        let proxy = self
            .run(limited)
            .context(|| format!("connect to D-Bus at {}", self.bus.display()))
            .map_err(|error| {
                error.hint(
                    "check that dbus runs (systemctl status dbus), or work on a tree with --root",
                )
            })?;
        *self.connected.borrow_mut() = Some(proxy.clone());
        Ok(proxy)
    }

    /// Runs one exchange; a connection that broke is forgotten, so that the next one is new.
    fn run<T>(&self, exchange: impl Future<Output = zbus::Result<T>>) -> Result<T> {
        if self.silent.get() {
            return Err(self.no_answer("it gave no answer before"));
        }
        let limited = async { tokio::time::timeout(JOB, exchange).await };
        let result = self.runtime.block_on(limited);
        let result =
            result.map_err(|_| Error::host(format!("no end within {} s", JOB.as_secs())))?;
        if let Err(zbus::Error::InputOutput(error)) = &result {
            self.connected.borrow_mut().take();
            if error.kind() == ErrorKind::TimedOut {
                self.silent.set(true);
                let seconds = self.patience.as_secs();
                return Err(self.no_answer(&format!("no answer within {seconds} s")));
            }
        }
        result.context(|| "ask systemd over D-Bus")
    }

    fn no_answer(&self, what: &str) -> Error {
        Error::host(format!(
            "ask systemd over D-Bus at {}: {what}",
            self.bus.display()
        ))
        .hint("see whether dbus and systemd are alive (systemctl status dbus), then run this again")
    }

    fn change(&self, unit: &str, change: Enablement) -> Result<Vec<Change>> {
        let manager = self.proxy()?;
        let names = [unit];
        // Persistent, and replacing what is in the way: the policy is the one truth.
        let (runtime, force) = (false, true);
        match change {
            Enablement::Enable => {
                let (installable, changes) =
                    self.run(manager.enable_unit_files(&names, runtime, force))?;
                if installable {
                    return Ok(changes);
                }
                Err(Error::host("its file has no [Install] section").hint(
                    "it is started by other units; take it out of the policy or give it a drop-in",
                ))
            }
            Enablement::Disable => self.run(manager.disable_unit_files(&names, runtime)),
            Enablement::Mask => self.run(manager.mask_unit_files(&names, runtime, force)),
            Enablement::Unmask => self.run(manager.unmask_unit_files(&names, runtime)),
        }
    }

    fn active(&self, unit: &str) -> Result<String> {
        let manager = self.proxy()?;
        self.run(async { unit_proxy(&manager, unit).await?.active_state().await })
    }

    /// Queues a job and waits for its end.
    fn job(&self, unit: &str, job: &Job<'_>) -> Result<()> {
        let manager = self.proxy()?;
        let exchange = async {
            // Listening begins before the job does: a short one may end before the call returns.
            let mut ended = manager.receive_job_removed().await?;
            subscribe(&manager).await?;
            let queued = match job {
                Job::Start => manager.start_unit(unit, "replace").await?,
                Job::Stop => manager.stop_unit(unit, "replace").await?,
                Job::Run(service) => {
                    let properties = transient::properties(service);
                    // Not in place of another one: that would be killed.
                    let made = manager.start_transient_unit(unit, "fail", &properties, &[]);
                    made.await?
                }
            };
            result_of(&queued, &mut ended).await
        };
        let next = format!("see systemctl status {unit} and journalctl -b -u {unit}");
        let result = self.run(exchange).map_err(|error| error.hint(&next))?;
        if result == "done" {
            return Ok(());
        }
        let why = match job {
            // It is forgotten as soon as it has failed.
            Job::Run(service) => format!("its log is {}", service.log),
            _ => self.run(why_not(&manager, unit)).unwrap_or_default(),
        };
        Err(Error::host(format!("its job ended as '{result}' ({why})")).hint(next))
    }
}

impl Units for Manager {
    fn manager(&self) -> bool {
        true
    }

    fn state(&self, unit: &str) -> Result<UnitState> {
        let manager = self.proxy()?;
        self.run(state_of(&manager, unit))
            .context(|| format!("look at unit {unit}"))
    }

    fn enabled(&self) -> Result<Vec<String>> {
        let manager = self.proxy()?;
        let files = self
            .run(manager.list_unit_files())
            .context(|| "list the unit files")?;
        let enabled = files.into_iter().filter(|(_, state)| state == "enabled");
        let mut names: Vec<String> = enabled
            .map(|(path, _)| super::name::base(&path).to_owned())
            .collect();
        names.sort();
        Ok(names)
    }

    fn set(&self, unit: &str, change: Enablement) -> Result<()> {
        let doing = || format!("{} {unit}", change.verb());
        let changes = self.change(unit, change).context(doing)?;
        for (what, path, _) in &changes {
            tracing::debug!("systemd: {what} {path}");
        }
        if changes.is_empty() {
            Ok(())
        } else {
            self.reload()
        }
    }

    fn start(&self, unit: &str) -> Result<()> {
        let doing = || format!("start {unit}");
        match self.active(unit).context(doing)?.as_str() {
            "active" | "reloading" | "refreshing" => Ok(()),
            _ => self.job(unit, &Job::Start).context(doing),
        }
    }

    fn stop(&self, unit: &str) -> Result<()> {
        let doing = || format!("stop {unit}");
        match self.active(unit).context(doing)?.as_str() {
            "inactive" | "failed" => Ok(()),
            _ => self.job(unit, &Job::Stop).context(doing),
        }
    }

    fn run(&self, unit: &str, service: &Transient) -> Result<()> {
        self.job(unit, &Job::Run(service))
            .context(|| format!("start {unit}"))
    }

    fn kill(&self, unit: &str, signal: i32) -> Result<()> {
        let manager = self.proxy()?;
        let kill = async { or_none(manager.kill_unit(unit, "all", signal).await) };
        self.run(kill)
            .map(|_| ())
            .context(|| format!("send signal {signal} to {unit}"))
    }

    fn reload(&self) -> Result<()> {
        let manager = self.proxy()?;
        self.run(manager.reload())
            .context(|| "make systemd read its unit files again")
    }
}
