//! Tables for what is told, and sweeps over small trees.
//! It is separate because it is longer than the code it guards.

use super::*;
use crate::host::Root;

fn entry(paths: &[&str], contents: &[(&str, &str)]) -> Forbidden {
    let pairs = contents
        .iter()
        .map(|(rule, line)| ((*rule).to_owned(), (*line).to_owned()));
    Forbidden {
        name: "x".to_owned(),
        paths: paths.iter().map(|path| (*path).to_owned()).collect(),
        except: vec!["/etc/skipped".to_owned()],
        contents: pairs.collect(),
        accept: BTreeMap::from([("/etc/example.key".to_owned(), "an example".to_owned())]),
        when: None,
    }
}

fn tree(files: &[(&str, &[u8])]) -> (tempfile::TempDir, Root) {
    let dir = tempfile::tempdir().unwrap();
    for (path, bytes) in files {
        let at = dir.path().join(path);
        std::fs::create_dir_all(at.parent().unwrap()).unwrap();
        std::fs::write(at, bytes).unwrap();
    }
    let root = Root::open(dir.path()).unwrap();
    (dir, root)
}

#[test]
fn lines_and_files_are_found_and_a_secret_is_never_told() {
    let large = [b"TOKEN=x\n".as_slice(), &vec![b'a'; 1 << 20]].concat();
    let (dir, root) = tree(&[
        ("etc/a", b"x\nTOKEN=hunter2\nTOKEN=again\n"),
        ("etc/deep/b", b"TOKEN=hunter2"),
        ("etc/skipped/c", b"TOKEN=hunter2"),
        ("etc/example.key", b"TOKEN=example"),
        ("etc/binary", b"\0TOKEN=hunter2"),
        ("etc/large", &large),
        ("etc/harmless", b"TOKEN=\n"),
        ("srv/not-swept", b"TOKEN=hunter2"),
    ]);
    std::os::unix::fs::symlink("/srv/not-swept", dir.path().join("etc/link")).unwrap();
    let entry = entry(&["/etc/**"], &[("token", "*TOKEN=?*")]);
    let seen = sweep::sweep(&entry, &root).unwrap();
    let diff = entry.diff(&seen, Place::Image);
    let whats: Vec<&str> = diff.differences.iter().map(|d| d.what.as_str()).collect();
    assert_eq!(whats, ["/etc/a line 2", "/etc/deep/b line 1"]);
    assert_eq!(diff.differences[0].have, "looks like token");
    assert!(!format!("{seen:?} {diff:?}").contains("hunter2"));
    assert_eq!(
        (seen.large, seen.accepted),
        (1, vec!["/etc/example.key".to_owned()])
    );
    let remarks: Vec<&str> = diff.not_applicable.iter().map(|r| r.why.as_str()).collect();
    assert_eq!(remarks, ["accepted: an example", "1 files were not read"]);
}

#[test]
fn without_contents_the_file_itself_is_forbidden() {
    let (_dir, root) = tree(&[
        ("etc/cloud.conf", b"\0"),
        ("etc/k8s/cloud.conf", b""),
        ("etc/other", b""),
    ]);
    let entry = entry(&["/etc/**/cloud.conf", "/etc/shadow"], &[]);
    let seen = sweep::sweep(&entry, &root).unwrap();
    let paths: Vec<&str> = seen.found.iter().map(|found| found.path.as_str()).collect();
    assert_eq!(paths, ["/etc/cloud.conf", "/etc/k8s/cloud.conf"]);
    let diff = entry.diff(&seen, Place::Image);
    assert_eq!(
        (diff.differences[0].have.as_str(), diff.actions.len()),
        ("present", 0)
    );
}

#[test]
fn homes_are_those_of_the_accounts() {
    let (_dir, root) = tree(&[
        (
            "etc/passwd",
            b"root:x:0:0::/root:/bin/sh\nu:x:7:7::/srv/u:/bin/sh\nd:x:8:8::/var:/bin/false\n",
        ),
        ("srv/u/openrc", b""),
        ("var/openrc", b""),
        ("srv/other/openrc", b""),
    ]);
    let seen = sweep::sweep(&entry(&["~/openrc*"], &[]), &root).unwrap();
    let paths: Vec<&str> = seen.found.iter().map(|found| found.path.as_str()).collect();
    assert_eq!(paths, ["/srv/u/openrc"]);
}

#[test]
fn what_names_nothing_or_is_deferred_is_told_as_such() {
    let (_dir, root) = tree(&[("etc/a", b"x")]);
    let nothing = entry(&["/etc/**"], &[("builder", "**")]);
    let diff = nothing.diff(&sweep::sweep(&nothing, &root).unwrap(), Place::Image);
    assert!(diff.conforms() && diff.not_applicable[0].what == ENTRY);
    let deferred = Seen {
        deferred: true,
        ..Seen::default()
    };
    assert!(
        nothing.diff(&deferred, Place::Image).not_applicable[0]
            .why
            .contains("closing unit")
    );
}

#[test]
fn many_violations_are_counted() {
    let found = |n| Found {
        path: format!("/etc/{n}"),
        line: Some(1),
        rule: "r".to_owned(),
    };
    let seen = Seen {
        found: (0..25).map(found).collect(),
        ..Seen::default()
    };
    let diff = entry(&["/etc/**"], &[]).diff(&seen, Place::Image);
    assert_eq!(
        (diff.differences.len(), diff.differences[20].have.as_str()),
        (21, "5 more")
    );
}
