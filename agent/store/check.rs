//! Whether a store holds the wanted images whole: every record, document, layer, snapshot and label.
//! It is separate because it is a pure judgement over what was read, with or without a running daemon.

use super::desired::{Desired, REFERS};
use super::differences::{differences, stale};
use super::resolved::{self, Resolved};
use super::{Fault, Flaw, Inventory, Wanted};
use crate::error::{Error, Result};
use crate::host::containerd::{Labels, Target};
use crate::host::failure::{Class, Failure};
use crate::host::oci::{Digest, Document, Platform};

/// How a judge reaches what an inventory does not hold.
pub trait Judged {
    /// The bytes of a manifest, index or configuration, as the store's file has them; none where there is no file.
    fn document(&mut self, digest: &Digest) -> Result<Option<Vec<u8>>>;
    /// The size of a blob's file in bytes; none where there is no file.
    fn size(&mut self, digest: &Digest) -> Result<Option<u64>>;
}

/// Everything that keeps the wanted images from being whole; empty when nothing does.
///
/// Layers may be missing where their manifest's record refers to none: they were not kept, which is a setting.
pub fn judge(
    inventory: &Inventory,
    files: &mut dyn Judged,
    wanted: &[Wanted],
    platform: &Platform,
) -> Result<Vec<Fault>> {
    let mut faults = Vec::new();
    let mut images = Vec::new();
    for wanted in wanted {
        match image(inventory, files, wanted, platform)? {
            Ok(image) => images.push(image),
            Err(flaw) => faults.push(Fault {
                image: Some(wanted.name.clone()),
                flaw,
            }),
        }
    }
    let kept = |image: &Resolved| {
        let record = (inventory.content.iter()).find(|c| c.digest == image.manifest.digest);
        record.is_some_and(|record| keeps_layers(&record.labels, image))
    };
    let numbered = images.iter().enumerate();
    let numbered = numbered.map(|(number, image)| (number, image, kept(image)));
    let desired = Desired::of(&inventory.snapshotter, numbered);
    for (users, flaw) in differences(&desired, inventory, &mut |digest| files.size(digest))? {
        faults.extend(users.iter().filter_map(|number| {
            Some(Fault {
                image: Some(images.get(*number)?.wanted.name.clone()),
                flaw: flaw.clone(),
            })
        }));
    }
    faults.extend(
        stale(inventory)
            .into_iter()
            .map(|flaw| Fault { image: None, flaw }),
    );
    Ok(faults)
}

/// Whether a manifest's record keeps one of its layers from being collected.
fn keeps_layers(labels: &Labels, image: &Resolved) -> bool {
    let layer =
        |value: &str| (image.layers.iter()).any(|layer| layer.blob.digest.as_str() == value);
    (labels.iter()).any(|(key, value)| key.starts_with(REFERS) && layer(value))
}

/// The image that is recorded under a wanted name, read from the store's files.
pub(super) fn image(
    inventory: &Inventory,
    files: &mut dyn Judged,
    wanted: &Wanted,
    platform: &Platform,
) -> Result<std::result::Result<Resolved, Flaw>> {
    let name = &wanted.name;
    let asked = (name.tagged()).or_else(|| Some(name.digested(name.digest()?)));
    let asked = asked.unwrap_or_else(|| name.to_string());
    let record = inventory.images.iter().find(|image| image.name == asked);
    let target = match (record, name.digest()) {
        (Some(record), Some(pin)) if record.target.digest != *pin => {
            return Ok(Err(Flaw::OtherTarget(asked)));
        }
        (Some(record), _) => &record.target,
        (None, _) => return Ok(Err(Flaw::NoRecord(asked))),
    };
    let mut read = |digest: &Digest| document(files, digest);
    Ok(match read(&target.digest)? {
        Ok(bytes) => {
            let found = follow(&bytes, target, wanted, platform, &mut read)?;
            found.map_err(|why| why.flaw(&target.digest))
        }
        Err(flaw) => Err(flaw),
    })
}

/// Why an image's documents cannot be followed: a flaw, or a failure of one of them.
enum Why {
    Flaw(Flaw),
    Failure(Failure),
}

impl Why {
    fn flaw(self, digest: &Digest) -> Flaw {
        match self {
            Why::Flaw(flaw) => flaw,
            Why::Failure(failure) if failure.class == Class::Platform => {
                Flaw::Platform(failure.error.one_line())
            }
            Why::Failure(failure) => Flaw::Document(digest.clone(), failure.error.one_line()),
        }
    }
}

/// A document's bytes, or the flaw that keeps them from being read.
type Read = Result<std::result::Result<Vec<u8>, Flaw>>;

fn follow(
    bytes: &[u8],
    target: &Target,
    wanted: &Wanted,
    platform: &Platform,
    read: &mut dyn FnMut(&Digest) -> Read,
) -> Result<std::result::Result<Resolved, Why>> {
    let mut fetch = |digest: &Digest| Ok::<_, Error>(read(digest)?.map_err(Why::Flaw));
    let steps = || {
        let (own, document) = resolved::read(bytes, &target.digest, &target.media_type)?;
        let child = match &document {
            Document::Index(children) => {
                Some(resolved::choose(children, platform)?.manifest.clone())
            }
            Document::Manifest(_) => None,
        };
        Ok::<_, Failure>((own, document, child))
    };
    let (own, document, child) = match steps() {
        Ok(read) => read,
        Err(failure) => return Ok(Err(Why::Failure(failure))),
    };
    let (descriptor, document) = match child {
        None => (own.clone(), document),
        Some(child) => match fetch(&child.digest)? {
            Err(why) => return Ok(Err(why)),
            Ok(bytes) => match resolved::read(&bytes, &child.digest, &child.media_type) {
                Err(failure) => return Ok(Err(Why::Failure(failure))),
                Ok(read) => read,
            },
        },
    };
    let Document::Manifest(manifest) = document else {
        let why = "it is an index within an index".to_owned();
        return Ok(Err(Why::Flaw(Flaw::Document(descriptor.digest, why))));
    };
    let config = match fetch(&manifest.config.digest)? {
        Err(why) => return Ok(Err(why)),
        Ok(bytes) => bytes,
    };
    let image = resolved::assemble(wanted, own, (descriptor, manifest), &config, platform);
    Ok(image.map_err(Why::Failure))
}

fn document(files: &mut dyn Judged, digest: &Digest) -> Read {
    Ok(match files.document(digest)? {
        None => Err(Flaw::NoFile(digest.clone())),
        Some(bytes) if Digest::of(&bytes) != *digest => Err(Flaw::Content(digest.clone())),
        Some(bytes) => Ok(bytes),
    })
}
