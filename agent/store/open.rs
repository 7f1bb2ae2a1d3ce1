//! A store that is open for writing: the containerd that runs on it, or one that is started for it and stopped again.
//! It is separate because commands and policy open stores alike, and a daemon must never be left behind.

use std::path::Path;

use super::look::{directory, socket};
use super::{Choice, Filler, Options, Place, Progress, Report, Wanted, fill};
use crate::error::{Error, Result};
use crate::host::Host;
use crate::host::containerd::{
    Client, Containerd as _, Facts, Standalone, Start, carries_snapshots, find,
};
use crate::host::oci::Source;

/// Where RKE2's runtimes are staged.
const STAGED: &str = "/var/lib/rancher/rke2/data";

/// An open store.
#[derive(Debug)]
pub struct Opened<'h> {
    host: &'h Host,
    place: Place,
    client: Client,
    daemon: Option<Standalone<'h>>,
    filler: Filler,
}

impl<'h> Opened<'h> {
    /// Opens.
    pub fn open(host: &'h Host, choice: &Choice, namespace: &str) -> Result<Self> {
        if let Some(socket) = socket(host, choice)? {
            return Self::running(host, choice, &socket, namespace);
        }
        let wanted = find::Wanted {
            given: choice.containerd(),
            staged: STAGED,
            any: true,
        };
        let found = find::find(&host.root, &wanted)?;
        tracing::info!("containerd {}: {}", found.program, found.why);
        let start = Start {
            program: &found.program,
            root: directory(choice)?,
        };
        let daemon = Standalone::start(&start, host)?;
        let client = Client::connect(daemon.socket(), namespace)?;
        let facts = client.facts()?;
        Ok(Self {
            host,
            place: Place::of(host.root.path(), &facts)?,
            client,
            daemon: Some(daemon),
            filler: Filler {
                program: Some(found.program),
                version: facts.version,
                rke2: found.rke2,
                why: found.why,
            },
        })
    }

    /// The store of a containerd that runs.
    fn running(host: &'h Host, choice: &Choice, socket: &Path, namespace: &str) -> Result<Self> {
        let client = choice.client(socket, namespace)?;
        let facts = client.facts()?;
        usable(host, &client, &facts)?;
        Ok(Self {
            host,
            place: Place::of(host.root.path(), &facts)?,
            client,
            daemon: None,
            filler: Filler {
                program: None,
                version: facts.version,
                rke2: matches!(choice, Choice::Rke2 { .. }),
                why: format!("it answers at {}", socket.display()),
            },
        })
    }

    /// The store's directory.
    pub fn store(&self) -> &str {
        self.place.store()
    }

    /// The containerd.
    pub fn filler(&self) -> &Filler {
        &self.filler
    }

    /// Notes in the tree and in the record which containerd fills the store.
    pub fn note(&self) -> Result<()> {
        self.host.notes.add(self.filler.to_string());
        self.filler.note(&self.host.root, self.store())
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

/// Refuses a running containerd whose snapshots no container could use.
fn usable(host: &Host, client: &Client, facts: &Facts) -> Result<()> {
    if !facts.snapshots {
        let doing = format!("use the running containerd {}", facts.version);
        let why = format!("its snapshotter {} is not usable", client.snapshotter());
        let hint =
            "its log says why; --snapshotter names another one, if that is what its node uses";
        return Err(Error::refused(doing).because(why).hint(hint));
    }
    match facts.overlayfs.as_deref().and_then(Path::to_str) {
        Some(path) => carries_snapshots(&host.root, path),
        None => Ok(()),
    }
}
