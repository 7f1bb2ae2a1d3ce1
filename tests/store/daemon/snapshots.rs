//! Snapshots: prepared, filled by a rename, committed, listed, removed; and unpacked by the daemon itself.
//! Separate because a directory of ours becomes the daemon's here.

use super::{each, labels, names, place};
use crate::support::tarball::Tarball;
use nodeagent::host::containerd::{Containerd, Labels, Prepared, SnapshotKind};
use std::path::PathBuf;

fn upper(prepared: Prepared) -> PathBuf {
    let Prepared::New(mounts) = prepared else {
        panic!("it exists")
    };
    let [mount] = mounts.try_into().unwrap();
    if mount.kind == "bind" {
        return mount.source.into();
    }
    assert_eq!(mount.kind, "overlay");
    let option = mount
        .options
        .iter()
        .find_map(|option| option.strip_prefix("upperdir="));
    option.unwrap().into()
}

#[test]
fn snapshots_are_prepared_replaced_by_a_rename_committed_and_listed() {
    each(|daemon, mut client| {
        client.lease("nodeagent-test", 24).unwrap();
        let staged = |name: &str| {
            let dir = daemon.root().join("staging").join(name);
            std::fs::create_dir_all(&dir).unwrap();
            std::fs::write(dir.join(name), name).unwrap();
            dir
        };
        let none = Labels::new();
        let first = upper(client.prepare("extract one", None, &none).unwrap());
        assert!(first.starts_with(client.facts().unwrap().overlayfs.unwrap()));
        std::fs::rename(staged("one"), &first).unwrap();
        assert_eq!(
            client.prepare("extract one", None, &none).unwrap(),
            Prepared::Exists
        );
        client
            .commit("one", "extract one", &labels(&[("a", "1")]))
            .unwrap();
        // Its answer was lost, and it is committed again.
        client.commit("one", "extract one", &none).unwrap();
        let second = upper(client.prepare("extract two", Some("one"), &none).unwrap());
        std::fs::rename(staged("two"), &second).unwrap();
        client.commit("two", "extract two", &none).unwrap();
        // Another one becomes what is there already: it is dropped.
        client.prepare("extract again", Some("one"), &none).unwrap();
        client.commit("two", "extract again", &none).unwrap();

        let mut all = client.snapshots().unwrap();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        assert_eq!(names(&client), ["one", "two"]);
        assert_eq!(
            (all[0].parent.as_deref(), all[1].parent.as_deref()),
            (None, Some("one"))
        );
        assert!(
            all.iter()
                .all(|snapshot| snapshot.kind == SnapshotKind::Committed)
        );
        assert_eq!(all[0].labels.get("a").map(String::as_str), Some("1"));
        assert!(
            client.remove_snapshot("one").is_err(),
            "another one stands on it"
        );
        let mounted = upper(client.prepare("look", Some("two"), &none).unwrap());
        assert!(mounted.exists());
        client.remove_snapshot("look").unwrap();
        client.remove_snapshot("look").unwrap();
        assert!(client.commit("three", "no such key", &none).is_err());
        assert!(client.prepare("x", Some("no such parent"), &none).is_err());
    });
}

#[test]
fn a_layer_is_unpacked_by_the_daemon_itself() {
    each(|_, mut client| {
        client.lease("nodeagent-test", 24).unwrap();
        let tar = Tarball::default()
            .file("etc/name", 0o640, b"unpacked")
            .end();
        let layer = place(&client, &tar);
        client.adopt(&layer, &Labels::new()).unwrap();
        let Prepared::New(mounts) = client.prepare("unpack", None, &Labels::new()).unwrap() else {
            panic!("it exists")
        };
        let digest = client.unpack(&layer, &mounts).unwrap();
        assert_eq!(digest, layer.digest, "it is a plain tar");
        let dir = PathBuf::from(&mounts[0].source);
        assert_eq!(std::fs::read(dir.join("etc/name")).unwrap(), b"unpacked");
        let no_tar = place(&client, b"no tar");
        client.adopt(&no_tar, &Labels::new()).unwrap();
        let error = client.unpack(&no_tar, &mounts).unwrap_err();
        assert!(
            error.one_line().starts_with("unpack the layer sha256:"),
            "{}",
            error.one_line()
        );
    });
}
