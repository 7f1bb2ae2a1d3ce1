//! The root against hostile trees: nothing outside is ever read or written.
//! It is separate because these tables are longer than the code they guard.

use super::*;

fn tree() -> (tempfile::TempDir, Root, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("secret"), "outside").unwrap();
    let root = Root::open(dir.path()).unwrap();
    (dir, root, outside)
}

fn own(mode: u32) -> Attr {
    Attr {
        mode,
        uid: nix::unistd::getuid().as_raw(),
        gid: nix::unistd::getgid().as_raw(),
    }
}

#[test]
fn absolute_and_relative_symlinks_stay_inside() {
    let (dir, root, outside) = tree();
    let away = outside.path().join("secret");
    std::os::unix::fs::symlink(&away, dir.path().join("abs")).unwrap();
    std::os::unix::fs::symlink(
        format!("../../../../../..{}", away.display()),
        dir.path().join("rel"),
    )
    .unwrap();
    std::os::unix::fs::symlink(outside.path(), dir.path().join("dir")).unwrap();
    assert_eq!(root.read("/abs").unwrap(), None);
    assert_eq!(root.read("/rel").unwrap(), None);
    assert_eq!(root.meta("/dir/secret").unwrap(), None);
    assert!(root.write("/dir/new", b"x", own(0o644)).is_err());
    root.write("/abs", b"inside", own(0o644)).unwrap();
    root.remove("/dir").unwrap();
    assert_eq!(std::fs::read_to_string(&away).unwrap(), "outside");
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 1);
    assert_eq!(root.read_text("/abs").unwrap().as_deref(), Some("inside"));
}

#[test]
fn attributes_and_truncation_never_follow_a_symlink() {
    let (dir, root, _outside) = tree();
    root.write("/target", b"keep", own(0o600)).unwrap();
    std::os::unix::fs::symlink("target", dir.path().join("link")).unwrap();
    assert!(root.set_attr("/link", own(0o777)).is_err());
    assert!(root.truncate("/link").is_err());
    assert_eq!(root.meta("/target").unwrap().unwrap().mode_text(), "0600");
    assert_eq!(root.read_text("/target").unwrap().as_deref(), Some("keep"));
}

#[test]
fn a_write_replaces_what_a_killed_writer_left() {
    let (dir, root, _outside) = tree();
    std::fs::write(dir.path().join(".a.nodeagent"), "torn").unwrap();
    root.write("/a", b"whole", own(0o640)).unwrap();
    assert_eq!(root.list("/").unwrap(), ["a"]);
    assert_eq!(root.meta("/a").unwrap().unwrap().mode_text(), "0640");
}

#[test]
fn removing_goes_down_but_not_through_links() {
    let (dir, root, outside) = tree();
    root.make_dir("/a/b/c", own(0o750)).unwrap();
    std::os::unix::fs::symlink(outside.path(), dir.path().join("a/b/c/out")).unwrap();
    root.write("/a/b/f", b"", own(0o644)).unwrap();
    root.remove("/a").unwrap();
    assert!(!root.present("/a").unwrap());
    assert_eq!(
        std::fs::read_to_string(outside.path().join("secret")).unwrap(),
        "outside"
    );
    root.remove("/a").unwrap();
}

#[test]
fn a_torn_line_is_ended_before_the_next() {
    let (dir, root, _outside) = tree();
    std::fs::write(dir.path().join("log"), "one\ntor").unwrap();
    root.append("/log", 0o600).unwrap().line("two").unwrap();
    assert_eq!(
        root.read_text("/log").unwrap().as_deref(),
        Some("one\ntor\ntwo\n")
    );
}

#[test]
fn a_pipe_is_an_error_and_not_a_wait() {
    let (dir, root, _outside) = tree();
    nix::unistd::mkfifo(&dir.path().join("pipe"), Mode::from_bits_truncate(0o600)).unwrap();
    assert!(
        root.read("/pipe")
            .unwrap_err()
            .one_line()
            .contains("special file")
    );
}

#[test]
fn the_second_holder_learns_who_is_first() {
    let (_dir, root, _outside) = tree();
    let first = root.try_lock("/lock", "pid 1").unwrap().unwrap();
    assert_eq!(
        root.try_lock("/lock", "pid 2").unwrap().unwrap_err(),
        "pid 1"
    );
    drop(first);
    assert!(root.try_lock("/lock", "pid 2").unwrap().is_ok());
}

#[test]
fn a_directory_is_never_seen_without_its_mode() {
    let (dir, root, _outside) = tree();
    // What a killed one left beside it: a directory, or the file of a write.
    std::fs::create_dir(dir.path().join(".a.nodeagent")).unwrap();
    root.make_dir("/a", own(0o755)).unwrap();
    std::fs::write(dir.path().join("a/.b.nodeagent"), "torn").unwrap();
    root.make_dir("/a/b", own(0o750)).unwrap();
    assert_eq!(root.list("/").unwrap(), ["a"]);
    assert_eq!(root.list("/a").unwrap(), ["b"]);
    let done = std::sync::atomic::AtomicBool::new(false);
    let order = std::sync::atomic::Ordering::Relaxed;
    let path = dir.path().join("a/parent");
    let seen = std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut seen = std::collections::BTreeSet::new();
            while !done.load(order) {
                let meta = std::fs::symlink_metadata(&path).ok();
                seen.extend(meta.map(|meta| std::os::unix::fs::MetadataExt::mode(&meta) & 0o7777));
            }
            seen
        });
        for _ in 0..2000 {
            root.make_dir("/a/parent", own(0o751)).unwrap();
            root.remove("/a/parent").unwrap();
        }
        done.store(true, order);
        watcher.join().unwrap()
    });
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), [0o751]);
}

#[test]
fn names_that_are_no_text_are_removed_too() {
    use std::os::unix::ffi::OsStrExt as _;
    let (dir, root, _outside) = tree();
    let name = OsStr::from_bytes(b"\xff\xfe");
    for above in ["a", "b/c"] {
        let at = dir.path().join(above).join(name);
        std::fs::create_dir_all(&at).unwrap();
        std::fs::write(at.join(name), "x").unwrap();
    }
    root.empty_dir("/a").unwrap();
    assert_eq!(std::fs::read_dir(dir.path().join("a")).unwrap().count(), 0);
    root.remove("/b").unwrap();
    assert!(!dir.path().join("b").exists());
}

#[test]
fn what_is_appended_to_is_a_regular_file_that_others_cannot_read() {
    use std::os::unix::fs::PermissionsExt as _;
    let (dir, root, _outside) = tree();
    nix::unistd::mkfifo(&dir.path().join("pipe"), Mode::S_IRWXU).unwrap();
    for error in [
        root.append("/pipe", 0o600).unwrap_err(),
        root.try_lock("/pipe", "me").unwrap_err(),
    ] {
        let said = error.one_line();
        assert!(said.contains("not a regular file"), "{said}");
    }
    for name in ["journal", "lock"] {
        let path = dir.path().join(name);
        std::fs::write(&path, "").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
    }
    root.append("/journal", 0o600)
        .unwrap()
        .line("salt")
        .unwrap();
    drop(root.try_lock("/lock", "me").unwrap().unwrap());
    for name in ["/journal", "/lock"] {
        assert_eq!(root.meta(name).unwrap().unwrap().mode, 0o600, "{name}");
    }
}
