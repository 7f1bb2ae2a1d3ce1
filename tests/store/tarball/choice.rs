//! Which images of an archive are taken: by platform and by name, of none, one and several layers.
//! Separate because these archives are sound, and only a choice is to be made.

use nodeagent::host::failure::Class;
use serde_json::json;

use super::refused::with;
use super::{File, plain, saved};
use crate::support::archives::{Archive, hex};
use crate::support::images::{Dialect, Image, Layer, Packing, tar, tiny};

#[test]
fn other_platforms_are_left_out_only_beside_ours() {
    let arm = Image::index(
        "a/arm:1",
        Dialect::Oci,
        &[("linux/arm64/v8", vec![plain("arm")])],
    );
    let ours = saved("a/ours:1", &[plain("ours")]);
    let both = Image::index(
        "a/both:1",
        Dialect::Oci,
        &[
            ("linux/arm64/v8", vec![plain("x")]),
            ("linux/amd64", vec![plain("y")]),
        ],
    );
    let named =
        |names: &[(&Image, Option<&str>)]| File::new(&Archive::oci(names).pack(Packing::Plain));
    let alone = named(&[(&arm, Some("r.example/arm:1"))]);
    assert_eq!(alone.wanted(&[]).unwrap_err().class, Class::Platform);
    let beside = named(&[
        (&arm, Some("r.example/arm:1")),
        (&ours, Some("r.example/ours:1")),
        (&both, Some("r.example/both:1")),
        (&both, None),
    ]);
    let wanted = beside.wanted(&[]).unwrap();
    let names: Vec<_> = wanted.iter().map(|w| w.name.tagged().unwrap()).collect();
    assert_eq!(names, ["r.example/ours:1", "r.example/both:1"]);
    let failure = beside.wanted(&["r.example/arm:1"]).unwrap_err();
    assert_eq!(failure.class, Class::Platform);
    assert_eq!(
        beside.wanted(&["r.example/none:1"]).unwrap_err().class,
        Class::NotFound
    );
    let other = format!("r.example/ours:1@{}", arm.top.digest);
    assert_eq!(beside.wanted(&[&other]).unwrap_err().class, Class::Digest);
    assert_eq!(beside.wanted(&["r.example/ours:1"]).unwrap().len(), 1);
    // k3s takes what is there of an index; an image for this very platform that is not there is never left out.
    let layer = hex(&both.variant("linux/amd64").layers[0].blob.digest).to_owned();
    let foreign = hex(&both.variant("linux/arm64/v8").manifest.digest).to_owned();
    let archive = Archive::oci(&[
        (&both, Some("r.example/both:1")),
        (&ours, Some("r.example/ours:1")),
    ]);
    File::new(&archive.clone().without(&foreign).pack(Packing::Gzip))
        .wanted(&[])
        .unwrap();
    let failure = File::new(&archive.without(&layer).pack(Packing::Gzip))
        .wanted(&[])
        .unwrap_err();
    assert_eq!(failure.class, Class::Image);
}

#[test]
fn an_image_of_no_layers_and_one_of_twins_are_read() {
    let none = saved("a/none:1", &[]);
    let twin = Layer::from_tar(Packing::Plain, &tar(&[]));
    let twins = saved("a/twins:1", &[twin.clone(), twin]);
    let tiny = tiny("a/tiny:1", "t");
    let archive = Archive::docker(&[
        (&none, &["r.example/none:1"]),
        (&twins, &["r.example/twins:1"]),
        (&tiny, &["tiny"]),
    ]);
    let file = File::new(&archive.pack(Packing::Zstd));
    let tarball = file.open().unwrap();
    super::read_all(&tarball);
    assert!(super::names(&tarball).contains_key("docker.io/library/tiny:latest"));
}

#[test]
fn a_layout_counts_before_a_list_beside_it_and_a_whole_name_before_another() {
    let image = saved("a/one:1", &[plain("one")]);
    let archive = Archive::oci(&[(&image, Some("r.example/one:1"))]);
    let names = |archive: &Archive| {
        let file = File::new(&archive.pack(Packing::Plain));
        let wanted = file.wanted(&[]).unwrap();
        let names = wanted.iter().map(|wanted| wanted.name.tagged().unwrap());
        names.collect::<Vec<_>>()
    };
    // As docker writes since version 25, but for its being true.
    let mut both = archive.clone();
    let list = json!([{"Config": "c.json", "RepoTags": ["r.example/other:1"], "Layers": []}]);
    both.file("manifest.json", list.to_string().as_bytes());
    assert_eq!(names(&both), ["r.example/one:1"]);
    let top = &image.top;
    let annotated = |annotations: serde_json::Value| {
        let entry = json!({"mediaType": top.media_type, "digest": top.digest,
            "size": top.bytes.len(), "annotations": annotations});
        let index = json!({"schemaVersion": 2, "manifests": [entry]});
        with(&archive, "index.json", index.to_string().as_bytes())
    };
    let other = "org.opencontainers.image.ref.name";
    let whole = "io.containerd.image.name";
    let two = annotated(json!({other: "r.example/other:1", whole: "r.example/whole:1"}));
    assert_eq!(names(&two), ["r.example/whole:1"]);
    let one = annotated(json!({other: "r.example/other:1"}));
    assert_eq!(names(&one), ["r.example/other:1"]);
}
