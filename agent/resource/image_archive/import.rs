//! Importing an archive: checked, filled into the store, then noted in the receipt and for RKE2.
//! It is separate because it is the kind's one effect.

use super::ImageArchive;
use super::receipt::{self, Receipt};
use crate::error::{Error, Result};
use crate::host::Host;
use crate::host::failure::Failure;
use crate::host::oci::Name;
use crate::resource::image_store::NAMESPACE;
use crate::store::tarball::{Archive, Tarball, remembered};
use crate::store::{Choice, Opened, Options, Report, Wanted, Watched};

/// Imports.
pub(super) fn import(archive: &ImageArchive, host: &Host) -> Result<()> {
    let doing = || format!("import {}", archive.path);
    let root = &host.root;
    let mut receipt = Receipt::new(archive, &[])?;
    let missing = || {
        let hint = "put the archive there, or take the entry out of the policy";
        Error::host(doing())
            .because("there is no such file")
            .hint(hint)
    };
    let mut source = root.source(&archive.path)?.ok_or_else(missing)?;
    receipt.size = source.meta.size;
    receipt.mtime = source.meta.mtime;
    receipt.sha256 = source
        .digest()
        .map_err(|error| Error::host(doing()).because(error))?;
    if let Some(pin) = archive.pin()
        && !pin.eq_ignore_ascii_case(&receipt.sha256)
    {
        let found = format!("it has the sha256 {} instead of {pin}", receipt.sha256);
        let hint = "copy the archive again, or correct sha256 in the policy";
        return Err(Error::host(doing()).because(found).hint(hint));
    }
    let choice = Choice::of(&archive.store, archive.containerd.as_deref());
    let mut opened = Opened::open(host, &choice, NAMESPACE)?;
    opened.note()?;
    let filled = fill(archive, host, &mut opened);
    host.meter.close();
    opened.close()?;
    let (wanted, report) = filled?;
    judge(archive, &report)?;
    receipt.images = Receipt::new(archive, &wanted)?.images;
    if archive.cache {
        remembered::remember(root, &archive.path, &tags(&wanted))?;
    }
    receipt::write(root, &receipt)
}

fn fill(
    archive: &ImageArchive,
    host: &Host,
    opened: &mut Opened<'_>,
) -> Result<(Vec<Wanted>, Report)> {
    let told = |failure: Failure| {
        let hint = failure.error.next_step().unwrap_or_default().to_owned();
        Error::host(format!("import {}", archive.path))
            .because(failure.error)
            .hint(hint)
    };
    let store = opened.store().to_owned();
    let tarball = Tarball::open(&Archive {
        root: &host.root,
        path: &archive.path,
        scratch: &host.root,
        scratch_dir: &store,
    })
    .map_err(told)?;
    let only = archive.images.iter().map(|name| Name::parse(name));
    let only: Vec<Name> = only.collect::<Result<_>>()?;
    let options = Options::new(archive.platform()?);
    let wanted = tarball.wanted(&options.platform, &only).map_err(told)?;
    let watched = Watched(host.meter.as_ref());
    let report = opened.fill(&tarball, &wanted, &options, &watched)?;
    Ok((wanted, report))
}

/// Fails if an image failed, after all were tried and each was told.
fn judge(archive: &ImageArchive, report: &Report) -> Result<()> {
    let mut lost = 0;
    for (image, failure) in report.failed() {
        lost += 1;
        tracing::error!("{}: {failure}", image.name);
    }
    if lost == 0 {
        return Ok(());
    }
    let of = report.images.len();
    let what = format!("import {}: {lost} of {of} images failed", archive.path);
    let hint = "each is told above; run the same bake again, it does only what is missing";
    Err(Error::host(what).hint(hint))
}

/// The names that pods ask for.
fn tags(wanted: &[Wanted]) -> Vec<String> {
    let names = wanted
        .iter()
        .flat_map(|wanted| [&wanted.name].into_iter().chain(&wanted.also));
    names.filter_map(Name::tagged).collect()
}
