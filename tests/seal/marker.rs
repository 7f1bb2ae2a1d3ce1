//! The build marker: which machine may be turned into an image, and which never.
//! It is separate because a mistake here would destroy a node of a cluster.

use std::os::unix::fs::symlink;

use nodeagent::host::{Evidence, Where};
use nodeagent::record::marker;

use super::{Bench, ID, OTHER, refused};

#[test]
fn without_a_marker_of_its_own_no_machine_is_touched() {
    let mut bench = Bench::new();
    let said = refused(marker::admit(&bench.host));
    assert!(said.contains("nodeagent bake --build-machine"), "{said}");
    marker::declare(&bench.host.root, &bench.host.evidence).unwrap();
    marker::admit(&bench.host).unwrap();
    let text = bench.host.root.read_text(marker::MARKER).unwrap().unwrap();
    assert!(
        !text.contains(ID),
        "the identifier itself is not kept: {text}"
    );

    bench.put("/etc/machine-id", OTHER);
    assert!(refused(marker::admit(&bench.host)).contains("another machine"));
    bench.host.context.place = Where::Root;
    marker::admit(&bench.host).unwrap();
    bench.host.context.place = Where::Chroot;
    refused(marker::admit(&bench.host));
    bench.host.context.place = Where::Booted;
    bench.put("/etc/machine-id", ID);
    marker::admit(&bench.host).unwrap();
    bench.host.evidence = Evidence::default();
    refused(marker::admit(&bench.host));
    for text in [
        "",
        "{}",
        r#"{"schema":1,"machine":""}"#,
        r#"{"schema":9,"machine":"x"}"#,
    ] {
        bench.host.evidence.salt = Some("salt".to_owned());
        bench.put(marker::MARKER, text);
        refused(marker::admit(&bench.host));
    }
    marker::remove(&bench.host.root).unwrap();
    marker::remove(&bench.host.root).unwrap();
    refused(marker::admit(&bench.host));
}

#[test]
fn an_interrupted_generalize_may_go_on_but_a_clone_of_it_may_not_begin() {
    let mut bench = Bench::new();
    marker::declare(&bench.host.root, &bench.host.evidence).unwrap();
    bench.put("/etc/machine-id", "");
    refused(marker::admit(&bench.host));
    let stone = bench
        .host
        .evidence
        .tombstone("machine-id", ID.as_bytes())
        .unwrap();
    bench.host.evidence.tombstones.push(stone);
    marker::admit(&bench.host).unwrap();
    bench.put("/etc/machine-id", "uninitialized\n");
    marker::admit(&bench.host).unwrap();
    bench.put("/etc/machine-id", OTHER);
    refused(marker::admit(&bench.host));
}

#[test]
fn a_cluster_member_is_refused_even_as_a_tree_and_baked_images_are_not_mistaken_for_one() {
    for path in [
        "/var/lib/rancher/rke2/server/db/state.db",
        "/var/lib/rancher/rke2/server/token",
        "/var/lib/rancher/rke2/server/tls/ca.key",
        "/var/lib/rancher/rke2/server/cred/passwd",
        "/var/lib/rancher/rke2/agent/kubelet.kubeconfig",
        "/var/lib/rancher/rke2/agent/client-kubelet.key",
        "/var/lib/kubelet/pki/kubelet-client-current.pem",
        "/etc/rancher/node/password",
    ] {
        let mut bench = Bench::new();
        bench.put(path, "x");
        assert!(marker::declare(&bench.host.root, &bench.host.evidence).is_err());
        bench.host.context.place = Where::Root;
        assert!(
            refused(marker::admit(&bench.host)).contains(path.split_at(20).0),
            "{path}"
        );
    }
    let mut bench = Bench::new();
    bench.host.context.place = Where::Root;
    bench.put("/var/lib/rancher/rke2/agent/images/rke2.tar.zst", "x");
    bench.put(
        "/var/lib/rancher/rke2/agent/containerd/io.containerd.content.v1.content/x",
        "x",
    );
    bench
        .host
        .root
        .make_dir(
            "/var/lib/kubelet/pki",
            nodeagent::host::root::Attr::root(0o755),
        )
        .unwrap();
    marker::admit(&bench.host).unwrap();
    symlink(
        "/nowhere",
        bench.dir.path().join("var/lib/rancher/rke2/server"),
    )
    .unwrap();
    marker::admit(&bench.host).unwrap();
}
