//! What is installed, in which version, held or not, and what an upgrade would do.
//! Separate because nothing fails here.

use super::{Bench, REPOSITORY, copy, dnf, repository, tree, version, wanted};
use crate::support::machine::rpms;
use nodeagent::host::Packages as _;

#[test]
fn packages_are_installed_in_the_version_that_is_asked_for() {
    let tree = tree("dnf-install");
    let Bench { dnf, notes, .. } = dnf(&tree);
    assert_eq!(version(&dnf, "bash").as_deref(), Some("5.1.8-9.el9"));
    assert_eq!(version(&dnf, "tiny"), None);
    dnf.install(&[
        wanted("tiny", Some("1.0-1.el9"), None),
        wanted("container-selinux", None, None),
    ])
    .unwrap();
    assert_eq!(version(&dnf, "tiny").as_deref(), Some("1.0-1.el9"));
    assert_eq!(
        version(&dnf, "container-selinux").as_deref(),
        Some("3:2.232.1-1.el9")
    );
    assert!(
        version(&dnf, "selinux-policy").is_some(),
        "dependencies come along"
    );
    assert!(
        !dnf.installed()
            .unwrap()
            .keys()
            .any(|k| k.starts_with("gpg-pubkey"))
    );
    dnf.install(&[wanted("needs", None, None)]).unwrap();
    assert!(
        version(&dnf, "extra").is_some(),
        "weak dependencies as the system has them"
    );
    assert_eq!(version(&dnf, "tiny").as_deref(), Some("1.0-1.el9"));
    dnf.install(&[wanted("tiny", None, None)]).unwrap();
    assert_eq!(version(&dnf, "tiny").as_deref(), Some("2.0-1.el9"));
    // Exactly a version with an epoch, and once more what is there already.
    dnf.install(&[
        wanted("qemu-guest-agent", Some("17:9.0.0-10.el9"), None),
        wanted("tiny", None, None),
    ])
    .unwrap();
    assert_eq!(
        version(&dnf, "qemu-guest-agent").as_deref(),
        Some("17:9.0.0-10.el9")
    );
    assert_eq!(dnf.interrupted().unwrap(), None);
    assert_eq!(notes.drain(), Vec::<String>::new());
}

#[test]
fn a_held_package_stays_and_is_changed_only_when_itself_is_asked_for() {
    let tree = tree("dnf-hold");
    let Bench { dnf, .. } = dnf(&tree);
    dnf.install(&[
        wanted("rke2-selinux", Some("0.18-1.el9"), None),
        wanted("tiny", Some("1.0-1.el9"), None),
    ])
    .unwrap();
    let held = |name: &str| dnf.installed().unwrap()[name].held;
    for name in ["rke2-selinux", "tiny"] {
        dnf.set_hold(&[name.to_owned()], true).unwrap();
        dnf.set_hold(&[name.to_owned()], true).unwrap();
        assert!(held(name), "{name}");
    }
    assert_eq!(dnf.waiting().unwrap(), Vec::<String>::new());
    dnf.upgrade().unwrap();
    assert_eq!(version(&dnf, "rke2-selinux").as_deref(), Some("0.18-1.el9"));
    dnf.install(&[wanted("rke2-selinux", Some("0.19-1.el9"), None)])
        .unwrap();
    assert_eq!(version(&dnf, "rke2-selinux").as_deref(), Some("0.19-1.el9"));
    assert_eq!(version(&dnf, "tiny").as_deref(), Some("1.0-1.el9"));
    assert!(held("rke2-selinux"));
    dnf.set_hold(&["tiny".to_owned()], false).unwrap();
    assert!(!held("tiny") && held("rke2-selinux"));
    assert_eq!(dnf.waiting().unwrap(), ["tiny 2.0-1.el9"]);
    dnf.upgrade().unwrap();
    assert_eq!(version(&dnf, "tiny").as_deref(), Some("2.0-1.el9"));
}

#[test]
fn a_version_lock_counts_only_with_its_plugin() {
    let tree = tree("dnf-versionlock");
    let Bench { dnf, .. } = dnf(&tree);
    let root = tree.path();
    let list = root.join("etc/dnf/plugins/versionlock.list");
    std::fs::write(&list, "bash-0:5.1.8-9.el9.*\nsystemd-0:252-46.el9.*\n").unwrap();
    assert!(!dnf.installed().unwrap()["bash"].held);
    let plugins = root.join("usr/lib/python3/dist-packages/dnf-plugins");
    std::fs::create_dir_all(&plugins).unwrap();
    std::fs::write(plugins.join("versionlock.py"), "").unwrap();
    assert!(dnf.installed().unwrap()["bash"].held);
    dnf.set_hold(&["bash".to_owned()], false).unwrap();
    assert!(!dnf.installed().unwrap()["bash"].held);
    assert_eq!(
        std::fs::read_to_string(&list).unwrap(),
        "systemd-0:252-46.el9.*\n"
    );
}

#[test]
fn metadata_on_disk_decides_until_it_is_asked_for_anew() {
    let tree = tree("dnf-metadata");
    let Bench { dnf, notes, .. } = dnf(&tree);
    assert_eq!(dnf.metadata_digest().unwrap(), None);
    assert_eq!(dnf.state_digest().unwrap(), None);
    // An older repository, without tiny 2.0 and without needs.
    let there = tree.path().join(REPOSITORY);
    for name in ["tiny-2.0-1.el9.noarch.rpm", "needs-1.0-1.el9.noarch.rpm"] {
        std::fs::remove_file(there.join(name)).unwrap();
    }
    rpms::index(&there).unwrap();
    dnf.refresh().unwrap();
    let old = dnf.state_digest().unwrap().unwrap();
    dnf.install(&[wanted("tiny", None, None)]).unwrap();
    assert_eq!(version(&dnf, "tiny").as_deref(), Some("1.0-1.el9"));
    let installed = dnf.state_digest().unwrap().unwrap();
    assert_ne!(old, installed, "the package set counts");
    std::fs::remove_dir_all(&there).unwrap();
    copy(&repository(), &there);
    assert_eq!(dnf.waiting().unwrap(), Vec::<String>::new());
    assert_eq!(dnf.state_digest().unwrap().unwrap(), installed);
    dnf.refresh().unwrap();
    assert_ne!(
        dnf.state_digest().unwrap().unwrap(),
        installed,
        "the metadata counts"
    );
    assert_eq!(dnf.waiting().unwrap(), ["tiny 2.0-1.el9"]);
    dnf.upgrade().unwrap();
    assert_eq!(dnf.waiting().unwrap(), Vec::<String>::new());
    assert_eq!(notes.drain(), Vec::<String>::new());
}

#[test]
fn new_metadata_is_fetched_when_a_candidate_lacks() {
    let tree = tree("dnf-candidate");
    let Bench { dnf, notes, .. } = dnf(&tree);
    let there = tree.path().join(REPOSITORY);
    std::fs::remove_file(there.join("needs-1.0-1.el9.noarch.rpm")).unwrap();
    rpms::index(&there).unwrap();
    dnf.refresh().unwrap();
    std::fs::remove_dir_all(&there).unwrap();
    copy(&repository(), &there);
    dnf.install(&[wanted("needs", None, None)]).unwrap();
    assert!(version(&dnf, "needs").is_some());
    let notes = notes.drain();
    assert!(
        notes.len() == 1 && notes[0].contains("fetching new metadata"),
        "{notes:?}"
    );
}
