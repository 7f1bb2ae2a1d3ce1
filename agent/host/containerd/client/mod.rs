//! The real containerd: its own gRPC over its socket, one call after the other.
//! It is separate because it is asynchronous inside and everything above it is not.

mod call;
mod content;
mod facts;
mod images;
mod leases;
mod snapshots;
mod write;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use containerd_client::tonic::metadata::AsciiMetadataValue;
use containerd_client::tonic::transport::Channel;

use super::{Containerd, Content, Facts, Image, Labels, Mount, Prepared, Snapshot, Snapshotter};
use crate::error::{Context as _, Error, Result};
use crate::host::oci::{Descriptor, Digest};

/// How long the daemon may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(10);

/// A connection to one daemon, for one of its namespaces.
#[derive(Debug)]
pub struct Client {
    runtime: tokio::runtime::Runtime,
    channel: Channel,
    socket: PathBuf,
    namespace: AsciiMetadataValue,
    snapshotter: Snapshotter,
    /// No call takes longer.
    patience: Duration,
    /// What is written is kept by this lease.
    lease: Option<AsciiMetadataValue>,
}

impl Client {
    /// Connects to the daemon at a socket. Nothing is asked of it yet.
    pub fn connect(socket: &Path, namespace: &str) -> Result<Self> {
        Self::patient(socket, namespace, Duration::MAX)
    }

    /// [`Client::connect`] with another limit for calls; each has one of its own too.
    pub fn patient(socket: &Path, namespace: &str, patience: Duration) -> Result<Self> {
        let doing = || format!("connect to containerd at {}", socket.display());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context(|| "start a runtime for containerd")?;
        let namespace = AsciiMetadataValue::try_from(namespace)
            .context(|| format!("use the containerd namespace {namespace:?}"))?;
        let connect =
            async { tokio::time::timeout(CONNECT, containerd_client::connect(socket)).await };
        let hint = "see whether it runs and whether the socket is its own";
        let Ok(made) = runtime.block_on(connect) else {
            let waited = format!("no answer within {} s", CONNECT.as_secs());
            return Err(Error::host(doing()).because(waited).hint(hint));
        };
        let channel = made.context(doing).map_err(|error| error.hint(hint))?;
        Ok(Self {
            runtime,
            channel,
            socket: socket.to_owned(),
            namespace,
            snapshotter: Snapshotter::default(),
            patience,
            lease: None,
        })
    }

    /// Asks another snapshotter than overlayfs.
    #[must_use]
    pub fn on(mut self, snapshotter: Snapshotter) -> Self {
        self.snapshotter = snapshotter;
        self
    }
}

impl Containerd for Client {
    fn facts(&self) -> Result<Facts> {
        facts::facts(self)
    }

    fn snapshotter(&self) -> &Snapshotter {
        &self.snapshotter
    }

    fn make_namespace(&self) -> Result<()> {
        leases::make_namespace(self)
    }

    fn lease(&mut self, id: &str, hours: u64) -> Result<()> {
        let value = AsciiMetadataValue::try_from(id).context(|| format!("use the lease {id:?}"))?;
        leases::take(self, id, hours)?;
        self.lease = Some(value);
        Ok(())
    }

    fn end_lease(&mut self, id: &str) -> Result<()> {
        if self.lease.as_ref().is_some_and(|held| held == id) {
            self.lease = None;
        }
        leases::end(self, id)
    }

    fn leases(&self) -> Result<Vec<String>> {
        let all = leases::all(self)?;
        Ok(all.into_iter().map(|lease| lease.id).collect())
    }

    fn adopt(&self, blob: &Descriptor, labels: &Labels) -> Result<()> {
        write::adopt(self, blob, labels)
    }

    fn send(&self, blob: &Descriptor, labels: &Labels, from: &mut dyn Read) -> Result<()> {
        write::send(self, blob, labels, from)
    }

    fn content(&self) -> Result<Vec<Content>> {
        content::all(self)
    }

    fn label_content(&self, digest: &Digest, labels: &Labels) -> Result<()> {
        content::label(self, digest, labels)
    }

    fn forget_content(&self, digest: &Digest) -> Result<()> {
        content::forget(self, digest)
    }

    fn read(&self, digest: &Digest, limit: u64) -> Result<Vec<u8>> {
        content::read(self, digest, limit)
    }

    fn ingests(&self) -> Result<Vec<String>> {
        content::ingests(self)
    }

    fn abort(&self, ingest: &str) -> Result<()> {
        content::abort(self, ingest)
    }

    fn prepare(&self, key: &str, parent: Option<&str>, labels: &Labels) -> Result<Prepared> {
        snapshots::prepare(self, key, parent, labels)
    }

    fn commit(&self, name: &str, key: &str, labels: &Labels) -> Result<()> {
        snapshots::commit(self, name, key, labels)
    }

    fn remove_snapshot(&self, name: &str) -> Result<()> {
        snapshots::remove(self, name)
    }

    fn snapshots(&self) -> Result<Vec<Snapshot>> {
        snapshots::all(self)
    }

    fn unpack(&self, layer: &Descriptor, mounts: &[Mount]) -> Result<Digest> {
        snapshots::unpack(self, layer, mounts)
    }

    fn images(&self) -> Result<Vec<Image>> {
        images::all(self)
    }

    fn put_image(&self, image: &Image) -> Result<()> {
        images::put(self, image)
    }

    fn remove_image(&self, name: &str) -> Result<()> {
        images::remove(self, name)
    }
}
