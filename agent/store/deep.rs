//! Reading everything again: each blob against its digest, each snapshot's files against their layer.
//! It is separate because it takes as long as the bytes need, so it is done only where it is asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::AsFd as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::Flaw;
use super::desired::Desired;
use super::inflate::inflate;
use super::layer::{LayerError, compare};
use super::resolved::{ImageLayer, Resolved};
use super::tap::Tap;
use crate::error::{Error, Result};
use crate::host::failure::Failure;
use crate::host::oci::{Descriptor, Digest};
use crate::host::root::Folder;

/// Differences of one snapshot that are told.
const TOLD: usize = 5;

/// What is there and not what it must be.
#[derive(Debug, Default)]
pub(super) struct Broken {
    /// Blobs.
    pub(super) blobs: BTreeSet<Digest>,
    /// Snapshots, with what differs first.
    pub(super) chains: BTreeMap<Digest, Vec<String>>,
}

/// A snapshot's files, and the layer that they must be.
pub(super) struct Unpacked<'l> {
    pub(super) layer: &'l ImageLayer,
    /// It has no parent.
    pub(super) bottom: bool,
    /// Its directory; none where it is missing.
    pub(super) files: Option<Folder>,
}

impl Broken {
    /// As flaws of what is desired.
    pub(super) fn flaws<'d>(&self, desired: &'d Desired) -> Vec<(&'d BTreeSet<usize>, Flaw)> {
        let blobs = self.blobs.iter().filter_map(|digest| {
            let want = desired.blobs.get(digest)?;
            Some((&want.images, Flaw::Content(digest.clone())))
        });
        let chains = self.chains.iter().filter_map(|(chain, first)| {
            let want = desired.chains.get(chain)?;
            Some((&want.images, Flaw::Files(chain.clone(), first.clone())))
        });
        blobs.chain(chains).collect()
    }

    /// Reads all blobs of these images that are there, and these snapshots, on all cores.
    pub(super) fn find<'i>(
        folder: &Folder,
        images: impl Iterator<Item = &'i Resolved>,
        unpacked: &[Unpacked<'_>],
    ) -> Result<Self> {
        let mut blobs: BTreeMap<&Digest, &Descriptor> = BTreeMap::new();
        for image in images {
            let layers = image.layers.iter().map(|layer| &layer.blob);
            let all = image.documents().into_iter().chain(layers);
            blobs.extend(all.map(|blob| (&blob.digest, blob)));
        }
        let blobs: Vec<&Descriptor> = blobs.into_values().collect();
        let wrong = each(&blobs, |blob| {
            Ok((!whole(folder, blob)?).then(|| blob.digest.clone()))
        })?;
        let blobs: BTreeSet<Digest> = wrong.into_iter().collect();
        let chains = each(unpacked, |one| {
            let first = match blobs.contains(&one.layer.blob.digest) {
                true => vec!["its layer is broken, they cannot be compared".to_owned()],
                false => one.differences(folder)?,
            };
            Ok((!first.is_empty()).then(|| (one.layer.chain.clone(), first)))
        })?;
        Ok(Self {
            blobs,
            chains: chains.into_iter().collect(),
        })
    }
}

/// Whether a blob is what its digest says; one that is not there is another flaw.
fn whole(folder: &Folder, blob: &Descriptor) -> Result<bool> {
    let doing = || format!("read the blob {} again", blob.digest);
    let file = folder.reader(blob.digest.hex());
    let file = file.map_err(|error| Error::host(doing()).because(error))?;
    let Some(file) = file.filter(|file| file.size == blob.size) else {
        return Ok(true);
    };
    let tap = Tap::new(Box::new(file), None, blob.size, &|_| {});
    let read = tap
        .finish()
        .map_err(|failure| Error::host(doing()).because(failure.error));
    Ok(read?.0 == blob.digest)
}

impl Unpacked<'_> {
    /// What is different; nothing where the layer was not kept, or is none that this program unpacks.
    fn differences(&self, blobs: &Folder) -> Result<Vec<String>> {
        let blob = &self.layer.blob;
        let doing = || format!("compare the snapshot {} with its layer", self.layer.chain);
        let io = |error: io::Error| Error::host(doing()).because(error);
        let Some(files) = &self.files else {
            return Ok(vec!["there are none".to_owned()]);
        };
        let Some(file) = blobs.reader(blob.digest.hex()).map_err(io)? else {
            tracing::warn!(
                "{} was not kept: the files of it are not compared",
                blob.digest
            );
            return Ok(Vec::new());
        };
        let mut tar = inflate(Box::new(file)).map_err(io)?;
        match compare(&mut *tar, files.as_fd(), self.bottom) {
            Ok(mut all) => {
                all.truncate(TOLD);
                Ok(all)
            }
            Err(LayerError::Unusual(why)) => {
                tracing::info!("the files of {} are not compared: {why}", blob.digest);
                Ok(Vec::new())
            }
            Err(LayerError::Failed(Failure { error, .. })) => {
                Err(Error::host(doing()).because(error))
            }
        }
    }
}

/// What a question finds about each of many things, asked on all cores.
fn each<T: Sync, A: Send>(
    things: &[T],
    ask: impl Fn(&T) -> Result<Option<A>> + Sync,
) -> Result<Vec<A>> {
    let next = AtomicUsize::new(0);
    let answers: Mutex<Vec<Result<A>>> = Mutex::new(Vec::new());
    let work = || {
        while let Some(thing) = things.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Some(answer) = ask(thing).transpose() {
                let mut all = answers
                    .lock()
                    .unwrap_or_else(std::sync::PoisonError::into_inner);
                all.push(answer);
            }
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 1..cores.min(things.len()) {
            scope.spawn(work);
        }
        work();
    });
    let all = answers.into_inner();
    (all.unwrap_or_else(std::sync::PoisonError::into_inner))
        .into_iter()
        .collect()
}
