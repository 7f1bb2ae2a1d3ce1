//! The deep check: silent about what was just written, and about each way to spoil it a line.
//! It is separate because it is tried on trees that the writer made.

use std::os::fd::AsFd as _;
use std::os::unix::fs as unix;
use std::path::Path;

use super::*;

fn told(layer: &[u8], dir: &Path, bottom: bool) -> Vec<String> {
    compare(&mut &*layer, open(dir).as_fd(), bottom).unwrap()
}

fn layer() -> Vec<u8> {
    Tar::default()
        .dir("d")
        .file("d/file", "content")
        .add(entry(b'0', "big").content(vec![3u8; 600_000]))
        .add(entry(b'2', "link").link("d/file"))
        .add(entry(b'1', "second").link("d/file").mode(0o644))
        .add(entry(b'3', "null").device(1, 3))
        .add(entry(b'6', "pipe"))
        .file("made/by/none", "")
        .file("made/.wh.gone", "")
        .file("d/.wh..wh..opq", "")
        .pax(&[("SCHILY.xattr.user.k", b"v"), ("mtime", b"7.5")])
        .file("attributes", "")
        .end()
}

#[test]
fn what_was_just_written_is_as_the_layer_says() {
    // Entries that later ones replace, headers of hard links that count for both names, links as parents.
    let odd = Tar::default()
        .file("a", "1")
        .file("a", "22")
        .add(entry(b'5', "d").mode(0o700))
        .add(entry(b'5', "d"))
        .add(entry(b'1', "b").link("a").mode(0o600).owner(1, 1))
        .add(entry(b'2', "l").link("d"))
        .file("l/x", "")
        .file("w/.wh.x", "")
        .file("w/x", "")
        .file("t/u/v", "")
        .file("t", "flat")
        .end();
    for (bottom, layer) in [(false, layer()), (false, odd.clone()), (true, odd)] {
        let (dir, _) = unpack_as(&layer, bottom, usize::MAX).unwrap();
        assert_eq!(told(&layer, dir.path(), bottom), Vec::<String>::new());
    }
}

#[test]
fn every_change_is_told() {
    type Spoil = fn(&Path);
    let table: [(&str, Spoil); 18] = [
        ("'d/file' has 0 bytes, not 7", |dir| {
            std::fs::write(dir.join("d/file"), "").unwrap();
        }),
        ("'d/file' has another content", |dir| {
            rewrite(&dir.join("d/file"), "CONTENT");
        }),
        ("'big' has another content", |dir| {
            let mut bytes = vec![3u8; 600_000];
            bytes[599_999] = 4;
            rewrite(&dir.join("big"), bytes);
        }),
        ("'d/file' is missing", |dir| {
            std::fs::remove_file(dir.join("d/file")).unwrap();
        }),
        ("'link' leads elsewhere", |dir| {
            replace(&dir.join("link"), |path| {
                unix::symlink("d/fil", path).unwrap();
            });
        }),
        ("'link' is a file", |dir| {
            replace(&dir.join("link"), |path| std::fs::write(path, "").unwrap());
        }),
        ("'second' is no second name of 'd/file'", |dir| {
            replace(&dir.join("second"), |path| {
                std::fs::write(path, "content").unwrap();
            });
        }),
        ("'null' is a pipe", |dir| {
            std::fs::remove_file(dir.join("null")).unwrap();
            std::fs::rename(dir.join("pipe"), dir.join("null")).unwrap();
        }),
        ("'d' has mode 0700, not 0755", |dir| {
            chmod(&dir.join("d"), 0o700);
        }),
        ("'big' is owned by 1:0, not 0:0", |dir| {
            unix::chown(dir.join("big"), Some(1), None).unwrap();
        }),
        ("'attributes' was changed at another time", |dir| {
            rewrite(&dir.join("attributes"), "");
        }),
        ("'attributes' has another attribute user.k", |dir| {
            xattr(&dir.join("attributes"), "user.k", b"w");
        }),
        ("'made/gone' is not marked as deleted", |dir| {
            std::fs::remove_file(dir.join("made/gone")).unwrap();
        }),
        ("'made/gone' is not marked as deleted", |dir| {
            replace(&dir.join("made/gone"), |path| {
                std::fs::write(path, "").unwrap();
            });
        }),
        ("'d' is not marked as opaque", |dir| {
            xattr(&dir.join("d"), "trusted.overlay.opaque", b"n");
        }),
        ("'made/by/more' is not in the layer", |dir| {
            std::fs::write(dir.join("made/by/more"), "").unwrap();
        }),
        ("'more' is not in the layer", |dir| {
            std::fs::create_dir_all(dir.join("more/empty")).unwrap();
        }),
        ("'made/by/none' is missing", |dir| {
            std::fs::remove_dir_all(dir.join("made/by")).unwrap();
        }),
    ];
    let layer = layer();
    for (want, spoil) in table {
        let (dir, _) = unpack(&layer).unwrap();
        spoil(dir.path());
        let told = told(&layer, dir.path(), false);
        assert!(told.iter().any(|line| line == want), "{want}: {told:?}");
    }
}

#[test]
fn a_bottom_layer_has_no_marks_to_look_for() {
    let layer = Tar::default().file("a", "").file(".wh.b", "").end();
    let (dir, _) = unpack_as(&layer, true, usize::MAX).unwrap();
    assert_eq!(
        told(&layer, dir.path(), false),
        ["'b' is not marked as deleted"]
    );
    std::fs::write(dir.path().join("b"), "").unwrap();
    let said = told(&layer, dir.path(), true);
    assert_eq!(said, ["'b' is there, and was deleted"]);
}

#[test]
fn a_layer_that_cannot_be_read_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let cut = &layer()[..700];
    compare(&mut &*cut, open(dir.path()).as_fd(), false).unwrap_err();
}

/// Writes a file in place and leaves its time as it was, unless nothing is written.
fn rewrite(path: &Path, content: impl AsRef<[u8]>) {
    let before = std::fs::metadata(path).unwrap().modified().unwrap();
    let empty = content.as_ref().is_empty();
    std::fs::write(path, content).unwrap();
    let file = std::fs::File::options().write(true).open(path).unwrap();
    let second = std::time::Duration::from_secs(u64::from(empty));
    file.set_modified(before + second).unwrap();
}

fn replace(path: &Path, make: impl Fn(&Path)) {
    std::fs::remove_file(path).unwrap();
    make(path);
}

fn chmod(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn xattr(path: &Path, name: &str, value: &[u8]) {
    let flags = rustix::fs::XattrFlags::empty();
    rustix::fs::setxattr(path, name, value, flags).unwrap();
}
