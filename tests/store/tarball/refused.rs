//! Archives that are cut off, incomplete, lying or hostile: each is an error of its class, and nothing is left of it.
//! Separate because every row is one way in which an archive was seen, or can be made, to be wrong.

use nodeagent::host::failure::Class;
use serde_json::json;

use super::{File, plain, saved};
use crate::support::archives::{Archive, hex};
use crate::support::images::{Image, Packing};

/// An archive of docker's with one image.
pub(super) fn docker() -> (Image, Archive) {
    let image = saved("a/b:1", &[plain("one"), plain("two")]);
    let archive = Archive::docker(&[(&image, &["r.example/a/b:1"])]);
    (image, archive)
}

/// A layout with one image.
pub(super) fn oci() -> (Image, Archive) {
    let image = saved("a/b:1", &[plain("one"), plain("two")]);
    let archive = Archive::oci(&[(&image, Some("r.example/a/b:1"))]);
    (image, archive)
}

pub(super) fn with(archive: &Archive, name: &str, content: &[u8]) -> Archive {
    let mut changed = archive.clone().without(name);
    changed.file(name, content);
    changed
}

/// An archive with only a list of images in docker's format.
pub(super) fn listing(list: &serde_json::Value) -> Archive {
    let mut archive = Archive::default();
    archive.file("manifest.json", list.to_string().as_bytes());
    archive
}

/// What is wrong, the archive, the class of the failure, and what it says.
type Row = (&'static str, Archive, Class, &'static str);

fn refused(rows: Vec<Row>) {
    for (what, archive, class, said) in rows {
        for packing in [Packing::Plain, Packing::Zstd] {
            let file = File::new(&archive.pack(packing));
            let failure = file.wanted(&[]).expect_err(what);
            assert_eq!(failure.class, class, "{what}: {failure}");
            let line = failure.error.one_line();
            assert!(
                line.contains(said) && line.contains("/a.tar"),
                "{what}: {line}"
            );
            assert!(failure.error.next_step().is_some(), "{what}: {line}");
        }
    }
}

#[test]
fn lists_of_docker_that_are_not_whole_or_not_true_are_refused() {
    let (image, docker) = docker();
    let variant = &image.variants[0];
    let (config, layer) = (&variant.config, &variant.layers[0].blob);
    let many: Vec<_> = (0..5000)
        .map(|_| json!({"Config": "c", "Layers": []}))
        .collect();
    let short = json!({"architecture": "amd64", "os": "linux", "rootfs": {"diff_ids": []}});
    let config_name = format!("{}.json", hex(&config.digest));
    refused(vec![
        (
            "no list",
            docker.clone().without("manifest.json"),
            Class::Image,
            "no archive of images",
        ),
        (
            "nothing",
            Archive::default(),
            Class::Image,
            "no archive of images",
        ),
        (
            "a list of nothing",
            listing(&json!([])),
            Class::Platform,
            "no image for linux/amd64",
        ),
        (
            "no JSON",
            with(&docker, "manifest.json", b"[{"),
            Class::Image,
            "manifest.json",
        ),
        (
            "another JSON",
            with(&docker, "manifest.json", b"{}"),
            Class::Image,
            "manifest.json",
        ),
        (
            "too many",
            listing(&many.into()),
            Class::Image,
            "lists 5000 images",
        ),
        (
            "no configuration",
            docker.clone().without(&config_name),
            Class::Image,
            "is missing",
        ),
        (
            "no layer",
            docker.clone().without(hex(&layer.digest)),
            Class::Image,
            "is missing",
        ),
        (
            "layers unlike the configuration",
            with(&docker, &config_name, short.to_string().as_bytes()),
            Class::Image,
            "has 2 layers, its list says 0",
        ),
        (
            "a path outside",
            listing(&json!([{"Config": "../../etc/passwd", "Layers": ["/etc/shadow"]}])),
            Class::Image,
            "is missing",
        ),
        (
            "a bad name",
            {
                let list = json!([{"Config": config_name, "RepoTags": ["r.example/UPPER:1"],
                    "Layers": [format!("{}/layer.tar", hex(&layer.digest)),
                               format!("{}/layer.tar", hex(&variant.layers[1].blob.digest))]}]);
                with(&docker, "manifest.json", list.to_string().as_bytes())
            },
            Class::Image,
            "a name in it",
        ),
    ]);
}

#[test]
fn layouts_that_are_not_whole_or_not_true_are_refused() {
    let (image, oci) = oci();
    let variant = &image.variants[0];
    let (config, layer) = (&variant.config, &variant.layers[0].blob);
    let index = |entry: serde_json::Value| {
        let index = json!({"schemaVersion": 2, "manifests": [entry]});
        with(&oci, "index.json", index.to_string().as_bytes())
    };
    let top = &image.top;
    let sized =
        |size: u64| json!({"mediaType": top.media_type, "digest": top.digest, "size": size});
    let blob =
        |digest: &str, bytes: &[u8]| with(&oci, &format!("blobs/sha256/{}", hex(digest)), bytes);
    refused(vec![
        (
            "no index",
            oci.clone().without("index.json"),
            Class::Image,
            "no index.json",
        ),
        (
            "another version",
            with(&oci, "oci-layout", br#"{"imageLayoutVersion":"2.0.0"}"#),
            Class::Image,
            "of version \"2.0.0\"",
        ),
        (
            "no manifest",
            oci.clone().without(hex(&top.digest)),
            Class::Image,
            "does not hold it",
        ),
        (
            "no config",
            oci.clone().without(hex(&config.digest)),
            Class::Image,
            "is missing",
        ),
        (
            "no blob",
            oci.clone().without(hex(&layer.digest)),
            Class::Image,
            "is missing",
        ),
        (
            "another manifest",
            blob(&top.digest, b"{}"),
            Class::Digest,
            "another digest",
        ),
        (
            "another config",
            blob(&config.digest, b"{}"),
            Class::Digest,
            "another digest",
        ),
        (
            "a shorter layer",
            blob(&layer.digest, b"x"),
            Class::Digest,
            "",
        ),
        (
            "a wrong size",
            index(sized(7)),
            Class::Digest,
            "its index says 7",
        ),
        (
            "no digest",
            index(json!({"mediaType": "m", "digest": "sha256:../../x", "size": 1})),
            Class::Image,
            "index.json",
        ),
        (
            "no digest as a name",
            with(&oci, "blobs/sha256/zz", b"x"),
            Class::Image,
            "is no digest",
        ),
    ]);
}
