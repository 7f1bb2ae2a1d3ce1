//! Archives of images: what each holds, that containerd's own import gives the same digests, and what is refused.
//! Separate because three containerds import every archive here, and none of ours is filled from it.

mod choice;
mod filled;
mod hostile;
mod refused;

use std::collections::BTreeMap;
use std::io::Read as _;
use std::process::Command;
use std::time::Duration;

use nodeagent::host::Root;
use nodeagent::host::failure::Failure;
use nodeagent::host::oci::{Digest, Document, Name, Platform, Source as _};
use nodeagent::store::Wanted;
use nodeagent::store::tarball::{self, Tarball};

use crate::support::archives::Archive;
use crate::support::generations::{Daemon, Generation};
use crate::support::images::small::small;
use crate::support::images::{Dialect, Entry, Image, Layer, Packing};
use crate::support::machine::run;

/// An archive in a directory of its own.
struct File(tempfile::TempDir);

impl File {
    fn new(bytes: &[u8]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a.tar"), bytes).unwrap();
        Self(dir)
    }

    fn path(&self) -> String {
        self.0.path().join("a.tar").to_str().unwrap().to_owned()
    }

    fn open(&self) -> Result<Tarball, Failure> {
        let root = Root::open(self.0.path()).unwrap();
        let opened = Tarball::open(&tarball::Archive {
            root: &root,
            path: "/a.tar",
            scratch: &root,
            scratch_dir: "/",
        });
        assert_eq!(root.list("/").unwrap(), ["a.tar"], "nothing lies about");
        opened
    }

    fn wanted(&self, only: &[&str]) -> Result<Vec<Wanted>, Failure> {
        let only: Vec<Name> = only.iter().map(|name| Name::parse(name).unwrap()).collect();
        self.open()?.wanted(&amd64(), &only)
    }
}

fn amd64() -> Platform {
    Platform::parse("linux/amd64").unwrap()
}

/// A layer that is not packed.
fn plain(content: &str) -> Layer {
    Layer::new(Packing::Plain, &[Entry::file("a", content.as_bytes())])
}

fn saved(name: &str, layers: &[Layer]) -> Image {
    Image::single(name, Dialect::Docker, layers)
}

/// All the names that an archive gives, each with its digest.
fn names(tarball: &Tarball) -> BTreeMap<String, String> {
    let wanted = tarball.wanted(&amd64(), &[]).unwrap();
    let named = wanted.iter().flat_map(|wanted| {
        let digest = wanted.name.digest().unwrap().to_string();
        let names = [&wanted.name].into_iter().chain(&wanted.also);
        names.map(move |name| (name.tagged().unwrap(), digest.clone()))
    });
    named.collect()
}

/// Reads everything that a fill would read, and compares digests and sizes.
fn read_all(tarball: &Tarball) {
    let mut session = tarball.session().unwrap();
    for wanted in tarball.wanted(&amd64(), &[]).unwrap() {
        let name = &wanted.name;
        let mut fetched = session.document(name, name.version()).unwrap();
        let tagged = session.document(name, name.tag().unwrap()).unwrap();
        assert_eq!(fetched, tagged);
        if let Document::Index(children) = Document::parse(&fetched.bytes).unwrap() {
            let mut ours = children.into_iter().filter(|c| c.platform == Some(amd64()));
            let child = ours.next().unwrap().manifest;
            fetched = session.document(name, child.digest.as_str()).unwrap();
            assert_eq!(fetched.media_type, child.media_type);
        }
        assert_eq!(Digest::of(&fetched.bytes), fetched.digest);
        let Document::Manifest(manifest) = Document::parse(&fetched.bytes).unwrap() else {
            panic!("{name}: an index in an index");
        };
        for blob in manifest.layers.iter().chain([&manifest.config]) {
            let mut bytes = Vec::new();
            let mut reader = session.blob(name, blob).unwrap();
            reader.read_to_end(&mut bytes).unwrap();
            assert_eq!(Digest::of(&bytes), blob.digest, "{name}");
            assert_eq!(bytes.len() as u64, blob.size, "{name}");
        }
    }
}

