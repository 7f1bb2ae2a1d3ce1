//! The Ubuntu profile as it is shipped, baked by the real binary into a Debian tree that says it is Ubuntu 22.04.
//! Separate because no Ubuntu package can be had here: this proves what of the profile does not depend on one.
//!
//! Its images come from a real registry into a real store: a file system of its own in the tree, since the tree lies on an
//! overlay. The containerd is the stock tree's, where a real build has RKE2's.

use crate::support::images::small::tiny;
use crate::support::machine::{pool, rootfs, tree::Tree};
use crate::support::namespace;
use crate::support::offline::{code, command, json};
use crate::support::registry::{Registry, Storage};
use crate::support::tarball;
use serde_json::Value;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::Instant;

const PROFILE: &str = "rke2-ubuntu2204";
const UBUNTU: &str = "NAME=\"Ubuntu\"\nPRETTY_NAME=\"Ubuntu 22.04.4 LTS\"\nID=ubuntu\nID_LIKE=debian\nVERSION_ID=\"22.04\"\n";
const STORE: &str = "var/lib/rancher/rke2/agent/containerd";
/// What neither source gives, and where this build has RKE2's files.
const SETTINGS: [&str; 9] = [
    "--set=csi_attacher_version=v4",
    "--set=csi_resizer_version=v1",
    "--set=csi_snapshotter_version=v7",
    "--set=csi_node_driver_registrar_version=v2",
    "--set=kube_vip_image=kube-vip:v0",
    "--set=cert_manager_image=cert-manager-controller:v1",
    "--set=rke2_artifacts=/var/tmp/rke2-artifacts",
    "--set=registry_plain_http=true",
    "--set=image_containerd=/usr/bin/containerd",
];
/// The profile's images with these settings.
const IMAGES: [&str; 9] = [
    "provider-os/openstack-cloud-controller-manager:v1.30.0",
    "provider-os/cinder-csi-plugin:v1.30.0",
    "sig-storage/csi-provisioner:v5.0.1",
    "sig-storage/csi-attacher:v4",
    "sig-storage/csi-resizer:v1",
    "sig-storage/csi-snapshotter:v7",
    "sig-storage/csi-node-driver-registrar:v2",
    "kube-vip:v0",
    "cert-manager-controller:v1",
];
const PULLED: &str = "etc/packer-build/prepulled-images.txt";
const FAILURES: &str = "etc/packer-build/prepull-failures.txt";

/// A build: a tree, and the registry that it pulls from.
struct Build {
    tree: Tree,
    registry: Registry,
    _dir: tempfile::TempDir,
}

impl Drop for Build {
    fn drop(&mut self) {
        // Else the tree could not be removed.
        let store = self.path(STORE);
        let gone = nix::mount::umount2(&store, nix::mount::MntFlags::MNT_DETACH);
        // A test that already failed must say why; a second panic would end the whole run instead.
        assert!(gone.is_ok() || std::thread::panicking(), "{gone:?}");
    }
}

impl Build {
    /// A stock tree, and a registry with all images but one.
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let registry = Registry::plain(&Storage::new(dir.path()));
        for image in IMAGES.iter().skip(1) {
            registry.push(&tiny(&format!("k8s/{image}"), image));
        }
        let tree = Tree::of_stock(&rootfs::stock().unwrap().path, "ubuntu").unwrap();
        let build = Self {
            tree,
            registry,
            _dir: dir,
        };
        let shown = build.with(&["policy", "show", "--profile", PROFILE, "--json"]);
        let policy: Value = json(&run(shown));
        let pool = pool::for_packages(&pool::wanted(&policy)).unwrap();
        pool::install(&pool.path, &build.tree.path()).unwrap();
        build.write("usr/lib/os-release", UBUNTU);
        let release = build.path("var/tmp/rke2-artifacts");
        tarball::running_release(&release, tarball::VERSION);
        std::fs::create_dir_all(build.path(STORE)).unwrap();
        namespace::empty(build.path(STORE).to_str().unwrap());
        build
    }

    fn path(&self, path: &str) -> PathBuf {
        self.tree.path().join(path)
    }

    fn write(&self, path: &str, text: &str) {
        std::fs::write(self.path(path), text).unwrap();
    }

    fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.path(path)).unwrap()
    }

    fn with(&self, args: &[&str]) -> Command {
        let mut command = command(args);
        command.arg(format!("--set=registry={}/k8s", self.registry.host()));
        command.args(SETTINGS);
        command
    }

    fn verb(&self, args: &[&str]) -> Output {
        let root = self.tree.path();
        let all = [&["--root", root.to_str().unwrap()], args, &["--json"]].concat();
        run(match args.first() {
            Some(&"bake") => {
                let mut bake = self.with(&all);
                bake.args(["--profile", PROFILE]);
                bake
            }
            _ => command(&all),
        })
    }
}

