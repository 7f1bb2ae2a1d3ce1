//! Looking for the images of an archive: by the receipt of its import, without reading the archive again.
//! It is separate because it reads containerd's store, with or without a daemon.

use super::receipt::{self, Receipt};
use super::{ImageArchive, Seen};
use crate::error::Result;
use crate::host::Host;
use crate::resource::image_store::NAMESPACE;
use crate::store::tarball::remembered;
use crate::store::{Choice, Filler, look};

/// Looks.
pub(super) fn look(archive: &ImageArchive, host: &Host) -> Result<Seen> {
    let there = host.root.meta_followed(&archive.path)?;
    let mut seen = Seen {
        receipt: receipt::read(&host.root, archive)?.map(Box::new),
        filled_by: Filler::of(&host.root, &archive.store)?,
        faults: Vec::new(),
        archive: there.is_some(),
    };
    let Some(receipt) = &seen.receipt else {
        seen.faults.push("not imported".to_owned());
        return Ok(seen);
    };
    if let Some(why) = other(archive, receipt, host)? {
        seen.faults.push(why);
        return Ok(seen);
    }
    let wanted = receipt.wanted()?;
    let choice = Choice::of(&archive.store, archive.containerd.as_deref());
    let store = look::look(host, &choice, NAMESPACE)?;
    let faults = store.faults(&wanted, &archive.platform()?, host.deep)?;
    let own = faults.iter().filter(|fault| fault.image.is_some());
    seen.faults.extend(own.map(ToString::to_string));
    if archive.cache && there.is_some() && !remembered::remembers(&host.root, &archive.path)? {
        let path = remembered::beside(&archive.path);
        seen.faults.push(format!("{path} does not name it"));
    }
    Ok(seen)
}

/// Why the receipt is that of another archive. One of the same size and time of change is the same, unless all is read.
fn other(archive: &ImageArchive, receipt: &Receipt, host: &Host) -> Result<Option<String>> {
    if let Some(pin) = archive.pin()
        && !pin.eq_ignore_ascii_case(&receipt.sha256)
    {
        let have = format!("an archive of the sha256 {} was imported", receipt.sha256);
        return Ok(Some(have));
    }
    let Some(meta) = host.root.meta_followed(&archive.path)? else {
        return Ok(None);
    };
    let same = (meta.size, meta.mtime) == (receipt.size, receipt.mtime);
    if same && !host.deep {
        return Ok(None);
    }
    let have = host.root.digest(&archive.path)?;
    let changed = have.as_ref() != Some(&receipt.sha256);
    Ok(changed.then(|| "the archive has changed since it was imported".to_owned()))
}
