//! Reading everything of the wanted images again: each blob against its digest, each snapshot against its layer.
//! It is separate from the judgement because it takes as long as the bytes need, and is done only where it is asked for.

use std::collections::BTreeMap;

use super::check::image;
use super::deep::{Broken, Unpacked};
use super::desired::Desired;
use super::differences::by_name;
use super::offline::Blobs;
use super::resolved::Resolved;
use super::{Fault, Inventory, Place, Wanted, mount};
use crate::error::Result;
use crate::host::containerd::Containerd;
use crate::host::oci::{Digest, Platform};
use crate::host::root::{Folder, Root};

/// Where the files of snapshots lie, by the snapshots' names; paths are those of the daemon's tree.
pub(super) type Directories = BTreeMap<String, String>;

/// Blobs of the wanted images that are not what their digest says, and snapshots whose files are not those of their
/// layer. Images that are judged broken already are passed over.
pub(super) fn faults(
    place: &Place,
    inventory: &Inventory,
    running: Option<&dyn Containerd>,
    wanted: &[Wanted],
    platform: &Platform,
) -> Result<Vec<Fault>> {
    let mut blobs = Blobs::new(place);
    let mut images = Vec::new();
    for wanted in wanted {
        images.extend(image(inventory, &mut blobs, wanted, platform)?.ok());
    }
    let Some(folder) = place.tree().folder(blobs.dir())? else {
        return Ok(Vec::new());
    };
    let directories = match running {
        Some(containerd) => directories(containerd, inventory, images.iter())?,
        None => below(place, inventory),
    };
    let broken = broken(place.tree(), &folder, &directories, images.iter())?;
    let numbered = images.iter().enumerate();
    let numbered = numbered.map(|(number, image)| (number, image, true));
    let desired = Desired::of(&inventory.snapshotter, numbered);
    let mut faults = Vec::new();
    for (users, flaw) in broken.flaws(&desired) {
        faults.extend(users.iter().filter_map(|number| {
            Some(Fault {
                image: Some(images.get(*number)?.wanted.name.clone()),
                flaw: flaw.clone(),
            })
        }));
    }
    Ok(faults)
}

/// What of these images' blobs, and of their snapshots in these directories, is not what it must be.
pub(super) fn broken<'i>(
    tree: &Root,
    blobs: &Folder,
    directories: &Directories,
    images: impl Iterator<Item = &'i Resolved> + Clone,
) -> Result<Broken> {
    let mut unpacked: BTreeMap<&Digest, Unpacked<'_>> = BTreeMap::new();
    for image in images.clone() {
        for (number, layer) in image.layers.iter().enumerate() {
            let Some(path) = directories.get(layer.chain.as_str()) else {
                continue;
            };
            let one = Unpacked {
                layer,
                bottom: number == 0,
                files: tree.folder(path)?,
            };
            unpacked.entry(&layer.chain).or_insert(one);
        }
    }
    let unpacked: Vec<Unpacked<'_>> = unpacked.into_values().collect();
    Broken::find(blobs, images, &unpacked)
}

/// As the databases of a store have them.
fn below(place: &Place, inventory: &Inventory) -> Directories {
    let all = inventory.directories.iter();
    let path = |inside: &std::path::PathBuf| format!("{}/{}", place.store(), inside.display());
    all.map(|(name, inside)| (name.clone(), path(inside)))
        .collect()
}

/// As a running daemon tells them. It does so only of a snapshot that is made on others: one is made on the highest of
/// each image and removed again.
pub(super) fn directories<'i>(
    containerd: &dyn Containerd,
    inventory: &Inventory,
    images: impl Iterator<Item = &'i Resolved>,
) -> Result<Directories> {
    let mut all = Directories::new();
    if !containerd.snapshotter().is_overlayfs() {
        let name = containerd.snapshotter();
        tracing::warn!("the files of the snapshotter {name} are not compared with their layers");
        return Ok(all);
    }
    let there = by_name(inventory);
    for image in images {
        let known = |chain: &Digest| there.contains_key(chain.as_str());
        let top = image.layers.iter().rposition(|layer| known(&layer.chain));
        let Some(layers) = top.and_then(|top| image.layers.get(..=top)) else {
            continue;
        };
        let Some(top) = layers
            .last()
            .filter(|top| !all.contains_key(top.chain.as_str()))
        else {
            continue;
        };
        let paths = mount::directories(containerd, &top.chain).map_err(|failure| failure.error)?;
        let names = layers.iter().map(|layer| layer.chain.to_string());
        all.extend(names.zip(paths.into_iter().rev()));
    }
    Ok(all)
}
