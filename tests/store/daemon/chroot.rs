//! A daemon of our own in an unbooted tree: the tree is its `/`, and nothing of it reaches this machine.
//! Separate because it needs a whole tree, with what the program is linked to.

use super::{NAMESPACE, digests, each_program};
use crate::sandbox::{PROGRAM, debian};
use crate::support::machine::tree::Tree;
use crate::support::namespace::{empty, in_namespaces};
use nodeagent::host::containerd::{Client, Containerd, Labels, Standalone, Start};
use nodeagent::host::oci::{Descriptor, Digest};
use nodeagent::host::{Context, Host, Where};
use std::os::unix::net::UnixListener;
use std::path::Path;

/// Off the tree's overlay.
const STORE: &str = "/var/lib/containerd/store";

fn host(tree: &Tree) -> Host {
    let place = Context {
        place: Where::Root,
        evidence: "a test".to_owned(),
    };
    Host::open(&tree.path(), place, Path::new(PROGRAM)).unwrap()
}

fn install(tree: &Tree, program: &str, name: &str) -> String {
    let inside = format!("/usr/local/bin/{name}");
    std::fs::copy(program, tree.path().join(&inside[1..])).unwrap();
    inside
}

/// The processes whose root is the tree.
fn inside(tree: &Path) -> usize {
    use std::os::unix::fs::MetadataExt as _;
    let of = |path: &Path| path.metadata().map(|meta| (meta.dev(), meta.ino())).ok();
    let own = of(tree);
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    all.filter(|entry| of(&entry.path().join("root/.")) == own)
        .count()
}

#[test]
fn it_runs_in_a_tree_and_is_reached_from_outside() {
    let tree = debian("store-chroot");
    each_program(|generation, program| {
        let program = install(&tree, program, &format!("containerd-{}", generation.name()));
        let root = tree.path();
        let store = root.join(&STORE[1..]);
        in_namespaces(|| {
            // What this machine has at the same path must not be taken for it.
            empty("/run");
            std::fs::create_dir_all("/run/nodeagent/containerd").unwrap();
            let _decoy = UnixListener::bind("/run/nodeagent/containerd/containerd.sock").unwrap();
            let host = host(&tree);
            let start = Start {
                program: &program,
                root: STORE,
            };
            let daemon = Standalone::start(&start, &host).unwrap();
            let mut client = Client::connect(daemon.socket(), NAMESPACE).unwrap();
            let facts = client.facts().unwrap();
            assert!(facts.version.contains(generation.name()), "{facts:?}");
            assert!(facts.content.starts_with(STORE), "{facts:?}");
            client.make_namespace().unwrap();
            client.lease("nodeagent-test", 24).unwrap();
            let blob = Descriptor {
                media_type: "application/vnd.oci.image.layer.v1.tar".to_owned(),
                digest: Digest::of(b"a blob"),
                size: 6,
            };
            // As the tree sees it, seen from here.
            let blobs = root
                .join(facts.content.strip_prefix("/").unwrap())
                .join("blobs/sha256");
            std::fs::create_dir_all(&blobs).unwrap();
            std::fs::write(blobs.join(blob.digest.hex()), "a blob").unwrap();
            client.adopt(&blob, &Labels::new()).unwrap();
            assert_eq!(digests(&client), [blob.digest]);
            assert!(inside(&root) >= 1);
            daemon.stop().unwrap();
            assert_eq!(inside(&root), 0);
            let listed = std::fs::read_dir(root.join("run")).unwrap().flatten();
            assert!(
                !listed
                    .map(|entry| entry.file_name())
                    .any(|name| name == "nodeagent")
            );
        });
        assert!(
            store
                .join("io.containerd.metadata.v1.bolt/meta.db")
                .exists()
        );
        std::fs::remove_dir_all(store).unwrap();
    });
}

#[test]
fn a_tree_without_what_it_needs_says_so() {
    let tree = debian("store-chroot-broken");
    each_program(|_, program| {
        let program = install(&tree, program, "containerd");
        let refused = |program: &str, root: &str, why: &str| {
            let host = host(&tree);
            let error = Standalone::start(&Start { program, root }, &host).unwrap_err();
            let text = error.one_line();
            assert!(text.contains(why), "{text}");
            assert!(error.next_step().is_some(), "{text}");
            assert_eq!(inside(&tree.path()), 0);
        };
        refused("/usr/bin/false", STORE, "ended with code 1");
        refused("/no/such", STORE, "start /no/such");
        // The tree itself lies on an overlay here.
        refused(&program, "/var/lib/rancher/store", "overlay");
        let libraries = tree.path().join("lib64");
        let kept = tree.path().join("kept");
        std::fs::rename(&libraries, &kept).unwrap();
        refused(&program, STORE, "start /usr/local/bin/containerd");
        std::fs::rename(&kept, &libraries).unwrap();
    });
}
