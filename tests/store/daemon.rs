//! containerd itself: what our client and our daemon do with all three generations.
//! Separate because it needs neither a registry nor a real image.

mod chroot;
mod content;
mod facts;
mod images;
pub(super) mod overlay;
mod refused;
mod rig;
mod service;
mod snapshots;
mod standalone;

use crate::support::generations::{Daemon, Generation};
use nodeagent::host::containerd::{Client, Containerd, Facts, Image, Labels, Target};
use nodeagent::host::oci::{Descriptor, Digest};
use std::path::PathBuf;

/// kubelet's.
const NAMESPACE: &str = "k8s.io";

/// Runs a test on a daemon of each generation.
fn each(test: impl Fn(&Daemon, Client)) {
    for generation in Generation::ALL {
        let daemon = Daemon::start(generation).unwrap();
        let client = Client::connect(&daemon.socket(), NAMESPACE).unwrap();
        client.make_namespace().unwrap();
        test(&daemon, client);
        daemon.stop().unwrap();
    }
}

/// Runs a test with the daemon program of each generation.
fn each_program(test: impl Fn(Generation, &str)) {
    for generation in Generation::ALL {
        let program = generation.programs().unwrap().containerd;
        test(generation, program.to_str().unwrap());
    }
}

fn labels(all: &[(&str, &str)]) -> Labels {
    let owned = all
        .iter()
        .map(|(name, value)| ((*name).into(), (*value).into()));
    owned.collect()
}

fn descriptor(bytes: &[u8]) -> Descriptor {
    Descriptor {
        media_type: "application/vnd.oci.image.layer.v1.tar".to_owned(),
        digest: Digest::of(bytes),
        size: bytes.len() as u64,
    }
}

fn file(facts: &Facts, digest: &Digest) -> PathBuf {
    facts.content.join("blobs/sha256").join(digest.hex())
}

fn place(client: &Client, bytes: &[u8]) -> Descriptor {
    let blob = descriptor(bytes);
    let path = file(&client.facts().unwrap(), &blob.digest);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
    blob
}

fn image(name: &str, target: &Descriptor, more: &[(&str, &str)]) -> Image {
    Image {
        name: name.to_owned(),
        target: Target {
            media_type: "application/vnd.oci.image.manifest.v1+json".to_owned(),
            digest: target.digest.clone(),
            size: target.size,
        },
        labels: labels(more),
    }
}

fn digests(client: &Client) -> Vec<Digest> {
    let mut all: Vec<_> = client
        .content()
        .unwrap()
        .into_iter()
        .map(|blob| blob.digest)
        .collect();
    all.sort();
    all
}

fn names(client: &Client) -> Vec<String> {
    let mut all: Vec<_> = client
        .snapshots()
        .unwrap()
        .into_iter()
        .map(|snapshot| snapshot.name)
        .collect();
    all.sort();
    all
}
