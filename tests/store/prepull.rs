//! A bake that pulls images with RKE2's own containerd, from a registry that lies at first: the lists, the record, the
//! manifest.
//! It is separate because the whole way from a policy to a sealed tree is gone, with a daemon in that tree.

use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;

use crate::sandbox::debian;
use crate::support::generations::Generation;
use crate::support::images::small::tiny;
use crate::support::images::{Dialect, Image};
use crate::support::lying::{Lie, Lying};
use crate::support::machine::tree::Tree;
use crate::support::namespace::{empty, in_namespaces_of_mounts};
use crate::support::offline::{code, command, policy};

/// Off the tree's overlay.
const STORE: &str = "/var/lib/containerd/prepull";
/// As kind `artifact` stages it.
const STAGED: &str = "var/lib/rancher/rke2/data/v1.34.1-rke2r1-0123456789ab/bin/containerd";
const UNIT: &str =
    "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n";

/// Images that fail at first, each with the class.
const BAD: [(&str, &str); 4] = [
    ("bytes", "digest"),
    ("broken", "registry"),
    ("gone", "not-found"),
    ("denied", "auth"),
];

struct Build {
    tree: Tree,
    registry: Lying,
    policy: tempfile::TempDir,
}

impl Build {
    fn new() -> Self {
        let tree = debian("store-prepull");
        for name in ["demo.service", "noise.service"] {
            let at = tree.path().join("usr/lib/systemd/system").join(name);
            std::fs::write(at, UNIT).unwrap();
        }
        let staged = tree.path().join(STAGED);
        std::fs::create_dir_all(staged.parent().unwrap()).unwrap();
        std::fs::copy(Generation::V2.programs().unwrap().containerd, staged).unwrap();
        let registry = Lying::start();
        let mut images = vec![tiny("k8s/good:1", "good"), foreign()];
        images.extend(BAD.map(|(name, _)| tiny(&format!("k8s/{name}:1"), name)));
        let mut text = "schema = 1\n".to_owned();
        for image in &images {
            registry.hold(image);
            text += &entry(image, &registry.host());
        }
        let policy = folder(&text);
        Self {
            tree,
            registry,
            policy,
        }
    }

    fn verb(&self, args: &[&str]) -> Output {
        let root = self.tree.path();
        let mut command = command(&["--root", root.to_str().unwrap()]);
        command.args(args).output().unwrap()
    }

    fn bake(&self) -> Output {
        let policy = self.policy.path().to_str().unwrap();
        self.verb(&["bake", "--profile", "mini", "--policy", policy])
    }

    fn file(&self, name: &str) -> String {
        let path = self.tree.path().join("etc/packer-build").join(name);
        std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    }

    /// Lies about each bad image, or nothing but the truth.
    fn lie(&self, lies: bool) {
        let all = [
            ("k8s/bytes/blobs", Lie::Corrupt),
            ("k8s/broken/blobs", Lie::Status(500, vec![])),
            ("k8s/gone/manifests", Lie::Status(404, vec![])),
            ("k8s/denied/blobs", Lie::Status(403, vec![])),
        ];
        for (part, lie) in all {
            self.registry
                .always(part, if lies { lie } else { Lie::Truth });
        }
    }
}

/// An index without our platform.
fn foreign() -> Image {
    let layers = tiny("k8s/x:1", "foreign").variants[0].layers.clone();
    Image::index("k8s/foreign:1", Dialect::Oci, &[("linux/s390x", layers)])
}

fn entry(image: &Image, host: &str) -> String {
    let may = if image.repository.ends_with("foreign") {
        "record"
    } else {
        "fail"
    };
    // One of them without its layers.
    let keep = !image.repository.ends_with("good");
    format!(
        "[[image]]\nref = {:?}\nstore = {STORE:?}\nplain_http = true\non_failure = {may:?}\n\
         keep_layers = {keep}\n\
         platform = \"linux/amd64\"\nreason = \"a node needs it\"\n",
        image.pinned(host)
    )
}

