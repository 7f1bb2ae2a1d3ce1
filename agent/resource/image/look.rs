//! Looking for an image: what keeps it from being whole in the store, and why it could not be pulled.
//! It is separate because it reads containerd's store, with or without a daemon.

use super::{Image, Seen, lists};
use crate::error::Result;
use crate::host::Host;
use crate::resource::image_store::NAMESPACE;
use crate::store::{Choice, Filler, look};

/// Looks.
pub(super) fn look(image: &Image, host: &Host) -> Result<Seen> {
    let choice = Choice::of(&image.way.store, image.way.containerd.as_deref());
    let look = look::look(host, &choice, NAMESPACE)?;
    let wanted = image.wanted()?;
    let faults = look.faults(std::slice::from_ref(&wanted), &image.platform()?, host.deep)?;
    let own = faults.iter().filter(|fault| fault.image.is_some());
    Ok(Seen {
        digest: look.digest(&wanted),
        filled_by: Filler::of(&host.root, look.store())?,
        faults: own.map(|fault| fault.flaw.to_string()).collect(),
        failure: lists::failure(&host.root, &image.reference)?,
        tried: host.tried_images.get(),
    })
}
