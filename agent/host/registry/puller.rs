//! Registries as a source of images: sessions, each with a runtime and connections of its own.
//! It is separate because it joins the parts: what is asked, how it is tried, and how it is read.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use tokio::runtime::{Builder, Runtime};

use super::Access;
use super::auth::Logins;
use super::body::{Body, Whole};
use super::document::document;
use super::link::{Link, Shared};
use super::rke2::Registries;
use super::route::Routes;
use super::tls::Trust;
use crate::error::{Context as _, Error, Result};
use crate::host::failure::{Class, Failure};
use crate::host::oci::{Descriptor, Fetched, Name, Session, Source};

/// Registries, mirrors and logins, as a source of images. What one session learns, tokens and TLS tickets, helps all.
#[derive(Debug)]
pub struct Puller {
    shared: Arc<Shared>,
}

impl Puller {
    /// A source with this access. Files are read, nothing is connected. Errors are usage errors about the files.
    pub fn new(access: &Access) -> Result<Self> {
        let logins = match &access.auth_file {
            Some(path) => Logins::parse(&super::file(path)?)
                .context(|| format!("use {} as a docker config file", path.display()))?,
            None => Logins::default(),
        };
        let registries = match &access.registries {
            Some(path) => rke2(path)?,
            None => Registries::default(),
        };
        let routes = Routes {
            plain_http: access.plain_http.iter().cloned().collect(),
            insecure_tls: access.insecure_tls.iter().cloned().collect(),
            logins,
            registries,
            mirrors_only: access.mirrors_only,
        };
        let trust = Trust::new(&access.ca)?;
        let shared = Shared::new(routes, trust, access)?;
        Ok(Self {
            shared: Arc::new(shared),
        })
    }
}

fn rke2(path: &Path) -> Result<Registries> {
    Registries::parse(&super::file(path)?)
        .context(|| format!("use {} as RKE2's registries.yaml", path.display()))
}

impl Source for Puller {
    fn session(&self) -> Result<Box<dyn Session + '_>, Failure> {
        let begun = begin(&self.shared);
        let session = begun.map_err(|error| Failure::new(Class::Registry, error))?;
        Ok(Box::new(session))
    }
}

fn begin(shared: &Arc<Shared>) -> Result<PullSession> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .context(|| "start a runtime for registries")?;
    Ok(PullSession {
        link: Link::new(Arc::clone(shared))?,
        runtime,
    })
}

/// One thread's connections. Its calls block, so it must not be used from within asynchronous code.
struct PullSession {
    link: Link,
    runtime: Runtime,
}

impl Session for PullSession {
    fn document(&mut self, name: &Name, version: &str) -> Result<Fetched, Failure> {
        self.runtime.block_on(document(&self.link, name, version))
    }

    fn blob(&mut self, name: &Name, blob: &Descriptor) -> Result<Box<dyn Read + '_>, Failure> {
        let doing = format!("fetch the blob {} of {name}", blob.digest.short());
        let whole = Whole {
            endpoints: super::endpoints(&self.link, name, &doing)?,
            doing,
            blob: blob.clone(),
        };
        Ok(Box::new(Body::new(&self.link, &self.runtime, whole)))
    }
}

/// The error of a file of configuration that names no usable endpoint.
pub(super) fn no_endpoint(error: Error, doing: &str) -> Failure {
    let hint = "correct registries.yaml";
    Failure::new(
        Class::Registry,
        Error::host(doing).because(error).hint(hint),
    )
}
