//! The DHCP options that NetworkManager shows over D-Bus.
//! It is separate because it is the only manager that must be asked; its lease files are private.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use zbus::proxy::CacheProperties;
use zbus::{Connection, OwnedObjectPath, OwnedVariant, connection, fdo, proxy};

use crate::error::{Context as _, Error, Result};

/// The whole exchange: the table waits for it.
const PATIENCE: Duration = Duration::from_secs(1);

/// The path that stands for no object.
const NONE: &str = "/";

/// The manager.
#[proxy(
    interface = "org.freedesktop.NetworkManager",
    default_service = "org.freedesktop.NetworkManager",
    default_path = "/org/freedesktop/NetworkManager"
)]
trait Manager {
    /// The device with this interface name.
    fn get_device_by_ip_iface(&self, name: &str) -> zbus::Result<OwnedObjectPath>;
}

/// A device.
#[proxy(
    interface = "org.freedesktop.NetworkManager.Device",
    default_service = "org.freedesktop.NetworkManager",
    assume_defaults = false
)]
trait Device {
    /// Its lease.
    #[zbus(property)]
    fn dhcp4_config(&self) -> zbus::Result<OwnedObjectPath>;
}

/// A lease.
#[proxy(
    interface = "org.freedesktop.NetworkManager.DHCP4Config",
    default_service = "org.freedesktop.NetworkManager",
    assume_defaults = false
)]
trait Lease {
    /// What the server said, by the names of dhclient.
    #[zbus(property)]
    fn options(&self) -> zbus::Result<BTreeMap<String, OwnedVariant>>;
}

/// Routers of an interface's IPv4 lease; IPv6 has none in leases.
pub(super) fn routers(bus: &Path, interface: &str) -> Result<Vec<IpAddr>> {
    let doing = || format!("ask NetworkManager for the lease of {interface}");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context(doing)?;
    let limited = async { tokio::time::timeout(PATIENCE, ask(bus, interface)).await };
    let late = |_| {
        let seconds = PATIENCE.as_secs();
        Error::host(format!("{}: no answer within {seconds} s", doing()))
    };
    runtime.block_on(limited).map_err(late)?.context(doing)
}

async fn ask(bus: &Path, interface: &str) -> zbus::Result<Vec<IpAddr>> {
    let address = format!("unix:path={}", bus.display());
    let builder = connection::Builder::address(address.as_str());
    let bus = builder.method_timeout(PATIENCE).build().await?;
    let manager = ManagerProxy::new(&bus).await?;
    // To call a service that does not run would start it.
    let name = manager.inner().destination().to_owned();
    if !fdo::DBusProxy::new(&bus)
        .await?
        .name_has_owner(name)
        .await?
    {
        return Ok(Vec::new());
    }
    match manager.get_device_by_ip_iface(interface).await {
        Ok(device) => lease(&bus, device).await,
        // It manages no such interface.
        Err(zbus::Error::MethodError(..)) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

async fn lease(bus: &Connection, device: OwnedObjectPath) -> zbus::Result<Vec<IpAddr>> {
    let device = DeviceProxy::builder(bus)
        .path(device)
        .cache_properties(CacheProperties::No)
        .build()
        .await?;
    let config = device.dhcp4_config().await?;
    if config.as_str() == NONE {
        return Ok(Vec::new());
    }
    let lease = LeaseProxy::builder(bus)
        .path(config)
        .cache_properties(CacheProperties::No)
        .build()
        .await?;
    let options = lease.options().await?;
    let routers = options
        .get("routers")
        .and_then(|value| <&str>::try_from(value).ok());
    let words = routers.unwrap_or_default().split_whitespace();
    Ok(words.filter_map(|word| word.parse().ok()).collect())
}
