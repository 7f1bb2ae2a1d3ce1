//! The ways to the registry: plain on loopback, with TLS of a private CA, and over a slow wire.
//! It is separate because every client is told of them in words of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::set::Set;
use super::wire::{self, Wire};
use crate::registry::{Registry, Storage};
use crate::rig::{Result, doing};

/// A way to the registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// HTTP on loopback.
    Plain,
    /// HTTPS on loopback.
    Tls,
    /// HTTP over a slow wire.
    Slow,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Plain, Self::Tls, Self::Slow];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Tls => "tls",
            Self::Slow => "slow",
        }
    }

    /// What stands above its table.
    pub(crate) fn told(self) -> &'static str {
        match self {
            Self::Plain => "HTTP on loopback",
            Self::Tls => "HTTPS on loopback",
            Self::Slow => "HTTP over 1 Gbit/s with 20 ms a round trip",
        }
    }
}

/// A registry that serves the set, and what clients need to reach it.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) kind: Kind,
    pub(crate) registry: Registry,
    /// References pinned by digest, one a line.
    pub(crate) list: PathBuf,
    /// `host/repository:tag` of every image.
    pub(crate) references: Vec<String>,
    /// The CA's certificate, and directories as containerd and skopeo want it.
    ca: PathBuf,
    hosts: PathBuf,
    certificates: PathBuf,
    /// What the registry is reached by, where that is no loopback.
    _wire: Option<Wire>,
}

impl Link {
    /// Starts a registry; everything that it needs beside the set lies in `dir`. The calling thread may have changed its
    /// network for good.
    pub(crate) fn open(kind: Kind, set: &Set, dir: &Path) -> Result<Self> {
        fs::create_dir_all(dir).map_err(|e| doing("creating", dir, &e))?;
        let storage = Storage::of(&set.images, dir);
        let (registry, wire) = match kind {
            Kind::Plain => (Registry::plain(&storage), None),
            Kind::Tls => (Registry::tls(&storage), None),
            Kind::Slow => {
                let (registry, wire) = wire::registry(&storage, dir)?;
                (registry, Some(wire))
            }
        };
        let host = registry.host().to_owned();
        let pinned: Vec<String> = set
            .facts
            .images
            .iter()
            .map(|name| format!("{host}/{name}"))
            .collect();
        let tagged = |name: &String| name.split('@').next().unwrap_or_default().to_owned();
        let link = Self {
            kind,
            list: dir.join("list"),
            references: pinned.iter().map(tagged).collect(),
            ca: PathBuf::from(storage.ca()),
            hosts: dir.join("hosts"),
            certificates: dir.join("certificates"),
            registry,
            _wire: wire,
        };
        write(&link.list, &(pinned.join("\n") + "\n"))?;
        if kind == Kind::Tls {
            link.trust(&host)?;
        }
        Ok(link)
    }

    fn trust(&self, host: &str) -> Result<()> {
        let (hosts, ca) = (self.hosts.join(host), self.ca.display());
        for dir in [&hosts, &self.certificates] {
            fs::create_dir_all(dir).map_err(|e| doing("creating", dir, &e))?;
        }
        let text = format!(
            "server = \"https://{host}\"\n[host.\"https://{host}\"]\ncapabilities = [\"pull\", \"resolve\"]\nca = \"{ca}\"\n"
        );
        write(&hosts.join("hosts.toml"), &text)?;
        let copy = self.certificates.join("ca.crt");
        fs::copy(&self.ca, &copy)
            .map_err(|e| doing("writing", &copy, &e))
            .map(|_| ())
    }

    /// Tells `ctr images pull` of the registry.
    pub(crate) fn tell_ctr(&self, command: &mut Command) {
        match self.kind {
            Kind::Plain | Kind::Slow => command.arg("--plain-http"),
            Kind::Tls => command.arg("--hosts-dir").arg(&self.hosts),
        };
    }

    /// Tells `skopeo copy` of it.
    pub(crate) fn tell_skopeo(&self, command: &mut Command) {
        match self.kind {
            Kind::Plain | Kind::Slow => command.arg("--src-tls-verify=false"),
            Kind::Tls => command.arg("--src-cert-dir").arg(&self.certificates),
        };
    }

    /// Tells our own program.
    pub(crate) fn tell_us(&self, command: &mut Command) {
        match self.kind {
            Kind::Plain | Kind::Slow => command.arg("--plain-http").arg(self.registry.host()),
            Kind::Tls => command.arg("--ca").arg(&self.ca),
        };
    }
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).map_err(|e| doing("writing", path, &e))
}
