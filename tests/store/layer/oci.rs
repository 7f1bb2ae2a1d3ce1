//! Images as archives, and what containerd makes of them: where its snapshots of each layer lie.
//! It is separate because importing an image and finding its directories says nothing about trees.

use std::path::{Path, PathBuf};

use nodeagent::host::root::sha256;
use serde_json::json;

use super::build::{Tar, entry};
use crate::support::generations::Daemon;

/// An OCI layout in one archive, of an image with these layers.
pub(super) fn archive(name: &str, layers: &[Vec<u8>]) -> Vec<u8> {
    let digest = |bytes: &[u8]| format!("sha256:{}", sha256(bytes));
    let described = |kind: &str, bytes: &[u8]| {
        let kind = format!("application/vnd.oci.image.{kind}");
        json!({"mediaType": kind, "digest": digest(bytes), "size": bytes.len()})
    };
    let config = json!({
        "architecture": "amd64", "os": "linux", "config": {},
        "rootfs": {"type": "layers", "diff_ids": layers.iter().map(|l| digest(l)).collect::<Vec<_>>()},
    });
    let config = config.to_string().into_bytes();
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": described("config.v1+json", &config),
        "layers": layers.iter().map(|l| described("layer.v1.tar", l)).collect::<Vec<_>>(),
    });
    let manifest = manifest.to_string().into_bytes();
    let mut described = described("manifest.v1+json", &manifest);
    described["annotations"] = json!({"io.containerd.image.name": name});
    let index = json!({"schemaVersion": 2, "manifests": [described]}).to_string();
    let mut tar = Tar::default()
        .file("oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#)
        .file("index.json", &index);
    let mut blobs: Vec<&Vec<u8>> = layers.iter().chain([&config, &manifest]).collect();
    blobs.sort();
    blobs.dedup();
    for blob in blobs {
        let path = format!("blobs/sha256/{}", sha256(blob));
        tar = tar.add(entry(b'0', &path).content(blob.as_slice()));
    }
    tar.end()
}

/// The name of the snapshot that these layers make.
fn chain(layers: &[Vec<u8>]) -> String {
    let mut ids = layers
        .iter()
        .map(|layer| format!("sha256:{}", sha256(layer)));
    let first = ids.next().unwrap();
    ids.fold(first, |chain, id| {
        format!("sha256:{}", sha256(format!("{chain} {id}").as_bytes()))
    })
}

/// Has containerd import and unpack an image; where each layer lies, the lowest first.
pub(super) fn import(
    daemon: &Daemon,
    scratch: &Path,
    name: &str,
    layers: &[Vec<u8>],
) -> Result<Vec<PathBuf>, String> {
    let file = scratch.join("image.tar");
    std::fs::write(&file, archive(name, layers)).unwrap();
    daemon.ctr_ok(&["images", "import", file.to_str().unwrap()])?;
    let view = format!("view-{name}");
    let said = daemon.ctr_ok(&["snapshots", "view", "-t", "/nowhere", &view, &chain(layers)])?;
    let mut dirs = lowers(&said);
    dirs.reverse();
    assert_eq!(dirs.len(), layers.len(), "{said}");
    Ok(dirs)
}

/// The directories in the mount command that ctr prints.
fn lowers(said: &str) -> Vec<PathBuf> {
    let words = || said.split([' ', ',', '\n']);
    match words().find_map(|word| word.strip_prefix("lowerdir=")) {
        Some(dirs) => dirs.split(':').map(PathBuf::from).collect(),
        // One layer alone is bound.
        None => words()
            .filter(|word| word.starts_with('/') && word.ends_with("/fs"))
            .map(PathBuf::from)
            .collect(),
    }
}
