//! What is judged of an account, line by line of its files.
//! It is separate because the table is longer than the code it tests.

use super::*;
use crate::host::Root;

fn etcd() -> Account {
    Account {
        name: "etcd".into(),
        group: None,
        uid: None,
        gid: None,
        home: default_home(),
        shell: default_shell(),
        comment: None,
    }
}

/// Differences and steps for these lines of passwd, group and shadow.
fn judged(account: &Account, [passwd, group, shadow]: [&str; 3]) -> (Vec<String>, Vec<String>) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("etc")).unwrap();
    for (name, text) in [("passwd", passwd), ("group", group), ("shadow", shadow)] {
        std::fs::write(dir.path().join("etc").join(name), text).unwrap();
    }
    let root = Root::open(dir.path()).unwrap();
    let seen = found::look(&root, &account.name, account.group()).unwrap();
    let diff = account.diff(&seen, Place::Node);
    let differences = diff.differences.iter();
    (
        differences
            .map(|d| format!("{}: {} -> {}", d.what, d.have, d.want))
            .collect(),
        diff.actions.iter().map(ToString::to_string).collect(),
    )
}

const LINE: &str = "etcd:x:52:52::/nonexistent:/usr/sbin/nologin\n";
const GROUP: &str = "etcd:x:52:\n";
const SHADOW: &str = "etcd:!:20000::::::\n";

#[test]
fn a_locked_account_conforms() {
    for lock in ["!", "!!", "*", "!$6$hash", "!*"] {
        let shadow = format!("etcd:{lock}:20000::::::\n");
        let found = judged(&etcd(), [LINE, GROUP, &shadow]);
        assert_eq!(found, (vec![], vec![]), "{lock}");
    }
}

#[test]
fn every_part_fails_alone() {
    let nologin = "/nonexistent:/usr/sbin/nologin";
    let two = format!("{LINE}etcd:x:0:0::/:/bin/sh\n");
    let alias = format!("{LINE}toor:x:52:0::/:/bin/sh\n");
    let table: &[([&str; 3], &str, &[&str])] = &[
        (
            ["", GROUP, ""],
            "user: absent -> a system account that nobody logs in to",
            &["add the user, locked"],
        ),
        (
            [LINE, "", SHADOW],
            "group: absent -> etcd",
            &["add the group", "change the user: --gid etcd"],
        ),
        (
            [&format!("etcd:x:52:9::{nologin}\n"), GROUP, SHADOW],
            "group: 9 -> etcd",
            &["change the user: --gid etcd"],
        ),
        (
            ["etcd:x:52:52::/nonexistent:/bin/bash\n", GROUP, SHADOW],
            "shell: /bin/bash -> /usr/sbin/nologin",
            &["change the user: --shell /usr/sbin/nologin"],
        ),
        (
            ["etcd:x:52:52::/root:/usr/sbin/nologin\n", GROUP, SHADOW],
            "home: /root -> /nonexistent",
            &["change the user: --home /nonexistent"],
        ),
        (
            [LINE, GROUP, "etcd::20000::::::\n"],
            "password: empty: anybody may log in -> locked",
            &["lock the password"],
        ),
        (
            [LINE, GROUP, "etcd:$y$j9T$x:20000::::::\n"],
            "password: set -> locked",
            &["lock the password"],
        ),
        (
            [LINE, GROUP, "root:*:1::::::\n"],
            "password: no line in /etc/shadow -> locked",
            &["add the missing line to /etc/shadow", "lock the password"],
        ),
        (
            [&format!("etcd::52:52::{nologin}\n"), GROUP, SHADOW],
            "password: empty: anybody may log in -> locked",
            &["lock the password"],
        ),
        (
            [&two, GROUP, SHADOW],
            "user: 2 lines in /etc/passwd -> one: remove the others by hand (pwck)",
            &[],
        ),
        (
            [&alias, GROUP, SHADOW],
            "uid: 52 is also that of toor -> its own: what one of them may, the other may",
            &[],
        ),
    ];
    for (files, difference, steps) in table {
        let (differences, actions) = judged(&etcd(), *files);
        assert!(
            differences.iter().any(|d| d == difference),
            "{difference}: {differences:?}"
        );
        assert_eq!(actions, *steps, "{difference}");
    }
}

#[test]
fn numbers_and_comment_count_only_when_they_are_wanted() {
    let account = Account {
        uid: Some(53),
        gid: Some(54),
        comment: Some("etcd user".into()),
        ..etcd()
    };
    let (differences, actions) = judged(&account, [LINE, GROUP, SHADOW]);
    assert_eq!(
        differences,
        [
            "gid: 52 -> 54",
            "uid: 52 -> 53",
            "group: 52 -> etcd",
            "comment:  -> etcd user"
        ]
    );
    assert_eq!(
        actions,
        [
            "give the group the number 54",
            "change the user: --uid 53 --gid etcd --comment etcd user"
        ]
    );
}

#[test]
fn what_would_break_the_files_is_a_fault() {
    let table = [
        ("0", None, None),
        ("root", None, None),
        ("etcd", Some("0"), None),
        ("etcd", None, Some("a:b")),
    ];
    for (name, group, comment) in table {
        let account = Account {
            name: name.into(),
            group: group.map(Into::into),
            comment: comment.map(Into::into),
            ..etcd()
        };
        assert!(!account.faults().is_empty(), "{name} {group:?} {comment:?}");
    }
    assert!(etcd().faults().is_empty());
}
