//! Hostile layers: whatever they try, nothing outside of the staging directory is touched.
//! It is separate because success here is that nothing happened.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use nix::mount::{MsFlags, mount};
use nodeagent::host::failure::Class;
use nodeagent::store::layer::LayerError;

use super::build::{Item, Tar, entry, record};
use super::look::{Node, look};
use super::unpack;
use crate::support::namespace::in_namespaces;

/// A directory with everything that a layer could want to harm, and a staging directory beside it.
struct Scene {
    top: tempfile::TempDir,
    canary: PathBuf,
}

/// What is outside: the inode and its last change of any kind tell of every write, link and new attribute.
type Outside = BTreeMap<String, (Node, u64, u64, (i64, i64))>;

impl Scene {
    fn new() -> Self {
        let top = tempfile::tempdir().unwrap();
        let canary = top.path().join("canary");
        std::fs::create_dir_all(canary.join("dir/below")).unwrap();
        std::fs::write(canary.join("file"), "alive").unwrap();
        std::fs::write(canary.join("dir/file"), "alive").unwrap();
        std::os::unix::fs::symlink("file", canary.join("link")).unwrap();
        Self { top, canary }
    }

    /// Only what lies in the scene can be written at all: an escape to anywhere else fails, and is seen by its error.
    fn shut_in(&self) {
        let none = None::<&str>;
        let top = self.top.path();
        mount(Some(top), top, none, MsFlags::MS_BIND, none).unwrap();
        let flags = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY;
        mount(none, "/", none, flags, none).unwrap();
        std::fs::write("/canary-of-nodeagent", "").unwrap_err();
    }

    fn outside(&self) -> Outside {
        let found = look(&self.canary).into_iter();
        found
            .map(|(path, mut node)| {
                let meta = std::fs::symlink_metadata(self.canary.join(&path)).unwrap();
                // Looking is reading.
                node.atime = (0, 0);
                let changed = (meta.ctime(), meta.ctime_nsec());
                (path, (node, meta.ino(), meta.nlink(), changed))
            })
            .collect()
    }

    /// Unpacks a layer and says what became of it; the outside is as it was.
    fn try_layer(
        &self,
        name: &str,
        layer: &[u8],
        bottom: bool,
        piece: usize,
    ) -> Option<LayerError> {
        let before = self.outside();
        let staging = self.top.path().join("staging");
        std::fs::create_dir(&staging).unwrap();
        let error = unpack(layer, &staging, bottom, piece).err();
        assert!(
            self.outside() == before,
            "{name} reached the outside: {error:?}"
        );
        let mut beside: Vec<_> = std::fs::read_dir(self.top.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        beside.sort();
        assert_eq!(beside, ["canary", "staging"], "{name}");
        std::fs::remove_dir_all(&staging).unwrap();
        error
    }
}

/// Layers that lead to the canary by one of its names, by name.
fn escapes(canary: &Path) -> Vec<(String, Tar)> {
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

/// Layers that mean to be read another way than they are, or to use up something.
fn tricks() -> Vec<(&'static str, Tar)> {
    let tar = Tar::default;
    let stating = |mut item: Item, size: i64| {
        item.size = size;
        item
    };
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

#[test]
fn nothing_outside_is_touched() {
    in_namespaces(|| {
        let scene = Scene::new();
        scene.shut_in();
        let tricks = tricks()
            .into_iter()
            .map(|(name, tar)| (name.to_owned(), tar));
        let mut outcomes: BTreeMap<&str, u64> = BTreeMap::new();
        for (name, tar) in escapes(&scene.canary).into_iter().chain(tricks) {
            let layer = tar.end();
            for (bottom, piece) in [(false, 1 << 20), (true, 1 << 20), (false, 7)] {
                let outcome = match scene.try_layer(&name, &layer, bottom, piece) {
                    None => "contained",
                    Some(LayerError::Unusual(_)) => "unusual",
                    Some(LayerError::Failed(failure)) => {
                        // Anything else would be a call that went where it must not go.
                        assert_eq!(failure.class, Class::Image, "{name}: {failure:?}");
                        "refused"
                    }
                };
                *outcomes.entry(outcome).or_default() += 1;
            }
        }
        println!("{outcomes:?}");
        assert_eq!(outcomes.len(), 3);
    });
}

#[test]
fn the_canary_sings() {
    let scene = Scene::new();
    let before = scene.outside();
    std::fs::hard_link(scene.canary.join("file"), scene.top.path().join("h")).unwrap();
    assert!(scene.outside() != before);
    let before = scene.outside();
    std::fs::write(scene.canary.join("dir/file"), "alive").unwrap();
    assert!(scene.outside() != before);
}
