//! Questions to systemd that take more than one message.
//! It is separate because each is one asynchronous exchange, which the manager bounds in time as a whole.

use std::pin::Pin;

use futures_core::Stream;
use zbus::OwnedObjectPath;
use zbus::proxy::CacheProperties;

use super::UnitState;
use super::name::{Form, Name};
use super::proxy::{Condition, JobRemovedStream, ManagerProxy, ServiceProxy, UnitProxy};

/// What a unit says of a failed job: that it cannot be loaded, or how its service ended.
pub(super) async fn why_not(manager: &ManagerProxy<'static>, unit: &str) -> zbus::Result<String> {
    let loaded = unit_proxy(manager, unit).await?;
    let (load, active) = (loaded.load_state().await?, loaded.active_state().await?);
    if load != "loaded" {
        return Ok(load);
    }
    // Only services have a result.
    match service_result(manager, unit).await {
        Ok(result) => Ok(format!("{active}, {result}")),
        Err(_) => Ok(active),
    }
}

/// Systemd sends job signals only to whom has asked.
pub(super) async fn subscribe(manager: &ManagerProxy<'static>) -> zbus::Result<()> {
    unless_subscribed(manager.subscribe().await)
}

/// Having asked for signals before is no error.
pub(super) fn unless_subscribed(asked: zbus::Result<()>) -> zbus::Result<()> {
    match asked {
        Err(zbus::Error::MethodError(name, ..))
            if name.as_str().ends_with(".AlreadySubscribed") =>
        {
            Ok(())
        }
        other => other,
    }
}

pub(super) async fn unit_proxy(
    manager: &ManagerProxy<'static>,
    unit: &str,
) -> zbus::Result<UnitProxy<'static>> {
    let path = manager.load_unit(unit).await?;
    UnitProxy::builder(manager.inner().connection())
        .path(path)
        .cache_properties(CacheProperties::No)
        .build()
        .await
}

async fn service_result(manager: &ManagerProxy<'static>, unit: &str) -> zbus::Result<String> {
    let path = manager.load_unit(unit).await?;
    let service = ServiceProxy::builder(manager.inner().connection())
        .path(path)
        .cache_properties(CacheProperties::No)
        .build()
        .await?;
    service.result().await
}

/// Whether systemd says that there is no such unit or unit file.
fn is_missing(error: &zbus::Error) -> bool {
    match error {
        zbus::Error::FDO(error) => matches!(**error, zbus::fdo::Error::FileNotFound(_)),
        zbus::Error::MethodError(name, ..) => {
            name.as_str() == "org.freedesktop.systemd1.NoSuchUnit"
        }
        _ => false,
    }
}

/// No file is a state, not an error.
pub(super) fn or_none<T>(result: zbus::Result<T>) -> zbus::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

pub(super) async fn state_of(
    manager: &ManagerProxy<'static>,
    unit: &str,
) -> zbus::Result<UnitState> {
    let file = or_none(manager.get_unit_file_state(unit).await)?;
    if Name::of(unit).is_some_and(|name| name.form() == Form::Template) {
        // A template is never loaded itself.
        return Ok(UnitState {
            exists: file.is_some(),
            enablement: file.unwrap_or_default(),
            active: Some("inactive".to_owned()),
            need_reload: false,
            unmet: None,
        });
    }
    let loaded = unit_proxy(manager, unit).await?;
    let exists = file.is_some() || loaded.load_state().await? != "not-found";
    let enablement = match file {
        Some(state) => state,
        None => loaded.unit_file_state().await?,
    };
    Ok(UnitState {
        exists,
        enablement,
        active: Some(loaded.active_state().await?),
        need_reload: exists && loaded.need_daemon_reload().await?,
        unmet: unmet(&loaded).await?,
    })
}

/// What kept the unit from starting at its last try, as its file spells it. A reload of the manager forgets which
/// condition that was and keeps that there was one (systemd 252's unit_serialize): then all are named.
async fn unmet(loaded: &UnitProxy<'static>) -> zbus::Result<Option<String>> {
    let conditions = loaded.conditions().await?;
    if let Some(failed) = conditions.iter().find(|(.., state)| *state < 0) {
        return Ok(Some(spelled(failed)));
    }
    let tried = loaded.condition_timestamp_monotonic().await? != 0;
    if conditions.is_empty() || !tried || loaded.condition_result().await? {
        return Ok(None);
    }
    let all: Vec<String> = conditions.iter().map(spelled).collect();
    Ok(Some(all.join(" or ")))
}

fn spelled((kind, _, negated, value, _): &Condition) -> String {
    format!("{kind}={}{value}", if *negated { "!" } else { "" })
}

pub(super) async fn result_of(
    job: &OwnedObjectPath,
    ended: &mut JobRemovedStream,
) -> zbus::Result<String> {
    loop {
        let next = std::future::poll_fn(|context| Pin::new(&mut *ended).poll_next(context));
        let Some(signal) = next.await else {
            return Err(zbus::Error::Failure(
                "the connection ended before the job".to_owned(),
            ));
        };
        let args = signal.args()?;
        if args.job == *job {
            return Ok(args.result.clone());
        }
    }
}
