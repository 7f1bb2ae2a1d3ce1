//! Image tarballs as `docker image save` writes them: which images they hold, and the files of the runtime image.
//! They are separate because a tarball in a tarball has two lists of names and two chances to be cut off.

use std::collections::BTreeSet;
use std::io::{self, Read};

use serde::Deserialize;

use super::layout::of_runtime;
use crate::host::archive::{Entry, EntryKind, Limits, Names, Packing, Tar, bad, unpack};

/// An image tarball of a release holds some hundred entries; 128 GiB is more than any.
const LIMITS: Limits = Limits {
    entries: 100_000,
    bytes: 128 << 30,
};
/// The runtime image holds some forty files of together about 300 MB.
const RUNTIME_LIMITS: Limits = Limits {
    entries: 100_000,
    bytes: 16 << 30,
};
/// Largest list of images.
const MANIFEST: u64 = 16 << 20;

/// One image of a tarball.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Image {
    /// Its names.
    #[serde(rename = "RepoTags", default)]
    pub(super) names: Option<Vec<String>>,
    /// Its layers, as entries of the tarball, the lowest first.
    #[serde(rename = "Layers", default)]
    pub(super) layers: Vec<String>,
}

/// What a tarball holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Index {
    /// The images.
    pub(super) images: Vec<Image>,
    /// Time of its newest entry: a time of change that depends on the content alone.
    pub(super) newest: i64,
}

/// Reads a tarball to its end; one that is cut off, or in which a layer of an image is missing, is an error.
pub(super) fn index(from: impl Read, packing: Packing) -> io::Result<Index> {
    let mut tar = Tar::new(packing.open(from)?, LIMITS);
    let mut files = BTreeSet::new();
    let mut links = BTreeSet::new();
    let mut index = Index::default();
    let mut listed = false;
    while let Some(entry) = tar.advance()? {
        index.newest = index.newest.max(entry.mtime);
        match entry.kind {
            EntryKind::File if entry.path == "manifest.json" => {
                if listed || entry.size > MANIFEST {
                    return Err(bad("its manifest.json is too large or stands in it twice"));
                }
                let mut bytes = Vec::new();
                tar.read_to_end(&mut bytes)?;
                index.images = serde_json::from_slice(&bytes)
                    .map_err(|e| bad(format!("its manifest.json: {e}")))?;
                listed = true;
            }
            EntryKind::File => {
                files.insert(entry.path);
            }
            // Older Dockers write a layer that two images share once, and a link for the second.
            EntryKind::Symlink(_) => {
                links.insert(entry.path);
            }
            EntryKind::Directory => {}
            other => return Err(bad(format!("{} is {}", entry.path, other.word()))),
        }
    }
    if !listed {
        return Err(bad("it holds no manifest.json: it is no tarball of images"));
    }
    let layers = index.images.iter().flat_map(|image| &image.layers);
    for layer in layers {
        if !files.contains(layer) && !links.contains(layer) {
            return Err(bad(format!("the layer {layer} is missing")));
        }
    }
    Ok(index)
}

/// What is done with each file of the runtime image.
pub(super) type Visit<'v> = dyn FnMut(&Entry, &mut dyn Read) -> io::Result<()> + 'v;

/// Visits the files of an image that RKE2 stages. An entry that must not be there ends it with an error.
pub(super) fn each_file(
    from: impl Read,
    packing: Packing,
    image: &Image,
    visit: &mut Visit<'_>,
) -> io::Result<()> {
    let mut tar = Tar::new(packing.open(from)?, LIMITS);
    let mut open: BTreeSet<&str> = image.layers.iter().map(String::as_str).collect();
    let mut names = Names::default();
    while let Some(entry) = tar.advance()? {
        if !open.remove(entry.path.as_str()) {
            continue;
        }
        if entry.kind != EntryKind::File {
            return Err(bad(format!(
                "the layer {} is {}",
                entry.path,
                entry.kind.word()
            )));
        }
        layer(&mut tar, &mut names, visit)
            .map_err(|error| bad(format!("the layer {}: {error}", entry.path)))?;
        if open.is_empty() {
            return Ok(());
        }
    }
    Err(bad("a layer of the runtime image is missing"))
}

/// Layers hold different files in all releases, so that a name that two of them have is an error like any other.
fn layer(from: impl Read, names: &mut Names, visit: &mut Visit<'_>) -> io::Result<()> {
    let mut tar = Tar::new(unpack(from)?, RUNTIME_LIMITS);
    while let Some(entry) = tar.advance()? {
        if of_runtime(&entry, names)? {
            visit(&entry, &mut tar)?;
        }
    }
    Ok(())
}
