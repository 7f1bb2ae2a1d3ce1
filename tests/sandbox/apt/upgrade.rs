//! New indexes, what waits, and a full upgrade.
//! Separate because every test here publishes something after the tree was made.

use super::{Bench, apt, sources, tree, version, wanted};
use nodeagent::host::Packages as _;

/// Takes one version of tiny out of the repository's index, or puts it back.
fn publish(root: &std::path::Path, hidden: Option<&str>) {
    let (index, all) = (
        root.join("srv/repository/Packages"),
        root.join("srv/repository/all"),
    );
    if !all.exists() {
        std::fs::copy(&index, &all).unwrap();
    }
    let full = std::fs::read_to_string(&all).unwrap();
    let is_hidden = |stanza: &str| {
        let version = hidden.map(|version| format!("\nVersion: {version}\n"));
        stanza.contains("Package: tiny\n") && version.is_some_and(|v| stanza.contains(&v))
    };
    let kept = full.split("\n\n").filter(|stanza| !is_hidden(stanza));
    std::fs::write(&index, kept.collect::<Vec<_>>().join("\n\n")).unwrap();
}

#[test]
fn what_waits_is_known_and_an_upgrade_ends_it() {
    let tree = tree("apt-upgrade");
    sources(&tree, "deb [trusted=yes] copy:/srv/repository ./\n");
    publish(&tree.path(), Some("2.0-1"));
    let Bench { apt, .. } = apt(&tree);
    assert_eq!(apt.metadata_digest().unwrap(), None);
    assert_eq!(apt.state_digest().unwrap(), None);
    apt.install(&[wanted("tiny", None), wanted("extra", None)])
        .unwrap();
    assert_eq!(version(&apt, "tiny").as_deref(), Some("1.0-1"));
    let before = apt.state_digest().unwrap().unwrap();
    assert_eq!(apt.waiting().unwrap(), Vec::<String>::new());
    assert_eq!(
        apt.state_digest().unwrap().unwrap(),
        before,
        "looking changes nothing"
    );
    publish(&tree.path(), None);
    assert_eq!(
        apt.waiting().unwrap(),
        Vec::<String>::new(),
        "not fetched yet"
    );
    apt.refresh().unwrap();
    let fetched = apt.state_digest().unwrap().unwrap();
    assert_ne!(fetched, before);
    assert_eq!(apt.waiting().unwrap(), ["tiny 2.0-1"]);
    apt.set_hold(&["tiny".to_owned()], true).unwrap();
    assert_eq!(apt.waiting().unwrap(), Vec::<String>::new(), "held");
    apt.upgrade().unwrap();
    assert_eq!(version(&apt, "tiny").as_deref(), Some("1.0-1"));
    apt.set_hold(&["tiny".to_owned()], false).unwrap();
    assert_eq!(apt.state_digest().unwrap().unwrap(), fetched);
    apt.upgrade().unwrap();
    assert_eq!(version(&apt, "tiny").as_deref(), Some("2.0-1"));
    assert_eq!(apt.waiting().unwrap(), Vec::<String>::new());
    assert_ne!(
        apt.state_digest().unwrap().unwrap(),
        fetched,
        "the package set is part of it"
    );
}
