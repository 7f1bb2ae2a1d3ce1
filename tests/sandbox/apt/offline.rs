//! The directory of .deb files that stands in when the network fails.
//! Separate because every test here takes the network away.

use super::{Bench, apt, sources, text, tree, version};
use crate::support::machine::tree::Tree;
use nodeagent::host::{PackageRequest, Packages as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

/// A tree whose only source does not answer, and /srv/debs with these packages.
fn cut_off(label: &str, names: &[&str]) -> (Tree, PathBuf) {
    let tree = tree(label);
    let debs = tree.path().join("srv/debs");
    std::fs::create_dir_all(&debs).unwrap();
    for name in names {
        let from = tree
            .path()
            .join("srv/repository")
            .join(format!("{name}_all.deb"));
        // A name as apt itself writes an epoch.
        std::fs::copy(from, debs.join(format!("{}%3a.deb", name.replace(' ', "")))).unwrap();
    }
    std::fs::remove_dir_all(tree.path().join("srv/repository")).unwrap();
    // Nothing listens on the discard port of the loopback.
    sources(&tree, "deb [trusted=yes] http://127.0.0.1:9/debian ./\n");
    std::fs::write(tree.path().join("etc/apt/sources.list"), "").unwrap();
    (tree, debs)
}

fn wanted(name: &str) -> PackageRequest {
    PackageRequest {
        offline: Some("/srv/debs".to_owned()),
        ..super::wanted(name, None)
    }
}

#[test]
fn without_a_network_the_directory_gives_the_package_and_all_it_needs() {
    let (tree, _) = cut_off(
        "apt-offline",
        &["tiny_2.0-1", "tiny_1.0-1", "needs_1.0", "extra_1.0"],
    );
    let Bench { apt, notes, clock } = apt(&tree);
    let before = apt.metadata_digest().unwrap();
    apt.install(&[wanted("needs")]).unwrap();
    assert_eq!(version(&apt, "needs").as_deref(), Some("1.0"));
    assert_eq!(
        version(&apt, "tiny").as_deref(),
        Some("2.0-1"),
        "the newest"
    );
    assert_eq!(
        version(&apt, "extra"),
        None,
        "only what was asked for and needed"
    );
    assert_eq!(clock.slept.borrow().as_slice(), [2, 4], "after the retries");
    let notes = notes.drain();
    let why = notes.last().unwrap();
    assert!(
        why.contains("127.0.0.1") && why.contains("installing from /srv/debs"),
        "{notes:?}"
    );
    assert_eq!(
        apt.metadata_digest().unwrap(),
        before,
        "the real lists are left alone"
    );
    assert!(!tree.path().join("var/cache/apt/nodeagent-offline").exists());
    let source = std::fs::read_to_string(tree.path().join("etc/apt/sources.list.d/local.list"));
    assert!(source.unwrap().contains("127.0.0.1"));
}

#[test]
fn a_dependency_that_is_not_there_is_named_and_nothing_is_installed() {
    let (tree, _) = cut_off("apt-offline-hole", &["needs_1.0", "extra_1.0"]);
    let Bench { apt, .. } = apt(&tree);
    let all = apt.installed().unwrap().len();
    let error = text(apt.install(&[wanted("extra"), wanted("needs")]));
    assert!(
        error.contains("needs : Depends: tiny") && error.contains("/srv/debs"),
        "{error}"
    );
    assert!(error.contains("put the missing packages there"), "{error}");
    let unknown = text(apt.install(&[wanted("slow")]));
    assert!(
        unknown.contains("slow") && unknown.contains("/srv/debs"),
        "{unknown}"
    );
    assert_eq!(apt.installed().unwrap().len(), all);
    assert_eq!(apt.interrupted().unwrap(), None);
    assert!(!tree.path().join("var/cache/apt/nodeagent-offline").exists());
}

#[test]
fn files_that_others_can_write_or_that_are_no_packages_are_refused() {
    let (tree, debs) = cut_off("apt-offline-hostile", &["tiny_2.0-1"]);
    let Bench { apt, .. } = apt(&tree);
    let deb = debs.join("tiny_2.0-1%3a.deb");
    let mode = |path: &PathBuf, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let refused = || text(apt.install(&[wanted("tiny")]));
    mode(&deb, 0o666);
    assert!(refused().contains("its mode 0666 lets others write it"));
    mode(&deb, 0o644);
    mode(&debs, 0o777);
    assert!(refused().contains("/srv/debs: its mode 0777"));
    mode(&debs, 0o755);
    std::os::unix::fs::chown(&deb, Some(12345), None).unwrap();
    assert!(refused().contains("belongs to user 12345"));
    std::os::unix::fs::chown(&deb, Some(0), None).unwrap();
    let link = debs.join("zz.deb");
    std::os::unix::fs::symlink("/etc/shadow", &link).unwrap();
    assert!(refused().contains("it is a symlink"));
    std::fs::remove_file(&link).unwrap();
    std::fs::write(&link, "!<arch>\ntorn").unwrap();
    assert!(refused().contains("zz.deb"));
    std::fs::remove_file(&link).unwrap();
    assert_eq!(version(&apt, "tiny"), None);
    std::fs::remove_file(&deb).unwrap();
    assert!(refused().contains("holds no .deb file"));
    std::fs::remove_dir(&debs).unwrap();
    assert!(refused().contains("there is no such directory"));
}
