//! When this boot reached what, by systemd's own clock: the manager's timestamps and those of single units.
//! It is separate from the unit seam because nothing is changed here, and it may wait for the boot's end.

use std::collections::BTreeMap;
use std::path::Path;
use std::pin::Pin;
use std::time::Duration;

use futures_core::Stream;
use tokio::time::{Instant, timeout, timeout_at};
use zbus::proxy::CacheProperties;
use zbus::{OwnedObjectPath, connection, proxy};

use crate::error::{Context as _, Result};

/// No single call takes longer.
const CALL: Duration = Duration::from_secs(10);
/// Nor all questions together: a few dozen small ones.
const ALL: Duration = Duration::from_secs(60);
/// A signal can be lost when the manager is executed anew, so it is asked again this often.
const AGAIN: Duration = Duration::from_secs(5);

/// What systemd measured of this boot (org.freedesktop.systemd1(5)); microseconds of the monotonic clock, 0: not there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BootTimes {
    /// From the firmware's start to the kernel's; counted backwards from the kernel's start.
    pub firmware: u64,
    /// From the boot loader's start to the kernel's; counted the same way.
    pub loader: u64,
    /// When systemd began in the initrd.
    pub initrd: u64,
    /// When systemd began on the system itself.
    pub userspace: u64,
    /// When no job of the boot was left.
    pub finish: u64,
    /// When the last soft reboot began.
    pub soft_reboot: u64,
    /// Units that were asked for.
    pub units: BTreeMap<String, UnitTimes>,
}

/// What systemd knows of one unit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnitTimes {
    /// There is such a unit.
    pub exists: bool,
    /// `active`, `failed`, `activating`, ….
    pub active: String,
    /// A job waits or runs.
    pub job: bool,
    /// Its conditions were looked at and do not hold.
    pub skipped: bool,
    /// When it last left `inactive`.
    pub began: u64,
    /// When it was last up: for a service that tells it, when it was ready.
    pub up: u64,
}

#[proxy(
    interface = "org.freedesktop.systemd1.Manager",
    default_service = "org.freedesktop.systemd1",
    default_path = "/org/freedesktop/systemd1"
)]
trait Clock {
    fn subscribe(&self) -> zbus::Result<()>;
    fn load_unit(&self, name: &str) -> zbus::Result<OwnedObjectPath>;
    #[zbus(property)]
    fn firmware_timestamp_monotonic(&self) -> zbus::Result<u64>;
    #[zbus(property)]
    fn loader_timestamp_monotonic(&self) -> zbus::Result<u64>;
    #[zbus(property, name = "InitRDTimestampMonotonic")]
    fn initrd_timestamp_monotonic(&self) -> zbus::Result<u64>;
    #[zbus(property)]
    fn userspace_timestamp_monotonic(&self) -> zbus::Result<u64>;
    #[zbus(property)]
    fn finish_timestamp_monotonic(&self) -> zbus::Result<u64>;
    /// Since version 254.
    #[zbus(property)]
    fn soft_reboot_start_timestamp_monotonic(&self) -> zbus::Result<u64>;
    #[zbus(signal)]
    fn startup_finished(
        &self,
        firmware: u64,
        loader: u64,
        kernel: u64,
        initrd: u64,
        userspace: u64,
        total: u64,
    ) -> zbus::Result<()>;
}

#[proxy(
    interface = "org.freedesktop.systemd1.Unit",
    default_service = "org.freedesktop.systemd1",
    assume_defaults = false
)]
trait Timed {
    #[zbus(property)]
    fn load_state(&self) -> zbus::Result<String>;
    #[zbus(property)]
    fn active_state(&self) -> zbus::Result<String>;
    #[zbus(property)]
    fn job(&self) -> zbus::Result<(u32, OwnedObjectPath)>;
    #[zbus(property)]
    fn condition_result(&self) -> zbus::Result<bool>;
    #[zbus(property)]
    fn condition_timestamp_monotonic(&self) -> zbus::Result<u64>;
    #[zbus(property)]
    fn inactive_exit_timestamp_monotonic(&self) -> zbus::Result<u64>;
    #[zbus(property)]
    fn active_enter_timestamp_monotonic(&self) -> zbus::Result<u64>;
}

