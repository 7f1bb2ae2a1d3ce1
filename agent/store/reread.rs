//! Reading everything of the wanted images again: each blob against its digest, each snapshot against its layer.
//! It is separate from the judgement because it takes as long as the bytes need, and is done only where it is asked for.

use std::collections::BTreeMap;

use super::check::image;
use super::deep::{Broken, Unpacked};
use super::desired::Desired;
use super::offline::Blobs;
use super::{Fault, Inventory, Place, Wanted};
use crate::error::Result;
use crate::host::oci::{Digest, Platform};

/// Blobs of the wanted images that are not what their digest says, and snapshots whose files are not those of their
/// layer; the latter only where the inventory knows the snapshots' directories. Images that are judged broken already
/// are passed over.
pub(super) fn faults(
    place: &Place,
    inventory: &Inventory,
    wanted: &[Wanted],
    platform: &Platform,
) -> Result<Vec<Fault>> {
    let mut blobs = Blobs::new(place);
    let mut images = Vec::new();
    for wanted in wanted {
        images.extend(image(inventory, &mut blobs, wanted, platform)?.ok());
    }
    let mut unpacked: BTreeMap<&Digest, Unpacked<'_>> = BTreeMap::new();
    for image in &images {
        for (number, layer) in image.layers.iter().enumerate() {
            let Some(inside) = inventory.directories.get(layer.chain.as_str()) else {
                continue;
            };
            let path = format!("{}/{}", place.store(), inside.display());
            let files = place.tree().folder(&path)?;
            let bottom = number == 0;
            let one = Unpacked {
                layer,
                bottom,
                files,
            };
            unpacked.entry(&layer.chain).or_insert(one);
        }
    }
    let unpacked: Vec<Unpacked<'_>> = unpacked.into_values().collect();
    let folder = format!(
        "{}/io.containerd.content.v1.content/blobs/sha256",
        place.store()
    );
    let Some(folder) = place.tree().folder(&folder)? else {
        return Ok(Vec::new());
    };
    let broken = Broken::find(&folder, images.iter(), &unpacked)?;
    let desired = Desired::of(
        images
            .iter()
            .enumerate()
            .map(|(number, image)| (number, image, true)),
    );
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