/// The policy of the offline tests, with these entries.
fn folder(text: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("profiles")).unwrap();
    let copy = |name: &str| std::fs::read_to_string(policy().join(name)).unwrap();
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    write("90-mini.toml", &copy("90-mini.toml"));
    write("91-images.toml", text);
    let profile = copy("profiles/mini.toml");
    let both = "\"90-mini.toml\", \"91-images.toml\",";
    write(
        "profiles/mini.toml",
        &profile.replace("\"90-mini.toml\",", both),
    );
    dir
}

/// Lines of a list, in words apart by tabs.
fn lines(text: &str) -> Vec<Vec<String>> {
    let words = |line: &str| line.split('\t').map(str::to_owned).collect();
    text.lines().map(words).collect()
}

#[test]
fn what_a_registry_lied_about_is_listed_by_class_and_had_later() {
    let build = Build::new();
    in_namespaces_of_mounts(|| {
        empty("/run");
        build.lie(true);
        assert_eq!(code(&build.bake()), 1);
        let failures = lines(&build.file("prepull-failures.txt"));
        assert_eq!(failures.len(), BAD.len() + 1, "{failures:?}");
        for (name, class) in BAD.iter().chain([&("foreign", "platform")]) {
            let named = |line: &&Vec<String>| line[0].contains(&format!("/k8s/{name}:1@sha256:"));
            let line = failures.iter().find(named).unwrap();
            assert_eq!((line.len(), line[1].as_str()), (3, *class), "{line:?}");
        }
        let pulled = build.file("prepulled-images.txt");
        assert!(
            pulled.lines().count() == 1 && pulled.contains("/k8s/good:1@"),
            "{pulled}"
        );

        build.lie(false);
        assert_eq!(code(&build.bake()), 0);
        let failures = build.file("prepull-failures.txt");
        assert!(
            failures.lines().count() == 1 && failures.contains("\tplatform\t"),
            "{failures}"
        );
        assert_eq!(build.file("prepulled-images.txt").lines().count(), 5);
        layers_are_kept(&build);
        assert_eq!(code(&build.verb(&["generalize"])), 0);
        filled_by(&build);
        std::fs::remove_dir_all(within(&build.tree.path(), STORE)).unwrap();
    });
}

/// The layers of all images but of the one that is to be without.
fn layers_are_kept(build: &Build) {
    let blobs = format!("{STORE}/io.containerd.content.v1.content/blobs/sha256");
    let blobs = within(&build.tree.path(), &blobs);
    for (name, kept) in [("good", false), ("bytes", true)] {
        let image = tiny(&format!("k8s/{name}:1"), name);
        let digest = &image.variants[0].layers[0].blob.digest;
        let file = blobs.join(digest.trim_start_matches("sha256:"));
        assert_eq!(file.exists(), kept, "{name}");
    }
}

fn within(root: &Path, path: &str) -> PathBuf {
    root.join(path.trim_start_matches('/'))
}

/// Record and manifest name the containerd that filled the store, and that it was RKE2's own.
fn filled_by(build: &Build) {
    let record: Value = serde_json::from_str(&build.file("bake-record.json")).unwrap();
    let notes: Vec<&str> = (record["runs"].as_array().unwrap().iter())
        .flat_map(|run| run["steps"].as_array().unwrap())
        .filter_map(|step| step["notes"].as_array())
        .flatten()
        .filter_map(Value::as_str)
        .filter(|note| note.starts_with("containerd "))
        .collect();
    let program = format!("/{STAGED}");
    let wanted = format!("({program}; RKE2's own): staged as v1.34.1-rke2r1-0123456789ab");
    assert!(notes.iter().any(|note| note.contains(&wanted)), "{notes:?}");
    let manifest: Value = serde_json::from_str(&build.file("image-manifest.json")).unwrap();
    let entries = manifest["entries"].as_object().unwrap();
    let images: Vec<_> = entries
        .iter()
        .filter(|(id, _)| id.starts_with("image:"))
        .collect();
    assert_eq!(images.len(), BAD.len() + 2);
    for (id, fact) in images {
        let by = &fact["observed"]["filled_by"];
        assert_eq!(
            by["program"].as_str(),
            Some(program.as_str()),
            "{id}: {fact}"
        );
        assert!(
            by["version"].as_str().unwrap().contains('2') && by["rke2"] == true,
            "{by}"
        );
    }
}