/// Archives of all formats, each with names that no other has.
fn archives() -> Vec<(&'static str, Archive)> {
    let shared = plain("shared");
    let one = saved("a/one:1", &[shared.clone(), plain("one")]);
    let two = saved("a/two:1", &[shared.clone(), plain("two")]);
    let zstd = Layer::new(Packing::Zstd, &[Entry::file("z", b"z")]);
    let packed = saved("a/packed:1", &[Layer::new(Packing::Gzip, &[]), zstd]);
    let small = small(b"a program");
    let oci: Vec<String> = small
        .iter()
        .map(|image| image.tagged("oci.example"))
        .collect();
    let oci: Vec<_> = small
        .iter()
        .zip(&oci)
        .map(|(image, name)| (image, Some(name.as_str())))
        .collect();
    vec![
        (
            "docker",
            Archive::docker(&[
                (&one, &["docker.example/a/one:1", "docker.example/b/one:1"]),
                (&two, &["docker.example/a/two:1"]),
            ]),
        ),
        (
            "crane",
            Archive::crane(&[
                (&packed, &["crane.example/a/packed:1"]),
                (&small[0], &["crane.example/a/pause:3.9"]),
            ]),
        ),
        ("oci", Archive::oci(&oci)),
    ]
}

#[test]
fn every_containerd_imports_an_archive_to_the_same_digests() {
    let archives = archives();
    for generation in Generation::ALL {
        let daemon = Daemon::start(generation).unwrap();
        let mut want = BTreeMap::new();
        for (what, archive) in &archives {
            for packing in [Packing::Plain, Packing::Gzip, Packing::Zstd] {
                let file = File::new(&archive.pack(packing));
                let tarball = file
                    .open()
                    .unwrap_or_else(|error| panic!("{what}: {error}"));
                read_all(&tarball);
                want.extend(names(&tarball));
                if packing == Packing::Plain {
                    daemon
                        .ctr_ok(&["images", "import", "--no-unpack", &file.path()])
                        .unwrap();
                }
            }
        }
        let listed = daemon.ctr_ok(&["images", "ls"]).unwrap();
        let have: BTreeMap<String, String> = listed
            .lines()
            .skip(1)
            .map(|line| {
                let mut words = line.split_whitespace();
                let name = words.next().unwrap().to_owned();
                (name, words.nth(1).unwrap().to_owned())
            })
            .collect();
        assert_eq!(want, have, "{}", generation.name());
        assert!(want.len() >= 14, "{want:?}");
        daemon.stop().unwrap();
    }
}

#[test]
fn what_skopeo_writes_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let image = saved("a/one:1", &[plain("one"), Layer::new(Packing::Gzip, &[])]);
    let archive = Archive::oci(&[(&image, Some("r.example/a/one:1"))]);
    std::fs::write(at("ours.tar"), archive.pack(Packing::Plain)).unwrap();
    let skopeo = |from: &str, to: &str| {
        let mut command = Command::new("skopeo");
        command.args(["copy", "--quiet", from, to]);
        run::ok(&mut command, Duration::from_secs(60)).unwrap();
    };
    let ours = format!("oci-archive:{}", at("ours.tar"));
    skopeo(
        &ours,
        &format!("docker-archive:{}:r.example/a/docker:1", at("docker.tar")),
    );
    skopeo(
        &ours,
        &format!("oci-archive:{}:r.example/a/oci:1", at("oci.tar")),
    );
    skopeo(&ours, &format!("oci-archive:{}:only-a-tag", at("tag.tar")));
    let daemon = Daemon::start(Generation::V17).unwrap();
    for (file, name) in [("docker.tar", "docker"), ("oci.tar", "oci")] {
        let file = File::new(&std::fs::read(at(file)).unwrap());
        let tarball = file.open().unwrap();
        read_all(&tarball);
        let name = format!("r.example/a/{name}:1");
        daemon
            .ctr_ok(&["images", "import", "--no-unpack", &file.path()])
            .unwrap();
        let listed = daemon
            .ctr_ok(&["images", "ls", &format!("name=={name}")])
            .unwrap();
        let digest = &names(&tarball)[&name];
        assert!(listed.contains(digest), "{digest}: {listed}");
    }
    // A tag alone is no name; somebody must give one.
    let file = File::new(&std::fs::read(at("tag.tar")).unwrap());
    let failure = file.wanted(&[]).unwrap_err();
    assert!(failure.to_string().contains("no names"), "{failure}");
    let listed = file.open().unwrap().list(&amd64()).unwrap();
    let name = format!("r.example/given:1@{}", listed[0].digest);
    assert_eq!(file.wanted(&[&name]).unwrap()[0].name.to_string(), name);
    daemon.stop().unwrap();
}
