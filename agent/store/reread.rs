//! Reading everything of the wanted images again: each blob against its digest.
//! It is separate from the judgement because it takes as long as the bytes need, and is done only where it is asked for.

use std::collections::BTreeSet;

use super::check::image;
use super::offline::Blobs;
use super::{Fault, Flaw, Inventory, Place, Wanted};
use crate::error::Result;
use crate::host::oci::Platform;

/// Blobs of the wanted images that are not what their digest says. Images that are judged broken already are passed over.
pub(super) fn faults(
    place: &Place,
    inventory: &Inventory,
    wanted: &[Wanted],
    platform: &Platform,
) -> Result<Vec<Fault>> {
    let mut blobs = Blobs::new(place);
    let (mut faults, mut read) = (Vec::new(), BTreeSet::new());
    for wanted in wanted {
        let Ok(found) = image(inventory, &mut blobs, wanted, platform)? else {
            continue;
        };
        for layer in &found.layers {
            if read.insert(layer.blob.digest.clone())
                && blobs.whole(&layer.blob.digest)? == Some(false)
            {
                faults.push(Fault {
                    image: Some(wanted.name.clone()),
                    flaw: Flaw::Content(layer.blob.digest.clone()),
                });
            }
        }
    }
    Ok(faults)
}
