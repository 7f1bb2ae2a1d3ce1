//! What is installed, in which version, and what that does to the tree.
//! Separate because nothing fails here.

use super::{Bench, apt, tree, version, wanted};
use crate::sandbox::PROGRAM;
use nodeagent::host::{Context, Host, Packages as _, Where};
use nodeagent::resource::package::Package;
use nodeagent::resource::{Kind as _, Place};
use std::path::Path;

fn package(name: &str, edit: impl FnOnce(&mut Package)) -> Package {
    let mut package = Package {
        name: name.to_owned(),
        version: None,
        min: None,
        max: None,
        hold: false,
        offline: None,
    };
    edit(&mut package);
    package
}

#[test]
fn packages_are_installed_in_the_version_that_is_asked_for() {
    let tree = tree("apt-install");
    let Bench { apt, notes, .. } = apt(&tree);
    assert!(apt.installed().unwrap().len() > 100);
    assert_eq!(version(&apt, "tiny"), None);
    apt.install(&[wanted("tiny", Some("1.0-1")), wanted("asking", None)])
        .unwrap();
    assert_eq!(version(&apt, "tiny").as_deref(), Some("1.0-1"));
    apt.install(&[wanted("needs", None)]).unwrap();
    assert_eq!(version(&apt, "tiny").as_deref(), Some("1.0-1"));
    assert_eq!(
        version(&apt, "extra"),
        None,
        "recommended packages stay out"
    );
    apt.install(&[wanted("tiny", None)]).unwrap();
    assert_eq!(version(&apt, "tiny").as_deref(), Some("2.0-1"));
    apt.set_hold(&["tiny".to_owned()], true).unwrap();
    apt.set_hold(&["tiny".to_owned()], true).unwrap();
    assert!(apt.installed().unwrap()["tiny"].held);
    apt.install(&[wanted("tiny", Some("1.0-1"))]).unwrap();
    assert_eq!(version(&apt, "tiny").as_deref(), Some("1.0-1"));
    apt.set_hold(&["tiny".to_owned()], false).unwrap();
    assert!(!apt.installed().unwrap()["tiny"].held);
    assert_eq!(apt.interrupted().unwrap(), None);
    assert_eq!(notes.drain(), Vec::<String>::new());
}

#[test]
fn no_service_starts_in_a_tree_and_the_unit_is_enabled() {
    let tree = tree("apt-daemon");
    let Bench { apt, .. } = apt(&tree);
    apt.install(&[wanted("daemon", None)]).unwrap();
    let root = tree.path();
    assert!(!root.join("daemon-was-started").exists());
    assert!(
        root.join("etc/systemd/system/multi-user.target.wants/daemon.service")
            .symlink_metadata()
            .is_ok()
    );
    assert!(!root.join("usr/sbin/policy-rc.d").exists());
}

#[test]
fn the_kind_brings_a_tree_to_what_is_wanted_in_one_transaction() {
    let tree = tree("apt-kind");
    let context = Context {
        place: Where::Root,
        evidence: "test".to_owned(),
    };
    let host = Host::open(&tree.path(), context, Path::new(PROGRAM)).unwrap();
    let wanted = [
        package("tiny", |p| {
            p.version = Some("1.0-1".to_owned());
            p.hold = true;
        }),
        package("extra", |p| p.min = Some("0.9".to_owned())),
    ];
    let look = |package: &Package| package.diff(&package.observe(&host).unwrap(), Place::Build);
    let plans: Vec<_> = wanted
        .iter()
        .map(|package| (package, look(package).actions))
        .collect();
    let steps: Vec<_> = plans
        .iter()
        .flat_map(|(package, actions)| actions.iter().map(move |a| (*package, a)))
        .collect();
    assert_eq!(steps.len(), 3);
    Package::apply(&steps, &host).unwrap();
    for package in &wanted {
        assert!(look(package).conforms(), "{:?}", look(package));
    }
    let newer = package("tiny", |p| {
        p.min = Some("1.5".to_owned());
        p.hold = true;
    });
    let actions = look(&newer).actions;
    Package::apply(
        &actions.iter().map(|a| (&newer, a)).collect::<Vec<_>>(),
        &host,
    )
    .unwrap();
    assert!(look(&newer).conforms(), "{:?}", look(&newer));
    let older = package("tiny", |p| p.max = Some("1.5".to_owned()));
    assert!(!look(&older).conforms());
}
