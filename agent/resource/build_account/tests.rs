//! Tables for what goes and what stays, and the whole way on a tree with two accounts.
//! It is separate because it is longer than the code it guards.

use super::*;

fn account(name: &str, uid: u32, home: &str) -> Account {
    Account {
        name: name.to_owned(),
        uid,
        gid: uid,
        home: home.to_owned(),
        shell: "/bin/sh".to_owned(),
    }
}

#[test]
fn each_file_loses_the_account_and_nothing_else() {
    let all = [
        account("packer", 1000, "/home/packer"),
        account("packer2", 1001, "/home/packer2"),
    ];
    let table = [
        (
            "/etc/passwd",
            "root:x:0\npacker:x:1000\npacker2:x:1001\n",
            "root:x:0\npacker2:x:1001\n",
        ),
        ("/etc/shadow", "packer:$6$x:1\npacker2:*:1", "packer2:*:1"),
        (
            "/etc/subuid",
            "packer:100000:65536\n1000:1:1\n1001:1:1\n",
            "1001:1:1\n",
        ),
        (
            "/etc/group",
            "sudo:x:27:packer,web,packer2\n",
            "sudo:x:27:web,packer2\n",
        ),
        (
            "/etc/group",
            "packer:x:1000:\nadm:x:4:packer\n",
            "adm:x:4:\n",
        ),
        ("/etc/group", "packer:x:1000:web\n", "packer:x:1000:web\n"),
        ("/etc/group", "packer:x:1001:packer\n", "packer:x:1001:\n"),
        (
            "/etc/gshadow",
            "packer:!::\nsudo:*:packer:web,packer\n",
            "sudo:*::web\n",
        ),
        (
            "/etc/sudoers.d/90",
            "# by\npacker ALL=(ALL) NOPASSWD:ALL\n%packer ALL=ALL\npacker2 ALL=ALL\n",
            "# by\npacker2 ALL=ALL\n",
        ),
        ("/etc/passwd", "caf\u{e9}:x:5\n", "caf\u{e9}:x:5\n"),
    ];
    for (path, old, want) in table {
        let new = files::without(path, old.as_bytes(), "packer", &all);
        assert_eq!(String::from_utf8(new).unwrap(), want, "{path} {old:?}");
    }
}

#[test]
fn a_file_that_only_comments_is_void_but_an_include_is_not() {
    for (text, void) in [
        ("# a\n\n", true),
        ("", true),
        ("#includedir /x\n", false),
        ("a ALL=ALL\n", false),
    ] {
        assert_eq!(files::is_void(text.as_bytes()), void, "{text:?}");
    }
}

#[test]
fn only_a_home_of_its_own_goes() {
    let table = [
        ("/home/packer/", true),
        ("/", false),
        ("/home", false),
        ("/var", false),
        ("/usr/lib/x", false),
        ("relative", false),
        ("/home/../etc", false),
        ("/srv/shared", false),
    ];
    for (home, goes) in table {
        let own = account("packer", 1000, home);
        let all = [own.clone(), account("web", 33, "/srv/shared/web")];
        let found = paths("packer", Some(&own), &all);
        let home = home.trim_end_matches('/').to_owned();
        assert_eq!(found.contains(&home), goes, "{home}");
    }
}

#[test]
fn names_that_cannot_be_removed_are_faults() {
    for (name, right) in [
        ("", true),
        ("packer", true),
        ("root", false),
        ("0", false),
        ("a b", false),
        ("../x", false),
    ] {
        let entry = BuildAccount {
            name: name.to_owned(),
        };
        assert_eq!(entry.faults().is_empty(), right, "{name:?}");
    }
}

#[test]
fn what_is_deferred_refused_or_not_named_is_told() {
    let entry = |name: &str| BuildAccount {
        name: name.to_owned(),
    };
    let diff = entry("").diff(&Seen::default(), Place::Image);
    assert!(diff.conforms() && diff.not_applicable[0].why.contains("build_account"));
    let deferred = Seen {
        deferred: true,
        ..Seen::default()
    };
    assert!(
        entry("packer").diff(&deferred, Place::Image).not_applicable[0]
            .why
            .contains("closing unit")
    );
    let refused = Seen {
        refused: Some("why".to_owned()),
        ..Seen::default()
    };
    assert!(!entry("toor").diff(&refused, Place::Image).conforms());
}
