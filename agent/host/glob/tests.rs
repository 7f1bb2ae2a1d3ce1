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
