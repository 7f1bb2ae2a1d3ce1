//! Keys, names, networks, locks and scripts that fail.
//! Separate because each of these leaves its own tree as it should not be.

use super::{Bench, REPOSITORY, dnf, repo, tree, version, wanted};
use crate::sandbox::apt::text;
use nodeagent::host::Packages as _;
use std::process::{Command, Stdio};

#[test]
fn what_is_not_signed_by_the_right_key_is_refused() {
    let tree = tree("dnf-keys");
    let Bench { dnf, clock, .. } = dnf(&tree);
    for (name, why) in [("unsigned", "not signed"), ("foreign", "key")] {
        let error = text(dnf.install(&[wanted(name, None, None)]));
        assert!(
            error.contains(&format!("install {name}")) && error.contains(why),
            "{error}"
        );
        assert!(error.contains("gpgkey="), "{error}");
        assert_eq!(version(&dnf, name), None);
    }
    assert_eq!(dnf.interrupted().unwrap(), None, "nothing was begun");
    assert!(
        clock.slept.borrow().is_empty(),
        "a wrong key is not tried again"
    );
}

#[test]
fn a_repository_whose_key_did_not_sign_is_refused() {
    let tree = tree("dnf-wrong-key");
    let Bench { dnf, .. } = dnf(&tree);
    repo(
        &tree,
        "baseurl=file:///srv/repository\ngpgcheck=1\ngpgkey=file:///srv/repository/other.asc",
    );
    let error = text(dnf.install(&[wanted("tiny", None, None)]));
    assert!(error.contains("GPG"), "{error}");
    assert_eq!(version(&dnf, "tiny"), None);
    assert_eq!(dnf.interrupted().unwrap(), None, "nothing was begun");
}

#[test]
fn failures_name_the_package_and_the_reason() {
    let tree = tree("dnf-failures");
    let Bench { dnf, .. } = dnf(&tree);
    let table = [
        ("no-such-package", None, "no-such-package"),
        ("tiny", Some("0.1-1.el9"), "tiny-0.1-1.el9"),
        (
            "lacking",
            None,
            "nothing provides nowhere needed by lacking-1.0-1.el9.noarch",
        ),
        (
            "bad-pre",
            None,
            "%prein of bad-pre-0:1.0-1.el9.noarch failed, exit status 3",
        ),
    ];
    for (name, exact, why) in table {
        let error = text(dnf.install(&[wanted(name, exact, None)]));
        assert!(
            error.contains(&format!("install {name}")) && error.contains(why),
            "{error}"
        );
        assert_eq!(version(&dnf, name), None, "{name}");
        assert_eq!(dnf.interrupted().unwrap(), None, "{name}");
    }
}

#[test]
fn a_scriptlet_that_failed_is_a_failure_and_is_repeated() {
    let tree = tree("dnf-scriptlet");
    let Bench { dnf, .. } = dnf(&tree);
    // rpm keeps the package, and dnf says that all is complete.
    let error = text(dnf.install(&[wanted("bad-post", None, None), wanted("tiny", None, None)]));
    assert!(
        error.contains("%post of bad-post-0:1.0-1.el9.noarch failed, exit status 3"),
        "{error}"
    );
    assert!(version(&dnf, "bad-post").is_some() && version(&dnf, "tiny").is_some());
    let left = dnf.interrupted().unwrap().unwrap();
    assert!(
        left.contains("bad-post") && !left.contains("tiny"),
        "{left}"
    );
    assert!(dnf.repair().is_err());
    assert!(dnf.interrupted().unwrap().is_some(), "it failed again");
    std::fs::write(tree.path().join("good"), "").unwrap();
    dnf.repair().unwrap();
    assert_eq!(dnf.interrupted().unwrap(), None);
}

#[test]
fn network_faults_are_tried_again_with_growing_pauses() {
    let tree = tree("dnf-network");
    // Nothing listens on the discard port of the loopback.
    repo(&tree, "baseurl=http://127.0.0.1:9/rocky\ngpgcheck=1");
    let Bench { dnf, notes, clock } = dnf(&tree);
    let error = text(dnf.install(&[wanted("tiny", None, None)]));
    assert!(error.contains("gpgkey="), "{error}");
    repo(
        &tree,
        "baseurl=http://127.0.0.1:9/rocky\ngpgcheck=1\ngpgkey=file:///srv/repository/key.asc",
    );
    let error = text(dnf.install(&[wanted("tiny", None, None)]));
    assert!(
        error.contains("install tiny") && error.contains("127.0.0.1"),
        "{error}"
    );
    assert_eq!(clock.slept.borrow().as_slice(), [2, 4]);
    assert_eq!(notes.drain().len(), 2);
    assert!(dnf.refresh().is_err());
}

#[test]
fn a_lock_of_somebody_else_is_waited_for_and_told() {
    let tree = tree("dnf-lock");
    let Bench { dnf, notes, clock } = dnf(&tree);
    // A program named as dnf is, whose number stands in dnf's lock file.
    let program = tree.path().join("dnf");
    std::fs::copy("/bin/sleep", &program).unwrap();
    let mut holder = Command::new(&program)
        .arg("3")
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let lock = tree.path().join("var/cache/dnf/metadata_lock.pid");
    std::fs::create_dir_all(lock.parent().unwrap()).unwrap();
    std::fs::write(&lock, holder.id().to_string()).unwrap();
    let reaper = std::thread::spawn(move || {
        let id = holder.id();
        holder.wait().unwrap();
        id
    });
    dnf.install(&[wanted("tiny", None, None)]).unwrap();
    let who = format!("held by process {} (dnf)", reaper.join().unwrap());
    let notes = notes.drain();
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(
        notes[0].contains("metadata_lock") && notes[0].contains(&who),
        "{notes:?}"
    );
    assert!(clock.slept.borrow().len() > 10);
    assert_eq!(version(&dnf, "tiny").as_deref(), Some("2.0-1.el9"));
    // What a killed dnf left does not stand in the way, whatever process has its number now.
    std::fs::write(&lock, "1").unwrap();
    dnf.install(&[wanted("extra", None, None)]).unwrap();
    assert!(version(&dnf, "extra").is_some());
    assert!(tree.path().join(REPOSITORY).exists());
}

#[test]
fn a_database_that_is_missing_or_damaged_is_an_error() {
    let tree = tree("dnf-database");
    let Bench { dnf, .. } = dnf(&tree);
    let database = tree.path().join("var/lib/rpm/rpmdb.sqlite");
    std::fs::write(
        &database,
        "no database at all, but long enough to be looked at as one",
    )
    .unwrap();
    let error = dnf.installed().unwrap_err().one_line();
    assert!(error.contains("rpm"), "{error}");
    std::fs::remove_file(&database).unwrap();
    let error = dnf.installed().unwrap_err().one_line();
    assert!(error.contains("no rpm database"), "{error}");
    assert!(!database.exists(), "looking made none");
}
