//! Tells the service manager how a service stands: one datagram, no library.
//! It is separate because only a service has somebody to tell; anywhere else it says nothing.

use std::io::ErrorKind;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;
use std::time::Duration;

use crate::error::{Context as _, Result};

/// The manager's socket (sd_notify(3)).
#[derive(Debug)]
pub struct Notify {
    to: Option<(UnixDatagram, SocketAddr)>,
    watchdog: Option<Duration>,
}

impl Notify {
    /// Whoever started this process asked to be told, or nobody did.
    pub fn of_environment() -> Result<Self> {
        let socket = super::environment::notify_socket();
        let to = socket.map(|name| open(&name)).transpose()?;
        Ok(Self {
            to,
            watchdog: super::environment::watchdog(),
        })
    }

    /// How often the manager wants a sign of life; twice as often is safe.
    pub fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    /// The service does what it is there for, and this is how it stands. False: the manager has no room for the
    /// message now, and is to be told again.
    pub fn ready(&self, status: &str) -> Result<bool> {
        self.send(&format!(
            "READY=1\nSTATUS={}\nWATCHDOG=1\n",
            one_line(status)
        ))
    }

    /// How it stands now; a sign of life too.
    pub fn status(&self, status: &str) -> Result<bool> {
        self.send(&format!("STATUS={}\nWATCHDOG=1\n", one_line(status)))
    }

    /// A sign of life, where the manager wants any.
    pub fn alive(&self) -> Result<bool> {
        match self.watchdog {
            Some(_) => self.send("WATCHDOG=1\n"),
            None => Ok(true),
        }
    }

    /// A manager that does not listen must not stop whoever tells it: a full queue is no error.
    fn send(&self, text: &str) -> Result<bool> {
        let Some((socket, address)) = &self.to else {
            return Ok(true);
        };
        match socket.send_to_addr(text.as_bytes(), address) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
            sent => sent.map(|_| true).context(|| "tell the service manager"),
        }
    }
}

/// A socket that never waits, and where the manager listens: a file, or with `@` a name without one.
fn open(name: &Path) -> Result<(UnixDatagram, SocketAddr)> {
    let doing = || format!("find the socket of the service manager, {}", name.display());
    let address = match name.as_os_str().as_bytes().strip_prefix(b"@") {
        Some(abstract_name) => SocketAddr::from_abstract_name(abstract_name),
        None => SocketAddr::from_pathname(name),
    };
    let socket = UnixDatagram::unbound().context(doing)?;
    socket.set_nonblocking(true).context(doing)?;
    Ok((socket, address.context(doing)?))
}

/// A line break would begin another field.
fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}
