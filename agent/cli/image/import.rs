//! `image import`: puts the images of tarballs into a store, such as those of RKE2's releases.
//! It is separate because tarballs say themselves what they hold, and no registry is asked.

use std::path::{Path, PathBuf};

use clap::Args;

use super::args::StoreArgs;
use super::pull::FillArgs;
use super::{pull, table};
use crate::cli::{Io, meter, setup};
use crate::error::{Context as _, Error, Exit, Result};
use crate::host::{Host, Root};
use crate::store::tarball::{Archive, Tarball};
use crate::store::{Opened, Options, Report, Watched};

/// Arguments of `image import`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  nodeagent image import rke2-images-core.linux-amd64.tar.zst
  nodeagent --root /mnt/image image import /var/tmp/images.tar --containerd /usr/bin/containerd

Takes what `docker save`, `crane pull` and RKE2's releases make, and OCI layouts in a tar: plain, gzip or zstd. The digest of
every blob is checked; nothing of a file that is cut off or wrong is registered.

Exit codes: 0 all are in the store, 1 an image or a file failed, 2 usage error, 4 refused.")]
pub(super) struct ImportArgs {
    /// Tarballs of images.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Only these images of them; may be repeated.
    #[arg(long, value_name = "REF")]
    only: Vec<String>,
    /// The platform; an image that is not for it is an error. Default: this machine's.
    #[arg(long, value_name = "OS/ARCH", value_parser = super::args::platform)]
    platform: Option<crate::host::oci::Platform>,
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    fill: FillArgs,
}

/// Imports, one file after the other.
pub(super) fn run(args: &ImportArgs, root: Option<&Path>, io: &mut Io<'_>) -> Result<Exit> {
    let host = setup::host(root)?;
    let options = args.fill.options(args.platform.clone(), true);
    let mut opened = Opened::open(&host, &args.store.choice(), &args.store.namespace)?;
    let meter = meter::meter(io, "images");
    let mut all = Report::default();
    let mut end = Ok(());
    for file in &args.files {
        let watched = Watched(meter.as_ref());
        match one(args, file, &host, &mut opened, (&options, &watched)) {
            Ok(report) => all.join(report),
            Err(error) => {
                end = Err(error);
                break;
            }
        }
    }
    meter.close();
    let ran = pull::ran(&host, &opened);
    opened.close()?;
    end?;
    table::print(io, &all, &ran, args.fill.json)
}

fn one(
    args: &ImportArgs,
    file: &Path,
    host: &Host,
    opened: &mut Opened<'_>,
    (options, watched): (&Options, &Watched<'_>),
) -> Result<Report> {
    let doing = || format!("import {}", file.display());
    let full = std::path::absolute(file).context(doing)?;
    let machine = Root::open(Path::new("/"))?;
    let path = full.to_string_lossy();
    let store = opened.store().to_owned();
    let tarball = Tarball::open(&Archive {
        root: &machine,
        path: &path,
        scratch: &host.root,
        scratch_dir: &store,
    })
    .map_err(|failure| told(failure.error, &doing()))?;
    let mut only = Vec::new();
    for name in &args.only {
        only.push(crate::host::oci::Name::parse(name)?);
    }
    let wanted = tarball
        .wanted(&options.platform, &only)
        .map_err(|failure| told(failure.error, &doing()))?;
    opened.fill(&tarball, &wanted, options, watched)
}

/// The error of a file, with the next step that its cause has.
fn told(error: Error, doing: &str) -> Error {
    let hint = error.next_step().map(str::to_owned);
    let told = Error::host(doing).because(error);
    match hint {
        Some(hint) => told.hint(hint),
        None => told,
    }
}
