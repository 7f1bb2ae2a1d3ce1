//! The images of an archive: their names, and whether each is whole and for the wanted platform.
//! It is separate because what is wanted of an archive is decided before anything is written.

use super::{AGAIN, Tarball};
use crate::error::Error;
use crate::host::failure::{Class, Failure};
use crate::host::oci::{Descriptor, Digest, Document, ImageConfig, Manifest, Name, Platform};
use crate::store::Wanted;

/// An image under one of its names.
#[derive(Debug)]
pub(super) struct Named {
    /// The name, where it has one.
    pub(super) name: Option<Name>,
    /// Its manifest or index.
    pub(super) digest: Digest,
}

/// An image of an archive under one of its names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The name, whole; none where the archive has none or a tag alone.
    pub name: Option<Name>,
    /// What the name stands for: a manifest or an index.
    pub digest: Digest,
    /// It is for the platform that was asked for. Others are left out, as k3s leaves them out, while there is one for it.
    pub fits: bool,
}

impl Tarball {
    /// What a name stands for.
    pub(super) fn digest_of(&self, name: &Name) -> Option<Digest> {
        let found = self.named.iter().find(|named| {
            let known = named.name.as_ref();
            known.is_some_and(|known| same(known, name))
        });
        found.map(|named| named.digest.clone())
    }
}

/// Whether two names are the same but for the digest.
fn same(a: &Name, b: &Name) -> bool {
    a.base() == b.base() && a.tag() == b.tag()
}

/// All images.
pub(super) fn list(tarball: &Tarball, platform: &Platform) -> Result<Vec<Listed>, Failure> {
    let named = tarball.named.iter();
    named
        .map(|named| {
            if let Some(name) = &named.name
                && name.digest().is_some_and(|digest| *digest != named.digest)
            {
                let what = format!("it calls {} {name}", named.digest);
                return Err(tarball.bad(what));
            }
            Ok(Listed {
                name: named.name.clone(),
                digest: named.digest.clone(),
                fits: fits(tarball, &named.digest, platform)?,
            })
        })
        .collect()
}

/// Whether an image is for the platform; one that is and is not whole is an error.
fn fits(tarball: &Tarball, digest: &Digest, platform: &Platform) -> Result<bool, Failure> {
    match parse(tarball, digest)? {
        Document::Manifest(manifest) => whole(tarball, &manifest, platform),
        Document::Index(children) => {
            let child = children.into_iter().find(|child| {
                let on = child.platform.as_ref();
                on.is_some_and(|on| platform.is(on))
            });
            let Some(child) = child else {
                return Ok(false);
            };
            let digest = child.manifest.digest;
            match parse(tarball, &digest)? {
                Document::Manifest(manifest) => whole(tarball, &manifest, platform),
                Document::Index(_) => Err(tarball.bad(format!("{digest} is an index in an index"))),
            }
        }
    }
}

fn parse(tarball: &Tarball, digest: &Digest) -> Result<Document, Failure> {
    let Some(fetched) = tarball.document(digest) else {
        let what = format!("it lists {digest} for this platform and does not hold it");
        return Err(tarball.bad(what));
    };
    Document::parse(&fetched.bytes).map_err(|error| Failure::new(Class::Image, error))
}

/// Whether a manifest's configuration is of the platform; if it is, every layer must be there.
fn whole(tarball: &Tarball, manifest: &Manifest, platform: &Platform) -> Result<bool, Failure> {
    let Some(bytes) = tarball.small(&manifest.config.digest)? else {
        let what = format!("the configuration {} is missing", manifest.config.digest);
        return Err(tarball.bad(what));
    };
    let config = ImageConfig::parse(&bytes).map_err(|error| Failure::new(Class::Image, error))?;
    if !platform.is(&config.platform) {
        return Ok(false);
    }
    let mut blobs = manifest.layers.iter().chain([&manifest.config]);
    blobs.try_for_each(|blob| held(tarball, blob))?;
    Ok(true)
}

/// Insists on a blob of the size that its image says.
fn held(tarball: &Tarball, blob: &Descriptor) -> Result<(), Failure> {
    match tarball.blobs.get(&blob.digest) {
        None => Err(tarball.bad(format!("the layer {} is missing", blob.digest))),
        Some(held) if held.size == blob.size => Ok(()),
        Some(held) => Err(tarball.other_size(blob, held.size)),
    }
}

/// The images for a platform, each with all its names.
pub(super) fn wanted(
    tarball: &Tarball,
    platform: &Platform,
    only: &[Name],
) -> Result<Vec<Wanted>, Failure> {
    let listed = list(tarball, platform)?;
    if !listed.iter().any(|image| image.fits) {
        let what = format!("read {}: it holds no image for {platform}", tarball.name);
        let error = Error::host(what).hint("give the archive of this platform, or --platform");
        return Err(Failure::new(Class::Platform, error));
    }
    let mut names = Vec::new();
    if only.is_empty() {
        let fitting = listed.into_iter().filter(|image| image.fits);
        names.extend(fitting.filter_map(|image| Some((image.name?, image.digest))));
        if names.is_empty() {
            let what = "its images have no names: give them one, as NAME:TAG@sha256:DIGEST";
            return Err(tarball.bad(what));
        }
    } else {
        for name in only {
            names.push((name.clone(), choose(tarball, &listed, name, platform)?));
        }
    }
    Ok(group(names))
}

/// What is meant by a name that somebody gives.
fn choose(
    tarball: &Tarball,
    listed: &[Listed],
    name: &Name,
    platform: &Platform,
) -> Result<Digest, Failure> {
    let mut all = listed.iter();
    let by_name = all.clone().find(|image| {
        let known = image.name.as_ref();
        known.is_some_and(|known| same(known, name)) && (image.fits || name.digest().is_none())
    });
    let found = by_name.or_else(|| all.find(|image| Some(&image.digest) == name.digest()));
    let fail = |class, what: String| {
        let error = Error::host(format!("read {}: {what}", tarball.name));
        Err(Failure::new(class, error.hint(AGAIN)))
    };
    match found {
        None => fail(Class::NotFound, format!("it does not hold {name}")),
        Some(image) if name.digest().is_some_and(|digest| *digest != image.digest) => fail(
            Class::Digest,
            format!("it holds {} under the name {name}", image.digest),
        ),
        Some(image) if !image.fits => fail(
            Class::Platform,
            format!("{name} in it is not for {platform}"),
        ),
        Some(image) => Ok(image.digest.clone()),
    }
}

/// One fill an image, under all its names.
fn group(names: Vec<(Name, Digest)>) -> Vec<Wanted> {
    let mut wanted: Vec<Wanted> = Vec::new();
    for (name, digest) in names {
        let known = wanted
            .iter_mut()
            .find(|wanted| wanted.name.digest() == Some(&digest));
        match known {
            Some(known) if same(&known.name, &name) => {}
            Some(known) if known.also.contains(&name) => {}
            Some(known) => known.also.push(name),
            None => wanted.push(Wanted::new(name.pinned(digest))),
        }
    }
    wanted
}
