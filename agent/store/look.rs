//! Looking at a store without touching it: through the containerd that runs on it, or in its files.
//! It is separate because check, list, plan and verify look alike, and none of them may start a daemon.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::offline::{self, Blobs};
use super::{Fault, Inventory, Judged as _, Place, Wanted, judge};
use crate::error::{Error, Result};
use crate::host::Host;
use crate::host::containerd::{Client, Containerd as _, Image, Snapshotter};
use crate::host::oci::{Document, Name, Platform};

/// The store of RKE2's containerd.
pub const RKE2_STORE: &str = "/var/lib/rancher/rke2/agent/containerd";

/// The socket of RKE2's containerd.
const RKE2_SOCKET: &str = "/run/k3s/containerd/containerd.sock";

/// Which store is meant, and how it is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// RKE2's, through its containerd where that runs.
    Rke2 {
        /// The containerd to start where none runs; without one the staged one.
        containerd: Option<String>,
    },
    /// The one in this directory, on which no daemon runs.
    Store {
        /// The directory, in the tree that is worked on.
        store: PathBuf,
        /// The containerd to start; without one the staged one of RKE2.
        containerd: Option<String>,
    },
    /// The one of a containerd that runs.
    Running {
        /// Its socket.
        socket: PathBuf,
        /// The snapshotter that its node uses.
        snapshotter: Snapshotter,
    },
}

impl Choice {
    /// The store in this directory, or the running containerd's where RKE2's runs on it.
    pub fn of(store: &str, containerd: Option<&str>) -> Self {
        let containerd = containerd
            .filter(|path| !path.is_empty())
            .map(str::to_owned);
        match store {
            RKE2_STORE => Choice::Rke2 { containerd },
            _ => Choice::Store {
                store: PathBuf::from(store),
                containerd,
            },
        }
    }
}

impl Choice {
    /// The containerd to start, where one is named.
    pub(super) fn containerd(&self) -> Option<&str> {
        match self {
            Choice::Rke2 { containerd } | Choice::Store { containerd, .. } => containerd.as_deref(),
            Choice::Running { .. } => None,
        }
    }

    /// The client of the daemon behind a socket.
    pub(super) fn client(&self, socket: &Path, namespace: &str) -> Result<Client> {
        let client = Client::connect(socket, namespace)?;
        Ok(match self {
            Choice::Running { snapshotter, .. } => client.on(snapshotter.clone()),
            Choice::Rke2 { .. } | Choice::Store { .. } => client,
        })
    }
}

/// A store that was looked at.
#[derive(Debug)]
pub struct Look {
    place: Place,
    inventory: Inventory,
    /// Where a daemon runs on it.
    client: Option<Client>,
}

/// The socket behind which a daemon answers for this choice; none where the files are to be read.
pub(super) fn socket(host: &Host, choice: &Choice) -> Result<Option<PathBuf>> {
    Ok(match choice {
        Choice::Running { socket, .. } => Some(socket.clone()),
        Choice::Rke2 { .. } if host.root.is_live() && host.root.present(RKE2_SOCKET)? => {
            Some(PathBuf::from(RKE2_SOCKET))
        }
        _ => None,
    })
}

/// The directory of the store that no daemon runs on.
pub(super) fn directory(choice: &Choice) -> Result<&str> {
    let Choice::Store { store, .. } = choice else {
        return Ok(RKE2_STORE);
    };
    let path = store.to_str().filter(|path| path.starts_with('/'));
    path.ok_or_else(|| {
        Error::usage(format!(
            "use the store {}: its path is not absolute",
            store.display()
        ))
        .hint("give the whole path, as the tree that is worked on has it")
    })
}

/// Looks.
pub fn look(host: &Host, choice: &Choice, namespace: &str) -> Result<Look> {
    if let Some(socket) = socket(host, choice)? {
        let client = choice.client(&socket, namespace)?;
        let place = Place::of(host.root.path(), &client.facts()?)?;
        let inventory = Inventory::ask(&client)?;
        return Ok(Look {
            place,
            inventory,
            client: Some(client),
        });
    }
    let place = Place::open(host.root.path(), Path::new(directory(choice)?))?;
    let inventory = offline::read(&place, namespace)?;
    Ok(Look {
        place,
        inventory,
        client: None,
    })
}

impl Look {
    /// The store's directory.
    pub fn store(&self) -> &str {
        self.place.store()
    }

    /// What it records.
    pub fn inventory(&self) -> &Inventory {
        &self.inventory
    }

    /// Every image that it has, under all its names; those that are known by a digest or an id alone are not for pods.
    pub fn all(&self) -> Vec<Wanted> {
        let mut by_target: BTreeMap<String, Wanted> = BTreeMap::new();
        for image in &self.inventory.images {
            let Ok(name) = Name::parse(&image.name) else {
                continue;
            };
            if image.name.contains('@') || !image.name.contains('/') {
                continue;
            }
            let name = name.pinned(image.target.digest.clone());
            let digest = image.target.digest.to_string();
            if let Some(wanted) = by_target.get_mut(&digest) {
                wanted.also.push(name);
            } else {
                by_target.insert(digest, Wanted::new(name));
            }
        }
        by_target.into_values().collect()
    }

    /// What keeps the wanted images from being whole; with `deep` every byte is read.
    pub fn faults(&self, wanted: &[Wanted], platform: &Platform, deep: bool) -> Result<Vec<Fault>> {
        let mut blobs = Blobs::new(&self.place);
        let mut faults = judge(&self.inventory, &mut blobs, wanted, platform)?;
        if deep {
            let running = self.client.as_ref().map(|client| client as _);
            faults.extend(super::reread::faults(
                &self.place,
                &self.inventory,
                running,
                wanted,
                platform,
            )?);
        }
        Ok(faults)
    }

    /// What an image's name stands for.
    pub fn digest(&self, wanted: &Wanted) -> Option<String> {
        let name = wanted.name.tagged().or_else(|| {
            let digest = wanted.name.digest()?;
            Some(wanted.name.digested(digest))
        })?;
        let image = self
            .inventory
            .images
            .iter()
            .find(|image| image.name == name)?;
        Some(image.target.digest.to_string())
    }

    /// Bytes of an image's configuration and layers, compressed, where its manifest can be read; of an index none.
    pub fn size_of(&self, image: &Image) -> Result<Option<u64>> {
        let mut blobs = Blobs::new(&self.place);
        let bytes = blobs.document(&image.target.digest)?;
        let document = bytes.and_then(|bytes| Document::parse(&bytes).ok());
        Ok(match document {
            Some(Document::Manifest(manifest)) => {
                let layers = manifest.layers.iter().map(|layer| layer.size);
                Some(layers.sum::<u64>() + manifest.config.size)
            }
            _ => None,
        })
    }
}
