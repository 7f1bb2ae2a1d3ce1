//! Patterns against names and trees: what matches, what is never followed.
//! It is separate because the tables are long.

use super::*;

#[test]
fn names_match_as_a_shell_would() {
    let table = [
        ("*", "", true),
        ("*", ".hidden", true),
        ("a*c", "abbbc", true),
        ("a*c", "abbb", false),
        ("*a*b", "xaybzb", true),
        ("?", "", false),
        ("ssh_host_*_key", "ssh_host_ed25519_key", true),
        ("ssh_host_*_key", "ssh_host_ed25519_key.pub", false),
        ("*.[0-9]", "syslog.1", true),
        ("*.[0-9]", "syslog.x", false),
        ("[!a]b", "cb", true),
        ("[!a]b", "ab", false),
        ("[]x]", "]", true),
        ("[ab", "[ab", true),
        ("[ab", "a", false),
        ("[a-", "[a-", true),
        ("127.0.1.1*", "127.0.1.1\tbuilder", true),
        ("é?", "éa", true),
    ];
    for (pattern, name, want) in table {
        assert_eq!(matches(pattern, name), want, "{pattern} on {name}");
    }
}

fn tree() -> (tempfile::TempDir, Root) {
    let dir = tempfile::tempdir().unwrap();
    let at = |path: &str| dir.path().join(path);
    for path in [
        "etc",
        "home/a/.ssh",
        "srv/b",
        "secret",
        "data/log/deep",
        "var",
    ] {
        std::fs::create_dir_all(at(path)).unwrap();
    }
    let passwd = "a:x:1:1::/home/a:\nb:x:2:2::/srv/b:\n";
    std::fs::write(at("etc/passwd"), passwd).unwrap();
    for path in [
        "home/a/.ssh/authorized_keys",
        "secret/authorized_keys",
        "data/log/x.log",
        "data/log/deep/y.log",
        "data/log/deep/y.log.1",
    ] {
        std::fs::write(at(path), "x").unwrap();
    }
    let link = std::os::unix::fs::symlink::<&str, std::path::PathBuf>;
    link("/secret", at("srv/b/.ssh")).unwrap();
    link("/data/log", at("var/log")).unwrap();
    link("/secret", at("data/log/out")).unwrap();
    link("nowhere", at("data/log/dangling.log")).unwrap();
    let root = Root::open(dir.path()).unwrap();
    (dir, root)
}

fn expanded(pattern: &str) -> Expansion {
    let (_dir, root) = tree();
    expand(&root, &[pattern.to_owned()]).unwrap()
}

#[test]
fn every_home_is_searched_and_a_link_in_one_is_told_but_not_followed() {
    let found = expanded("~/.ssh/authorized_keys");
    assert_eq!(found.paths, ["/home/a/.ssh/authorized_keys"]);
    assert_eq!(found.not_followed, ["/srv/b/.ssh"]);
    let other = expanded("~/.ssh/known_hosts");
    assert_eq!(other, Expansion::default());
}

#[test]
fn any_depth_goes_down_but_not_through_links() {
    let found = expanded("/var/log/**");
    assert_eq!(
        found.paths,
        [
            "/var/log/dangling.log",
            "/var/log/deep",
            "/var/log/deep/y.log",
            "/var/log/deep/y.log.1",
            "/var/log/out",
            "/var/log/x.log"
        ]
    );
    assert_eq!(
        expanded("/var/log/**/*.[0-9]").paths,
        ["/var/log/deep/y.log.1"]
    );
}

#[test]
fn a_path_is_itself_when_it_is_there() {
    assert_eq!(expanded("/etc/passwd").paths, ["/etc/passwd"]);
    assert_eq!(expanded("/etc/shadow"), Expansion::default());
    assert_eq!(expanded("/etc/passwd/*"), Expansion::default());
    assert_eq!(expanded("/e*/p?ss[v-x]d").paths, ["/etc/passwd"]);
}

#[test]
fn a_home_that_is_the_systems_gives_only_its_hidden_files() {
    let dir = tempfile::tempdir().unwrap();
    let homes = [
        "/",
        "//",
        "/.",
        "/etc",
        "/etc/",
        "/usr/bin",
        "/var/lib",
        "/home/../etc",
        "relative",
        "",
        "/srv/real",
    ];
    let passwd: String = homes
        .iter()
        .map(|home| format!("u:x:1:1::{home}:/bin/sh\n"))
        .collect();
    for path in [
        "etc/.ssh",
        "usr/bin",
        "var/lib",
        ".ssh",
        "srv/real/.ssh",
        "srv/real",
        "relative",
        "home",
    ] {
        std::fs::create_dir_all(dir.path().join(path)).unwrap();
        std::fs::write(dir.path().join(path).join("x"), "x").unwrap();
    }
    std::fs::write(dir.path().join("etc/passwd"), passwd).unwrap();
    let root = Root::open(dir.path()).unwrap();
    let found = |pattern: &str| expand(&root, &[pattern.to_owned()]).unwrap().paths;
    assert_eq!(found("~/x"), ["/srv/real/x"]);
    assert_eq!(found("~/*"), ["/srv/real/.ssh", "/srv/real/x"]);
    let hidden = found("~/.ssh/x");
    for path in ["/.ssh/x", "/etc/.ssh/x", "/srv/real/.ssh/x"] {
        assert!(hidden.contains(&path.to_owned()), "{path}: {hidden:?}");
    }
}

#[test]
fn a_name_that_is_no_text_is_told_and_never_passed_over() {
    use std::os::unix::ffi::OsStrExt as _;
    let (dir, root) = tree();
    let name = std::ffi::OsStr::from_bytes(b"\xff.log");
    std::fs::write(dir.path().join("data/log").join(name), "x").unwrap();
    for pattern in ["/var/log/**", "/var/log/*.log", "/var/log/**/*.log"] {
        let found = expand(&root, &[pattern.to_owned()]).unwrap();
        assert_eq!(found.not_named, ["/var/log/\u{fffd}.log"], "{pattern}");
    }
    assert!(expanded("/var/log/*.gz").not_named.is_empty());
}
