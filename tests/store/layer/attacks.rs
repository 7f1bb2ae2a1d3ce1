//! The hostile layers themselves: every published way out, and what else came to mind.
//! It is separate from how they are tried.

use std::path::Path;

use super::build::{Item, Tar, entry, record};

/// Layers that lead to the canary by one of its names, by name.
pub(super) fn escapes(canary: &Path) -> Vec<(String, Tar)> {
    let absolute = canary.to_str().unwrap().to_owned();
    let ways = [
        absolute.clone(),
        "../canary".to_owned(),
        "../../canary".to_owned(),
        "./x/../../canary".to_owned(),
        format!("../../../../../../../..{absolute}"),
        format!("/proc/self/root{absolute}"),
        format!("/proc/1/cwd{absolute}"),
    ];
    let mut all = Vec::new();
    for way in ways {
        for (name, tar) in by_name(&way).into_iter().chain(by_link(&way)) {
            all.push((format!("{name} by {way}"), tar));
        }
    }
    all
}

fn by_name(way: &str) -> Vec<(&'static str, Tar)> {
    let tar = Tar::default;
    let below = |name: &str| format!("{way}/{name}");
    let bytes = |name: &str| below(name).into_bytes();
    vec![
        ("a file", tar().file(&below("file"), "dead")),
        ("a new file", tar().file(&below("new"), "dead")),
        (
            "a directory",
            tar().add(entry(b'5', &below("dir")).mode(0o777)),
        ),
        (
            "a PAX path",
            tar().pax(&[("path", &bytes("file"))]).file("x", "dead"),
        ),
        (
            "a hard link",
            tar()
                .add(entry(b'1', "h").link(&below("file")))
                .file("h", "dead"),
        ),
        (
            "a hard link to a link",
            tar()
                .add(entry(b'1', "h").link(&below("link")))
                .add(entry(b'1', "i").link("h").mode(0o777)),
        ),
        (
            "a PAX hard link",
            tar()
                .pax(&[("linkpath", &bytes("file"))])
                .add(entry(b'1', "h").mode(0o777)),
        ),
        ("a whiteout", tar().file(&below(".wh.file"), "")),
        ("an opaque mark", tar().file(&below("dir/.wh..wh..opq"), "")),
        ("a global header", tar().add(entry(b'g', &below("file")))),
        (
            "a device",
            tar().add(entry(b'3', &below("file")).device(1, 3)),
        ),
        ("a pipe", tar().add(entry(b'6', &below("dir/file")))),
    ]
}

fn by_link(way: &str) -> Vec<(&'static str, Tar)> {
    let soft = |name: &str, to: &str| entry(b'2', name).link(to);
    let linked = || Tar::default().add(soft("l", way));
    let xattr = ("SCHILY.xattr.user.dead", &b"1"[..]);
    vec![
        ("a file below a link", linked().file("l/file", "dead")),
        ("a new file below a link", linked().file("l/new/er", "dead")),
        (
            "a directory in place of a link",
            linked().add(entry(b'5', "l").mode(0o777).owner(9, 9)),
        ),
        (
            "a directory of a link's name with a slash",
            linked().add(entry(b'5', "l/.").mode(0o777)),
        ),
        (
            "attributes of a link",
            linked()
                .pax(&[xattr])
                .add(soft("l", way).mode(0o777).owner(9, 9)),
        ),
        (
            "a directory below a link",
            linked().add(entry(b'5', "l/dir").mode(0o777).owner(9, 9)),
        ),
        ("a whiteout below a link", linked().file("l/.wh.file", "")),
        (
            "a whiteout of a tree below a link",
            linked().file("l/.wh.dir", ""),
        ),
        (
            "an opaque mark below a link",
            linked().file("l/dir/.wh..wh..opq", ""),
        ),
        (
            "a hard link below a link",
            linked()
                .add(entry(b'1', "h").link("l/file"))
                .file("h", "dead"),
        ),
        (
            "a hard link to a link",
            linked()
                .add(entry(b'1', "h").link("l").mode(0o777).owner(9, 9))
                .file("h/file", "dead"),
        ),
        (
            "a link through a link",
            linked().add(soft("m", "l/dir")).file("m/file", "dead"),
        ),
        (
            "a device below a link",
            linked().add(entry(b'4', "l/disk").device(8, 0)),
        ),
        // The directory was looked up before it became a link.
        (
            "a link in place of a directory",
            Tar::default()
                .dir("l")
                .file("l/a", "")
                .add(soft("l", way))
                .file("l/file", "dead"),
        ),
        (
            "a link in place of a directory that no entry made",
            Tar::default()
                .file("l/a", "")
                .add(soft("l", way))
                .file("l/file", "dead"),
        ),
        // Its times are set at the end.
        (
            "the times of a directory that became a link",
            Tar::default().dir("l").add(soft("l", way)),
        ),
        (
            "a link removed and made again",
            linked()
                .file("l/x", "")
                .file("l", "")
                .add(soft("l", way))
                .file("l/file", "dead"),
        ),
    ]
}