fn run(mut command: Command) -> Output {
    command.output().unwrap()
}

#[test]
fn the_ubuntu_profile_is_baked_sealed_and_verified() {
    namespace::in_namespaces_of_mounts(whole);
}

fn whole() {
    let build = Build::new();
    let host = build.registry.host().to_owned();
    let name = |image: &str| format!("{host}/k8s/{image}");

    // One image is not there: the others are pulled, the bake fails and says which and why.
    let first = build.verb(&["bake"]);
    assert_eq!(code(&first), 1, "{}", json(&first));
    assert!(json(&first)["changes"].as_u64().unwrap() > 20);
    let failures = build.read(FAILURES);
    assert!(
        failures.starts_with(&format!("{}\tnot-found\t", name(IMAGES[0]))),
        "{failures}"
    );
    assert_eq!(build.read(PULLED).lines().count(), 8);
    // As the source's script has it: the bake goes on, and the audit says what is missing.
    let record = build.verb(&["bake", "--set", "image_failure=record"]);
    assert_eq!(code(&record), 0, "{}", json(&record)["failed"]);

    build
        .registry
        .push(&tiny(&format!("k8s/{}", IMAGES[0]), "late"));
    let last = build.verb(&["bake"]);
    assert_eq!(code(&last), 0, "{}", json(&last)["failed"]);
    assert_eq!(build.read(FAILURES), "");
    assert_eq!(build.read(PULLED).lines().count(), 9);
    let begun = Instant::now();
    let second = build.verb(&["bake"]);
    println!("second bake of {PROFILE}: {:.2?}", begun.elapsed());
    assert_eq!((code(&second), &json(&second)["changes"]), (0, &0.into()));

    let sealed = build.verb(&["generalize"]);
    assert_eq!(code(&sealed), 0, "{}", json(&sealed)["failed"]);
    let audit = build.verb(&["verify"]);
    assert_eq!(code(&audit), 0, "{}", json(&audit));
    let manifest: Value =
        serde_json::from_str(&build.read("etc/packer-build/image-manifest.json")).unwrap();
    assert_eq!(manifest["os"]["pretty_name"], "Ubuntu 22.04.4 LTS");
    assert_eq!(manifest["kubernetes"]["version"], tarball::VERSION);
    let listed = manifest["prepulled_images"].as_array().unwrap();
    assert_eq!(listed.len(), 9, "{listed:?}");
    assert!(listed.contains(&name(IMAGES[1]).into()), "{listed:?}");

    // The same audit must be able to fail: a layer that is gone, then a setting.
    let blobs = build
        .path(STORE)
        .join("io.containerd.content.v1.content/blobs/sha256");
    let blob = std::fs::read_dir(blobs)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let bytes = std::fs::read(&blob).unwrap();
    std::fs::remove_file(&blob).unwrap();
    let torn = build.verb(&["verify"]);
    assert_eq!(code(&torn), 3, "{}", json(&torn));
    std::fs::write(&blob, bytes).unwrap();
    assert_eq!(code(&build.verb(&["verify"])), 0);
    build.write("etc/sysctl.d/90-rke2.conf", "net.ipv4.ip_forward = 0\n");
    assert_eq!(code(&build.verb(&["verify"])), 3);
}
