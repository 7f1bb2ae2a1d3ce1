//! The offline directory: when it is used, what is taken from it, and that signatures count there too.
//! Separate because no repository answers in any of these.

use super::{Bench, REPOSITORY, copy, dnf, repo, repository, tree, version, wanted};
use crate::sandbox::apt::text;
use crate::support::machine::tree::Tree;
use nodeagent::host::Packages as _;

const DIR: &str = "/srv/offline";

/// A tree whose repository is gone, with these package files in the offline directory.
fn cut_off(label: &str, names: &[&str]) -> Tree {
    let tree = tree(label);
    let root = tree.path();
    std::fs::create_dir_all(root.join("srv/offline")).unwrap();
    for name in names {
        let file = format!("{name}.el9.noarch.rpm");
        copy(
            &repository().join(&file),
            &root.join("srv/offline").join(&file),
        );
    }
    let key = root.join("etc/pki/rpm-gpg/RPM-GPG-KEY-rig");
    copy(&repository().join("key.asc"), &key);
    std::fs::remove_dir_all(root.join(REPOSITORY)).unwrap();
    repo(
        &tree,
        "baseurl=http://127.0.0.1:9/rocky\ngpgcheck=1\ngpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-rig",
    );
    tree
}

#[test]
fn without_a_network_packages_and_what_they_need_come_from_the_directory() {
    let names = [
        "needs-1.0-1",
        "tiny-1.0-1",
        "tiny-2.0-1",
        "extra-1.0-1",
        "chrony-4.5-3",
    ];
    let tree = cut_off("dnf-offline", &names);
    let Bench { dnf, notes, clock } = dnf(&tree);
    dnf.install(&[wanted("needs", None, Some(DIR))]).unwrap();
    assert_eq!(version(&dnf, "needs").as_deref(), Some("1.0-1.el9"));
    assert_eq!(version(&dnf, "tiny").as_deref(), Some("2.0-1.el9"));
    assert_eq!(version(&dnf, "chrony"), None, "only what is needed");
    assert_eq!(
        clock.slept.borrow().as_slice(),
        [2, 4],
        "only after the network was tried"
    );
    let notes = notes.drain();
    let last = notes.last().unwrap();
    assert!(
        last.contains(DIR) && last.contains("127.0.0.1"),
        "the reason is recorded: {notes:?}"
    );
    // An exact version, and no repository at all.
    std::fs::remove_file(tree.path().join("etc/yum.repos.d/rig.repo")).unwrap();
    dnf.install(&[wanted("tiny", Some("1.0-1.el9"), Some(DIR))])
        .unwrap();
    assert_eq!(version(&dnf, "tiny").as_deref(), Some("1.0-1.el9"));
}

#[test]
fn what_lacks_in_the_directory_is_named_and_nothing_is_changed() {
    let tree = cut_off("dnf-offline-lacks", &["needs-1.0-1", "lacking-1.0-1"]);
    let Bench { dnf, .. } = dnf(&tree);
    let before = dnf.set_digest().unwrap();
    let table = [
        ("needs", "nothing provides tiny needed by needs"),
        ("lacking", "nothing provides nowhere"),
        ("extra", "find a package file for extra in /srv/offline"),
    ];
    for (name, why) in table {
        let error = text(dnf.install(&[wanted(name, None, Some(DIR))]));
        assert!(error.contains(why), "{error}");
    }
    let error = text(dnf.install(&[wanted("needs", None, Some("/srv/nothing"))]));
    assert!(error.contains("/srv/nothing holds no .rpm"), "{error}");
    std::fs::write(tree.path().join("srv/offline/broken.rpm"), "no package").unwrap();
    let error = text(dnf.install(&[wanted("needs", None, Some(DIR))]));
    assert!(error.contains("broken.rpm"), "{error}");
    assert_eq!(dnf.set_digest().unwrap(), before);
    assert_eq!(dnf.interrupted().unwrap(), None);
}

#[test]
fn package_files_must_be_signed_by_a_key_of_a_repository() {
    let tree = cut_off("dnf-offline-keys", &["unsigned-1.0-1", "foreign-1.0-1"]);
    let Bench { dnf, .. } = dnf(&tree);
    for name in ["unsigned", "foreign"] {
        let error = text(dnf.install(&[wanted(name, None, Some(DIR))]));
        assert!(error.contains("GPG") && error.contains(name), "{error}");
        assert_eq!(version(&dnf, name), None);
    }
}
