//! An OCI image layout in an archive: `oci-layout`, `index.json` and `blobs/sha256`. Docker writes it since version 25.
//! It is separate because a layout names its blobs itself, while docker's older format has to be given manifests.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::list::Named;
use super::scan::Files;
use super::{REF_NAME, Tarball, WHOLE_NAME};
use crate::error::Error;
use crate::host::failure::{Class, Failure};
use crate::host::oci::{Digest, Document};

/// The only version of the layout that there is.
const VERSION: &str = "1.0.0";

/// Most images of an archive; a release of RKE2 has some forty.
pub(super) const IMAGES: usize = 4096;

#[derive(Deserialize)]
struct Layout {
    #[serde(rename = "imageLayoutVersion")]
    version: String,
}

#[derive(Deserialize)]
struct Index {
    #[serde(default)]
    manifests: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(rename = "mediaType")]
    media_type: String,
    digest: Digest,
    size: u64,
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
}

/// Takes in a layout's blobs and documents, and gives its images.
pub(super) fn read(
    tarball: &mut Tarball,
    version: &[u8],
    files: &Files,
) -> Result<Vec<Named>, Failure> {
    let layout: Layout = serde_json::from_slice(version)
        .map_err(|error| tarball.bad(format!("its oci-layout: {error}")))?;
    if layout.version != VERSION {
        let known = format!(
            "its layout is of version {:?}, not {VERSION}",
            layout.version
        );
        return Err(tarball.bad(known));
    }
    blobs(tarball, files)?;
    let Some(index) = files.get("index.json") else {
        return Err(tarball.bad("it holds no index.json"));
    };
    let bytes = tarball.all_of(index.held)?;
    let index: Index = serde_json::from_slice(&bytes)
        .map_err(|error| tarball.bad(format!("its index.json: {error}")))?;
    if index.manifests.len() > IMAGES {
        return Err(tarball.bad(format!("it lists {} images", index.manifests.len())));
    }
    let mut named = Vec::new();
    for entry in index.manifests {
        let annotations = entry.annotations.as_ref();
        let name = annotations.and_then(|all| all.get(WHOLE_NAME).or_else(|| all.get(REF_NAME)));
        // A tag alone names nothing.
        let name = name.filter(|name| name.contains(['/', ':', '@']));
        document(tarball, &entry)?;
        named.push(Named {
            name: name.map(|name| tarball.name_of(name)).transpose()?,
            digest: entry.digest,
        });
    }
    Ok(named)
}

/// Notes the blobs. The digests of those that were read are compared with their names; of the others whoever reads them
/// does it.
fn blobs(tarball: &mut Tarball, files: &Files) -> Result<(), Failure> {
    for (path, file) in files.all() {
        let Some(hex) = path.strip_prefix("blobs/sha256/") else {
            continue;
        };
        let Ok(digest) = Digest::parse(&format!("sha256:{hex}")) else {
            return Err(tarball.bad(format!("the name of {path} is no digest")));
        };
        if file.digest.as_ref().is_some_and(|have| *have != digest) {
            return Err(tarball.other_digest(&digest));
        }
        tarball.blobs.insert(digest, file.held);
    }
    Ok(())
}

/// Takes in what an entry of the index points to, and the manifests below it.
fn document(tarball: &mut Tarball, entry: &Entry) -> Result<(), Failure> {
    let Some(bytes) = tarball.small(&entry.digest)? else {
        let what = format!("it lists {} and does not hold it", entry.digest);
        return Err(tarball.bad(what));
    };
    let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    if size != entry.size {
        let what = format!(
            "{} has {size} bytes, its index says {}",
            entry.digest, entry.size
        );
        let error = Error::host(format!("read {}: {what}", tarball.name));
        return Err(Failure::new(Class::Digest, error.hint(super::AGAIN)));
    }
    let children = match Document::parse(&bytes) {
        Ok(Document::Index(children)) => children,
        Ok(Document::Manifest(_)) => Vec::new(),
        Err(error) => return Err(Failure::new(Class::Image, error)),
    };
    tarball.put(&entry.media_type, &entry.digest, bytes)?;
    for child in children {
        // Of an index only some may be there.
        if tarball.documents.contains_key(&child.manifest.digest) {
            continue;
        }
        if let Some(bytes) = tarball.small(&child.manifest.digest)? {
            tarball.put(&child.manifest.media_type, &child.manifest.digest, bytes)?;
        }
    }
    Ok(())
}