/// Asks the manager behind a bus socket, after waiting at most `wait` for the boot's end.
pub fn boot_times(bus: &Path, units: &[&str], wait: Duration) -> Result<BootTimes> {
    let doing = || {
        format!(
            "ask systemd when it booted, over D-Bus at {}",
            bus.display()
        )
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context(doing)?;
    let asked = runtime.block_on(async {
        let manager = timeout(CALL, connect(bus)).await.map_err(|_| late(CALL))?;
        let manager = manager?;
        finished(&manager, wait).await?;
        timeout(ALL, read(&manager, units))
            .await
            .map_err(|_| late(ALL))?
    });
    asked.context(doing).map_err(|error| {
        error.hint("see whether dbus and systemd are alive (systemctl status dbus)")
    })
}

fn late(limit: Duration) -> zbus::Error {
    zbus::Error::Failure(format!("no answer within {} s", limit.as_secs()))
}

async fn connect(bus: &Path) -> zbus::Result<ClockProxy<'static>> {
    let address = format!("unix:path={}", bus.display());
    let builder = connection::Builder::address(address.as_str());
    let connection = builder.method_timeout(CALL).build().await?;
    // What is asked changes while the boot goes on.
    let proxy = ClockProxy::builder(&connection).cache_properties(CacheProperties::No);
    proxy.build().await
}

/// Waits until no job of the boot is left, or the time is over: that is an answer too.
async fn finished(manager: &ClockProxy<'static>, wait: Duration) -> zbus::Result<()> {
    let end = Instant::now() + wait;
    // Listening begins before the question: the boot may end in between.
    let mut told = manager.receive_startup_finished().await?;
    super::ask::unless_subscribed(manager.subscribe().await)?;
    while manager.finish_timestamp_monotonic().await? == 0 && Instant::now() < end {
        let next = std::future::poll_fn(|context| Pin::new(&mut told).poll_next(context));
        let until = end.min(Instant::now() + AGAIN);
        if let Ok(None) = timeout_at(until, next).await {
            return Err(zbus::Error::Failure(
                "the connection ended before the boot".to_owned(),
            ));
        }
    }
    Ok(())
}

async fn read(manager: &ClockProxy<'static>, units: &[&str]) -> zbus::Result<BootTimes> {
    let mut times = BootTimes {
        firmware: manager.firmware_timestamp_monotonic().await?,
        loader: manager.loader_timestamp_monotonic().await?,
        initrd: manager.initrd_timestamp_monotonic().await?,
        userspace: manager.userspace_timestamp_monotonic().await?,
        finish: manager.finish_timestamp_monotonic().await?,
        // An older manager has no soft reboots.
        soft_reboot: manager
            .soft_reboot_start_timestamp_monotonic()
            .await
            .unwrap_or(0),
        units: BTreeMap::new(),
    };
    for unit in units {
        times
            .units
            .insert((*unit).to_owned(), of(manager, unit).await?);
    }
    Ok(times)
}

async fn of(manager: &ClockProxy<'static>, unit: &str) -> zbus::Result<UnitTimes> {
    let path = manager.load_unit(unit).await?;
    let unit = TimedProxy::builder(manager.inner().connection())
        .path(path)
        .cache_properties(CacheProperties::No)
        .build()
        .await?;
    let looked = unit.condition_timestamp_monotonic().await? != 0;
    Ok(UnitTimes {
        exists: unit.load_state().await? == "loaded",
        active: unit.active_state().await?,
        job: unit.job().await?.0 != 0,
        skipped: looked && !unit.condition_result().await?,
        began: unit.inactive_exit_timestamp_monotonic().await?,
        up: unit.active_enter_timestamp_monotonic().await?,
    })
}
