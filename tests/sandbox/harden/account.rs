//! Kind `account` with the real tools: made, mended, and never anything that somebody could log in to.
//! It is separate because what counts is what /etc/passwd, group and shadow hold in the end.

use nodeagent::resource::Kind as _;
use nodeagent::resource::account::{Account, Action};

use super::{Bed, lines};

fn etcd() -> Account {
    let fields = serde_json::json!({ "name": "etcd", "comment": "etcd user" });
    serde_json::from_value(fields).unwrap()
}

#[test]
fn an_account_is_made_and_nobody_can_log_in_to_it() {
    let bed = Bed::new("account-new");
    assert_eq!(bed.settle(&etcd()).unwrap(), Vec::<String>::new());
    let (code, line) = bed.run(&["getent", "passwd", "etcd"]);
    assert_eq!(code, 0);
    assert!(
        line.contains(":etcd user:/nonexistent:/usr/sbin/nologin"),
        "{line}"
    );
    let (_, status) = bed.run(&["passwd", "--status", "etcd"]);
    assert!(status.starts_with("etcd L "), "{status}");
    assert!(bed.text("/etc/group").contains("\netcd:x:"));
    assert!(!bed.at("/nonexistent").exists() && !bed.at("/var/mail/etcd").exists());
}

#[test]
fn an_account_that_was_opened_is_closed_again() {
    let bed = Bed::new("account-open");
    bed.settle(&etcd()).unwrap();
    bed.run(&["usermod", "--shell", "/bin/bash", "--home", "/root", "etcd"]);
    bed.run(&["usermod", "--password", "", "etcd"]);
    let found = lines(&bed.diff(&etcd()));
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(found[2].contains("anybody may log in"), "{found:?}");
    assert_eq!(bed.settle(&etcd()).unwrap(), Vec::<String>::new());
    let (_, status) = bed.run(&["passwd", "--status", "etcd"]);
    assert!(status.starts_with("etcd L "), "{status}");
}

#[test]
fn a_missing_shadow_line_is_added_and_locked() {
    let bed = Bed::new("account-shadow");
    bed.settle(&etcd()).unwrap();
    let shadow = bed.text("/etc/shadow");
    let without: Vec<&str> = shadow.lines().filter(|l| !l.starts_with("etcd:")).collect();
    bed.put("/etc/shadow", &(without.join("\n") + "\n"));
    assert_eq!(
        lines(&bed.diff(&etcd())),
        ["password: no line in /etc/shadow -> locked"]
    );
    assert_eq!(bed.settle(&etcd()).unwrap(), Vec::<String>::new());
    assert!(bed.text("/etc/shadow").contains("\netcd:!"));
}

#[test]
fn a_tool_that_refuses_is_named_with_what_it_said() {
    let bed = Bed::new("account-taken");
    let account = Account {
        uid: Some(1),
        ..etcd()
    };
    Account::apply(&[(&account, &Action::AddGroup)], &bed.host).unwrap();
    let error = Account::apply(&[(&account, &Action::AddUser)], &bed.host).unwrap_err();
    let line = error.one_line();
    assert!(line.contains("useradd") && line.contains("UID 1"), "{line}");
}
