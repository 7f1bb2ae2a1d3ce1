//! Docker's own format: `manifest.json`, configurations and layers. It has no manifests as registries have them.
//! It is separate because one is made here, byte for byte as containerd's importer makes it into an empty store, so that
//! an image has the same digest whichever of the two imported it.

use std::io::Read as _;

use serde::Deserialize;
use sha2::Digest as _;

use super::layout::IMAGES;
use super::list::Named;
use super::scan::{File, Files};
use super::{Held, Tarball, of_io};
use crate::host::failure::{Class, Failure};
use crate::host::oci::{Digest, ImageConfig};

/// Docker's media types (containerd core/images/mediatypes.go).
const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const CONFIG: &str = "application/vnd.docker.container.image.v1+json";
const LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar";
/// containerd gives this one to every layer that is packed, by whatever.
const PACKED: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";

#[derive(Deserialize)]
struct Listed {
    #[serde(rename = "Config")]
    config: String,
    #[serde(rename = "RepoTags", default)]
    names: Option<Vec<String>>,
    #[serde(rename = "Layers", default)]
    layers: Option<Vec<String>>,
}

/// Takes in the blobs, makes the manifests, and gives the images.
pub(super) fn read(
    tarball: &mut Tarball,
    manifest: &[u8],
    files: &Files,
) -> Result<Vec<Named>, Failure> {
    let images: Vec<Listed> = serde_json::from_slice(manifest)
        .map_err(|error| tarball.bad(format!("its manifest.json: {error}")))?;
    if images.len() > IMAGES {
        return Err(tarball.bad(format!("it lists {} images", images.len())));
    }
    let mut named = Vec::new();
    for image in images {
        let digest = take(tarball, &image, files)?;
        let names = image.names.unwrap_or_default();
        if names.is_empty() {
            let digest = digest.clone();
            named.push(Named { name: None, digest });
        }
        for name in names {
            named.push(Named {
                name: Some(tarball.name_of(&name)?),
                digest: digest.clone(),
            });
        }
    }
    Ok(named)
}

/// Takes in one image; the digest of the manifest that was made for it.
fn take(tarball: &mut Tarball, image: &Listed, files: &Files) -> Result<Digest, Failure> {
    let Some(config) = files.get(&image.config) else {
        return Err(tarball.bad(format!("the configuration {} is missing", image.config)));
    };
    let bytes = tarball.all_of(config.held)?;
    let parsed = ImageConfig::parse(&bytes).map_err(|error| Failure::new(Class::Image, error))?;
    let layers = image.layers.as_deref().unwrap_or_default();
    if layers.len() != parsed.diff_ids.len() {
        let (has, says) = (layers.len(), parsed.diff_ids.len());
        let what = format!("{} has {has} layers, its list says {says}", image.config);
        return Err(tarball.bad(what));
    }
    let mut descriptors = Vec::new();
    for (path, diff_id) in layers.iter().zip(&parsed.diff_ids) {
        let Some(file) = files.get(path) else {
            return Err(tarball.bad(format!("the layer {path} is missing")));
        };
        let (media_type, digest) = layer(tarball, file, diff_id)?;
        descriptors.push(descriptor(media_type, &digest, file.held.size));
        tarball.blobs.insert(digest, file.held);
    }
    let id = Digest::of(&bytes);
    // The order and the spelling are those of Go's encoding/json for containerd's type.
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","config":{},"layers":[{}]}}"#,
        descriptor(CONFIG, &id, config.held.size),
        descriptors.join(",")
    );
    tarball.blobs.insert(id, config.held);
    let digest = Digest::of(manifest.as_bytes());
    tarball.put(MANIFEST, &digest, manifest.into_bytes())?;
    Ok(digest)
}

fn descriptor(media_type: &str, digest: &Digest, size: u64) -> String {
    format!(r#"{{"mediaType":"{media_type}","digest":"{digest}","size":{size}}}"#)
}

/// A layer's type and digest. One that is not packed has the digest that the configuration says its tar has: where its
/// bytes were not read yet, whoever reads them compares it.
fn layer(
    tarball: &Tarball,
    file: &File,
    diff_id: &Digest,
) -> Result<(&'static str, Digest), Failure> {
    let packed = is_packed(tarball, file.held)?;
    let media_type = if packed { PACKED } else { LAYER };
    let digest = match &file.digest {
        Some(digest) => digest.clone(),
        None if packed => digest(tarball, file.held)?,
        None => diff_id.clone(),
    };
    if !packed && digest != *diff_id {
        return Err(tarball.other_digest(diff_id));
    }
    Ok((media_type, digest))
}

/// Whether containerd takes it for packed (pkg/archive/compression, DetectCompression): gzip, or zstd with whatever
/// skippable frames before.
fn is_packed(tarball: &Tarball, held: Held) -> Result<bool, Failure> {
    let mut head = Vec::new();
    let mut reader = tarball.store.reader(held).take(4);
    reader
        .read_to_end(&mut head)
        .map_err(|error| of_io(&tarball.name, error))?;
    Ok(matches!(
        head.as_slice(),
        [0x1f, 0x8b, 0x08, _] | [0x28, 0xb5, 0x2f, 0xfd] | [0x50..=0x5f, 0x2a, 0x4d, 0x18]
    ))
}

/// The digest of a file's bytes.
fn digest(tarball: &Tarball, held: Held) -> Result<Digest, Failure> {
    let mut reader = tarball.store.reader(held);
    let mut hash = sha2::Sha256::new();
    let mut buffer = vec![0; 256 << 10];
    loop {
        let count = reader
            .read(&mut buffer)
            .map_err(|error| of_io(&tarball.name, error))?;
        match buffer.get(..count) {
            Some(part) if count > 0 => hash.update(part),
            _ => return Ok(Digest::from_hash(&hash.finalize().into())),
        }
    }
}
