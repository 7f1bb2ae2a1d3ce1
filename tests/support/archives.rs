//! Archives of images made in memory: docker's format as several tools write it, and OCI layouts.
//! Separate because a store, a registry and the tool that imports all get the same images, and no tool makes broken ones.
#![allow(
    dead_code,
    reason = "a shared toolbox: which part is used changes with the tests"
)]

use std::io::Write as _;

use serde_json::{Value, json};

use super::images::{Document, Entry, Image, Packing, Variant, tar};

/// An archive that is being put together, file by file.
#[derive(Debug, Clone, Default)]
pub(crate) struct Archive {
    pub(crate) entries: Vec<Entry>,
    names: Vec<String>,
}

impl Archive {
    /// Adds a file; one of that name that is there stays.
    pub(crate) fn file(&mut self, name: &str, content: &[u8]) {
        if !self.names.iter().any(|known| known == name) {
            self.names.push(name.to_owned());
            self.entries.push(Entry::file(name, content));
        }
    }

    /// What `docker image save` wrote before version 25: a directory a layer, the list last. A layer that is there
    /// already is a link.
    pub(crate) fn docker(images: &[(&Image, &[&str])]) -> Self {
        let mut archive = Self::default();
        let mut list = Vec::new();
        for (image, names) in images {
            let variant = &image.variants[0];
            let mut layers = Vec::new();
            for (at, layer) in variant.layers.iter().enumerate() {
                let own = hex(&layer.blob.digest);
                let dir = format!("{}{at}", &variant.config.digest[7..40]);
                let first = format!("{own}/layer.tar");
                let path = format!("{dir}/layer.tar");
                if archive.names.contains(&first) {
                    archive.entries.push(Entry::dir(&format!("{dir}/")));
                    let to = format!("../{first}");
                    archive.entries.push(Entry::symlink(&path, &to));
                    layers.push(path);
                } else {
                    archive.entries.push(Entry::dir(&format!("{own}/")));
                    archive.file(&format!("{own}/VERSION"), b"1.0");
                    archive.file(&first, &layer.blob.bytes);
                    layers.push(first);
                }
            }
            let config = format!("{}.json", hex(&variant.config.digest));
            archive.file(&config, &variant.config.bytes);
            list.push(json!({"Config": config, "RepoTags": names, "Layers": layers}));
        }
        archive.file("manifest.json", Value::from(list).to_string().as_bytes());
        archive.file("repositories", b"{}");
        archive
    }

    /// What `crane pull` writes: packed layers beside each other, the configuration under its digest.
    pub(crate) fn crane(images: &[(&Image, &[&str])]) -> Self {
        let mut archive = Self::default();
        let mut list = Vec::new();
        for (image, names) in images {
            let variant = &image.variants[0];
            archive.file(&variant.config.digest, &variant.config.bytes);
            let mut layers = Vec::new();
            for layer in &variant.layers {
                let path = format!("{}.tar.gz", hex(&layer.blob.digest));
                archive.file(&path, &layer.blob.bytes);
                layers.push(path);
            }
            list.push(
                json!({"Config": variant.config.digest, "RepoTags": names, "Layers": layers}),
            );
        }
        archive.file("manifest.json", Value::from(list).to_string().as_bytes());
        archive
    }

    /// An OCI layout; each image under `io.containerd.image.name`, or without a name.
    pub(crate) fn oci(images: &[(&Image, Option<&str>)]) -> Self {
        let mut archive = Self::default();
        archive.file("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#);
        archive.entries.push(Entry::dir("blobs/"));
        archive.entries.push(Entry::dir("blobs/sha256/"));
        let mut list = Vec::new();
        for (image, name) in images {
            archive.variants(&image.variants);
            archive.document(&image.top);
            let (top, size) = (&image.top, image.top.bytes.len());
            let mut entry =
                json!({"mediaType": top.media_type, "digest": top.digest, "size": size});
            if let Some(name) = name {
                entry["annotations"] = json!({"io.containerd.image.name": name});
            }
            list.push(entry);
        }
        let index = json!({"schemaVersion": 2, "manifests": list});
        archive.file("index.json", index.to_string().as_bytes());
        archive
    }

    fn variants(&mut self, variants: &[Variant]) {
        for variant in variants {
            for layer in &variant.layers {
                self.blob(&layer.blob.digest, &layer.blob.bytes);
            }
            self.blob(&variant.config.digest, &variant.config.bytes);
            self.document(&variant.manifest);
        }
    }

    fn document(&mut self, document: &Document) {
        self.blob(&document.digest, &document.bytes);
    }

    /// Adds a blob of a layout.
    pub(crate) fn blob(&mut self, digest: &str, bytes: &[u8]) {
        self.file(&format!("blobs/sha256/{}", hex(digest)), bytes);
    }

    /// Without the files whose name has this in it.
    pub(crate) fn without(mut self, part: &str) -> Self {
        let names = std::mem::take(&mut self.names);
        self.entries.retain(|entry| {
            !names
                .iter()
                .any(|name| name.contains(part) && entry.is(name))
        });
        self.names = names
            .into_iter()
            .filter(|name| !name.contains(part))
            .collect();
        self
    }

    /// The archive as it lies in a file.
    pub(crate) fn pack(&self, packing: Packing) -> Vec<u8> {
        let plain = tar(&self.entries);
        match packing {
            Packing::Plain => plain,
            Packing::Gzip => {
                let level = flate2::Compression::fast();
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
                encoder.write_all(&plain).unwrap();
                encoder.finish().unwrap()
            }
            // As RKE2's releases are packed: zstd --long=25.
            Packing::Zstd => {
                let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
                encoder.long_distance_matching(true).unwrap();
                encoder.window_log(25).unwrap();
                encoder.write_all(&plain).unwrap();
                encoder.finish().unwrap()
            }
        }
    }
}

/// The digits of a digest.
pub(crate) fn hex(digest: &str) -> &str {
    digest.strip_prefix("sha256:").unwrap()
}
