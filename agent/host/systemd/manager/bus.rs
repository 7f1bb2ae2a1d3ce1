//! Calls to systemd over the system bus, as plain blocking functions with a limit on each.
//! It is separate so that the runtime and the message types are known in this one file.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use zbus::connection::Builder;
use zbus::export::ordered_stream::OrderedStreamExt as _;
use zbus::{Connection, Message, MessageStream, OwnedObjectPath, OwnedVariant, Type};

use crate::error::{Context as _, Error, Result};

const SERVICE: &str = "org.freedesktop.systemd1";
const OBJECT: &str = "/org/freedesktop/systemd1";
const MANAGER: &str = "org.freedesktop.systemd1.Manager";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
const UNIT: &str = "org.freedesktop.systemd1.Unit";
/// Longest wait for one answer; a daemon-reload of a large machine takes some seconds.
const ANSWER: Duration = Duration::from_secs(90);

/// A connection that is made at the first call and kept.
#[derive(Debug, Default)]
pub(super) struct Bus {
    open: OnceCell<Open>,
}

#[derive(Debug)]
struct Open {
    runtime: tokio::runtime::Runtime,
    connection: Connection,
}

/// Properties of one unit.
#[derive(Debug)]
pub(super) struct UnitProperties {
    unit: String,
    values: BTreeMap<String, OwnedVariant>,
}

impl UnitProperties {
    /// A text property.
    pub(super) fn text(&self, name: &str) -> Result<String> {
        let value = self.value(name)?;
        <&str>::try_from(value)
            .map(str::to_owned)
            .context(|| format!("read {name} of {}", self.unit))
    }

    /// A true-or-false property.
    pub(super) fn flag(&self, name: &str) -> Result<bool> {
        bool::try_from(self.value(name)?).context(|| format!("read {name} of {}", self.unit))
    }

    fn value(&self, name: &str) -> Result<&OwnedVariant> {
        self.values.get(name).ok_or_else(|| {
            Error::host(format!(
                "read {name} of {}: systemd has no such property",
                self.unit
            ))
        })
    }
}

impl Bus {
    fn open(&self) -> Result<&Open> {
        if self.open.get().is_none() {
            let made = connect()?;
            // Nobody else can have set it: the cell is not shared between threads.
            return Ok(self.open.get_or_init(|| made));
        }
        self.open
            .get()
            .ok_or_else(|| Error::host("connect to systemd"))
    }

    fn call<B: Serialize + Type>(
        &self,
        path: &str,
        interface: &str,
        method: &str,
        body: &B,
    ) -> Result<Message> {
        let open = self.open()?;
        let call = open
            .connection
            .call_method(Some(SERVICE), path, Some(interface), method, body);
        open.runtime
            .block_on(call)
            .context(|| format!("ask systemd over D-Bus: {method}"))
    }

    /// A call that changes something and whose answer is not needed.
    pub(super) fn change<B: Serialize + Type>(&self, method: &str, body: &B) -> Result<()> {
        self.call(OBJECT, MANAGER, method, body).map(|_| ())
    }

    /// All properties of a unit; systemd loads it when it is not loaded.
    pub(super) fn unit(&self, unit: &str) -> Result<UnitProperties> {
        let doing = || format!("look at {unit}");
        let answer = self
            .call(OBJECT, MANAGER, "LoadUnit", &unit)
            .context(doing)?;
        let path: OwnedObjectPath = answer.body().deserialize().context(doing)?;
        let answer = self
            .call(path.as_str(), PROPERTIES, "GetAll", &UNIT)
            .context(doing)?;
        let values = answer.body().deserialize().context(doing)?;
        Ok(UnitProperties {
            unit: unit.to_owned(),
            values,
        })
    }

    /// What the unit's file says of the next boot; none when there is no file.
    pub(super) fn file_state(&self, unit: &str) -> Result<Option<String>> {
        let open = self.open()?;
        let call = open.connection.call_method(
            Some(SERVICE),
            OBJECT,
            Some(MANAGER),
            "GetUnitFileState",
            &unit,
        );
        match open.runtime.block_on(call) {
            Ok(answer) => answer
                .body()
                .deserialize()
                .map(Some)
                .context(|| format!("read the file state of {unit}")),
            Err(zbus::Error::MethodError(name, _, _)) if is_missing(name.as_str()) => Ok(None),
            Err(error) => {
                Err(error).context(|| format!("ask systemd for the file state of {unit}"))
            }
        }
    }

    /// Paths and states of all unit files.
    pub(super) fn files(&self) -> Result<Vec<(String, String)>> {
        let answer = self.call(OBJECT, MANAGER, "ListUnitFiles", &())?;
        answer
            .body()
            .deserialize()
            .context(|| "read the list of unit files")
    }

    /// Queues a job and waits for its result: done, failed, timeout, dependency, canceled, skipped, ….
    pub(super) fn job(&self, method: &str, unit: &str, limit: Duration) -> Result<String> {
        let open = self.open()?;
        let work = async {
            // Subscribed before the call, so that a job that ends at once is not missed.
            let mut ended = removed_jobs(&open.connection).await?;
            let connection = &open.connection;
            let body = (unit, "replace");
            let call = connection.call_method(Some(SERVICE), OBJECT, Some(MANAGER), method, &body);
            let job: OwnedObjectPath = call.await?.body().deserialize()?;
            wait(&mut ended, &job).await
        };
        let limited = async { tokio::time::timeout(limit, work).await };
        match open.runtime.block_on(limited) {
            Ok(result) => result.context(|| format!("{method} {unit}")),
            Err(_) => Err(Error::host(format!(
                "{method} {unit}: no result after {} s",
                limit.as_secs()
            ))
            .hint("see `systemctl list-jobs`: something holds the job")),
        }
    }
}

async fn removed_jobs(connection: &Connection) -> zbus::Result<MessageStream> {
    let rule = zbus::MatchRule::builder()
        .msg_type(zbus::message::Type::Signal)
        .sender(SERVICE)
        .interface(MANAGER)
        .member("JobRemoved")
        .build()?;
    let stream = MessageStream::for_match_rule(rule, connection, None).await?;
    // systemd sends job signals only to whom has subscribed.
    match connection
        .call_method(Some(SERVICE), OBJECT, Some(MANAGER), "Subscribe", &())
        .await
    {
        Err(zbus::Error::MethodError(name, _, _))
            if name.as_str().ends_with(".AlreadySubscribed") => {}
        other => {
            other?;
        }
    }
    Ok(stream)
}

async fn wait(ended: &mut MessageStream, job: &OwnedObjectPath) -> zbus::Result<String> {
    while let Some(message) = ended.next().await {
        let message = message?;
        let body = message.body();
        let (_, path, _, result): (u32, OwnedObjectPath, String, String) = body.deserialize()?;
        if path == *job {
            return Ok(result);
        }
    }
    Err(zbus::Error::Failure(
        "the connection to D-Bus ended".to_owned(),
    ))
}

fn is_missing(error: &str) -> bool {
    error.ends_with(".FileNotFound") || error.ends_with(".NoSuchUnit")
}

fn connect() -> Result<Open> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context(|| "start the D-Bus runtime")?;
    let connecting = async { Builder::system().method_timeout(ANSWER).build().await };
    let connection = runtime.block_on(connecting).map_err(|error| {
        Error::host("connect to systemd over the system bus")
            .because(error)
            .hint("is dbus running? `systemctl status dbus.socket`; on an unbooted tree give --root DIR")
    })?;
    Ok(Open {
        runtime,
        connection,
    })
}
