//! A store that is open for writing: the containerd that runs on it, or one that is started for it and stopped again.
//! It is separate because commands and policy open stores alike, and a daemon must never be left behind.

use std::path::Path;

use super::look::{directory, socket};
use super::{Choice, Options, Place, Progress, Report, Wanted, fill};
use crate::error::Result;
use crate::host::Host;
use crate::host::containerd::{Client, Containerd as _, Standalone, Start, find};
use crate::host::oci::Source;

/// Where RKE2's runtimes are staged.
const STAGED: &str = "/var/lib/rancher/rke2/data";

/// An open store.
#[derive(Debug)]
pub struct Opened<'h> {
    place: Place,
    client: Client,
    daemon: Option<Standalone<'h>>,
    version: String,
}

impl<'h> Opened<'h> {
    /// Opens.
    pub fn open(host: &'h Host, choice: &Choice, namespace: &str) -> Result<Self> {
        if let Some(socket) = socket(host, choice)? {
            return Self::connect(host, &socket, namespace, None);
        }
        let found = find::find(
            &host.root,
            &find::Wanted {
                given: choice.containerd(),
                staged: STAGED,
                any: true,
            },
        )?;
        tracing::info!("containerd {}: {}", found.program, found.why);
        let start = Start {
            program: &found.program,
            root: directory(choice)?,
        };
        let daemon = Standalone::start(&start, host)?;
        let socket = daemon.socket().to_owned();
        Self::connect(host, &socket, namespace, Some(daemon))
    }

    fn connect(
        host: &'h Host,
        socket: &Path,
        namespace: &str,
        daemon: Option<Standalone<'h>>,
    ) -> Result<Self> {
        let client = Client::connect(socket, namespace)?;
        let facts = client.facts()?;
        Ok(Self {
            place: Place::of(host.root.path(), &facts)?,
            client,
            daemon,
            version: facts.version,
        })
    }

    /// The store's directory.
    pub fn store(&self) -> &str {
        self.place.store()
    }

    /// The containerd's version.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Fills it.
    pub fn fill(
        &mut self,
        source: &dyn Source,
        wanted: &[Wanted],
        options: &Options,
        progress: &dyn Progress,
    ) -> Result<Report> {
        fill(
            &self.place,
            &mut self.client,
            source,
            wanted,
            options,
            progress,
        )
    }

    /// Stops what was started, and leaves everything on the disk.
    pub fn close(self) -> Result<()> {
        let Some(daemon) = self.daemon else {
            return Ok(());
        };
        drop(self.client);
        daemon.stop()?;
        self.place.sync()
    }
}