/// An entry that states another size than it has.
fn stating(mut item: Item, size: i64) -> Item {
    item.size = size;
    item
}

/// Layers that mean to be read another way than they are, or to use up something.
pub(super) fn tricks() -> Vec<(&'static str, Tar)> {
    let tar = Tar::default;
    // An archive inside of a file: who takes the header's size for the file's reads on in there.
    let inner = tar()
        .add(entry(b'2', "inner").link("/etc"))
        .file("inner/passwd", "dead")
        .0;
    let size = inner.len().to_string();
    let hidden = |stated| {
        tar()
            .pax(&[("size", size.as_bytes())])
            .add(stating(entry(b'0', "outer").content(inner.clone()), stated))
    };
    let deep = format!("{}end", "d/".repeat(2000));
    let mut twice = tar();
    for _ in 0..1000 {
        twice = twice.file("same", "x").add(entry(b'5', "same2"));
    }
    vec![
        ("a PAX size over none", hidden(0)),
        ("a PAX size over a smaller one", hidden(512)),
        ("a PAX size over a larger one", hidden(1 << 40)),
        (
            "a device and then a file",
            tar().add(entry(b'4', "d").device(8, 0)).file("d", "dead"),
        ),
        (
            "a pipe and then a file",
            tar().add(entry(b'6', "p")).file("p", "dead"),
        ),
        (
            "a file below a device",
            tar().add(entry(b'3', "d").device(1, 3)).file("d/x", "dead"),
        ),
        (
            "a second name of a device",
            tar()
                .add(entry(b'3', "d").device(1, 3))
                .add(entry(b'1', "e").link("d"))
                .file("e", ""),
        ),
        ("a deep tree", tar().file(&deep, "x")),
        (
            "a deep tree and then none",
            tar().file(&deep, "x").file("d", ""),
        ),
        (
            "a name of everything",
            tar().add(entry(b'0', "\u{1}\n\r\u{7f}\\\"'$(x)`")),
        ),
        ("the same thing very often", twice),
    ]
}

/// Layers that state impossible things.
pub(super) fn claims() -> Vec<(&'static str, Tar)> {
    let tar = Tar::default;
    vec![
        ("exabytes", tar().add(stating(entry(b'0', "a"), i64::MAX))),
        (
            "less than nothing",
            tar().add(stating(entry(b'0', "a"), i64::MIN)),
        ),
        (
            "exabytes by PAX",
            tar()
                .pax(&[("size", b"9223372036854775807")])
                .file("a", "x"),
        ),
        (
            "a directory of exabytes",
            tar().add(stating(entry(b'5', "a"), i64::MAX)),
        ),
        (
            "a PAX header of exabytes",
            tar().add(stating(entry(b'x', "a"), i64::MAX)),
        ),
        (
            "a PAX header without an end",
            tar()
                .add(entry(b'x', "x").content(vec![b'9'; 4096]))
                .file("a", "x"),
        ),
        (
            "a global size",
            tar()
                .add(entry(b'g', "g").content(record("size", b"0")))
                .file("a", "x"),
        ),
        ("attributes without end", {
            let many: Vec<u8> = (0..2000)
                .flat_map(|n| record(&format!("SCHILY.xattr.user.{n}"), b"x"))
                .collect();
            tar().add(entry(b'x', "x").content(many)).file("a", "")
        }),
        (
            "an attribute of a strange name",
            tar().pax(&[("SCHILY.xattr.", b"x")]).file("a", ""),
        ),
        (
            "the root as a file",
            tar().file(".", "dead").file("/", "dead").file("..", "dead"),
        ),
        (
            "the root as a link",
            tar()
                .add(entry(b'2', ".").link("/etc"))
                .add(entry(b'2', "/").link("/etc"))
                .file("passwd", "x"),
        ),
        ("the root deleted", tar().file(".wh.", "").file(".wh..", "")),
    ]
}
