//! What a daemon is, and what is said when it is not there or says nothing.
//! Separate because the rest relies on what is learnt here.

use super::{NAMESPACE, descriptor, each, image, place};
use crate::support::generations::{Daemon, Generation, Options};
use nodeagent::host::containerd::{Client, Containerd, Labels};
use std::time::Duration;

#[test]
fn facts_are_the_daemons_own() {
    each(|daemon, client| {
        let facts = client.facts().unwrap();
        assert!(
            facts.version.contains(daemon.generation().name()),
            "{facts:?}"
        );
        let root = daemon.root();
        assert_eq!(facts.content, root.join("io.containerd.content.v1.content"));
        assert_eq!(
            facts.overlayfs,
            Some(root.join("io.containerd.snapshotter.v1.overlayfs"))
        );
        assert!(facts.shares_content);
    });
}

#[test]
fn facts_see_a_store_that_shares_nothing() {
    for generation in Generation::ALL {
        let config =
            "[plugins.\"io.containerd.metadata.v1.bolt\"]\ncontent_sharing_policy = \"isolated\"\n";
        let options = Options {
            config: config.to_owned(),
            ..Options::default()
        };
        let daemon = Daemon::start_with(generation, &options).unwrap();
        let mut client = Client::connect(&daemon.socket(), NAMESPACE).unwrap();
        let facts = client.facts().unwrap();
        assert!(!facts.shares_content, "{facts:?}");
        // The slow way is right there.
        client.make_namespace().unwrap();
        client.lease("nodeagent-test", 24).unwrap();
        let blob = descriptor(b"sent to an isolated store");
        client
            .send(
                &blob,
                &Labels::new(),
                &mut &b"sent to an isolated store"[..],
            )
            .unwrap();
        assert_eq!(
            client.read(&blob.digest, 100).unwrap(),
            b"sent to an isolated store"
        );
        // Adopting is not: a blob that another namespace has would need its bytes.
        let other = Client::connect(&daemon.socket(), "other").unwrap();
        other.make_namespace().unwrap();
        assert!(other.adopt(&blob, &Labels::new()).is_err());
    }
}

#[test]
fn more_than_four_mebibytes_of_records_are_listed() {
    let daemon = Daemon::start(Generation::V2).unwrap();
    let mut client = Client::connect(&daemon.socket(), NAMESPACE).unwrap();
    client.make_namespace().unwrap();
    client.lease("nodeagent-test", 24).unwrap();
    let blob = place(&client, b"manifest");
    client.adopt(&blob, &Labels::new()).unwrap();
    let long = "x".repeat(4000);
    for number in 0..1300 {
        let name = format!("example/image:{number}");
        client
            .put_image(&image(&name, &blob, &[("long", &long)]))
            .unwrap();
    }
    assert_eq!(client.images().unwrap().len(), 1300);
}

#[test]
fn a_daemon_that_is_gone_is_named() {
    let daemon = Daemon::start(Generation::V17).unwrap();
    let socket = daemon.socket();
    let client = Client::connect(&socket, NAMESPACE).unwrap();
    client.make_namespace().unwrap();
    drop(daemon);
    let failed = [
        client.facts().unwrap_err(),
        client.images().unwrap_err(),
        Client::connect(&socket, NAMESPACE).unwrap_err(),
    ];
    for error in failed {
        let text = error.one_line();
        assert!(text.contains(socket.to_str().unwrap()), "{text}");
        assert!(error.next_step().is_some(), "{text}");
    }
    assert!(Client::connect(&socket, "line\nbreak").is_err());
}

#[test]
fn a_socket_that_says_nothing_is_given_up() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("s");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let client = Client::patient(&socket, NAMESPACE, Duration::from_secs(1));
    let error = client.and_then(|client| client.facts()).unwrap_err();
    assert!(
        error.one_line().contains("no answer"),
        "{}",
        error.one_line()
    );
}
