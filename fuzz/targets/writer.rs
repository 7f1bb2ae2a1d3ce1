//! The writer: layers made of names that lead everywhere; nothing but the staging directory changes.
//! Run it as root, with TMPDIR on a tmpfs.
#![no_main]

mod tar;

use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use nodeagent::store::layer::{LayerWriter, Limits, Target, compare};

/// Names of entries and links; those with a mark lead to the canary.
const NAMES: [&str; 24] = [
    "a", "b", "c", "a/b", "a/b/c", "b/a", "b/c/a", "c/a", "a/.wh.b", ".wh.a", ".wh..wh..opq",
    "a/.wh..wh..opq", ".wh.", ".wh..", "..", "../canary", "../canary/file", "/@", "/@/file",
    "a/../../canary/file", "/proc/self/root/@/file", "b/./c", "a/b/../..", "/",
];
const KINDS: &[u8] = b"00555112222346gxLK";

struct Scene {
    top: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        let top = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(top.path().join("canary/dir")).unwrap();
        std::fs::write(top.path().join("canary/file"), "alive").unwrap();
        Self { top }
    }

    /// Inode, links and last change of everything outside.
    fn outside(&self) -> Vec<(u64, u64, i64, i64)> {
        let paths = ["canary", "canary/dir", "canary/file"];
        let metas = paths.map(|path| std::fs::symlink_metadata(self.top.path().join(path)).unwrap());
        metas
            .iter()
            .map(|meta| (meta.ino(), meta.nlink(), meta.ctime(), meta.ctime_nsec()))
            .collect()
    }
}

/// The layer that bytes stand for: four of them are an entry.
fn layer(bytes: &[u8], top: &Path) -> Vec<u8> {
    let mut layer = Vec::new();
    let canary = top.join("canary");
    let canary = canary.to_str().unwrap();
    let name = |byte: u8| NAMES[usize::from(byte) % NAMES.len()].replace("/@", canary);
    for op in bytes.chunks_exact(4).take(64) {
        let kind = KINDS[usize::from(op[0]) % KINDS.len()];
        let content = match kind {
            b'L' | b'K' => name(op[3]).into_bytes(),
            b'x' | b'g' => {
                let value = name(op[3]);
                let key = if op[2] % 2 == 0 { "path" } else { "linkpath" };
                let length = key.len() + value.len() + 3;
                let length = length + if length + 2 > 99 { 3 } else { 2 };
                format!("{length} {key}={value}\n").into_bytes()
            }
            b'0' => vec![op[3]; usize::from(op[3]) * 5],
            _ => Vec::new(),
        };
        let (name, link) = (name(op[1]), name(op[2]));
        layer.extend(tar::header(kind, name.as_bytes(), link.as_bytes(), content.len(), op[3]));
        layer.extend(tar::body(&content));
    }
    layer.extend([0; 2 * tar::BLOCK]);
    layer
}

thread_local! {
    static SCENE: Scene = Scene::new();
}

fuzz_target!(|bytes: &[u8]| {
    SCENE.with(|scene| {
        let Some((bottom, bytes)) = bytes.split_first() else {
            return;
        };
        let bottom = bottom % 2 == 1;
        let staging = scene.top.path().join("staging");
        std::fs::create_dir(&staging).unwrap();
        let layer = layer(bytes, scene.top.path());
        let before = scene.outside();
        let dir: OwnedFd = std::fs::File::open(&staging).unwrap().into();
        let target = Target {
            dir: dir.try_clone().unwrap(),
            bottom,
        };
        let mut writer = LayerWriter::new(vec![target], Limits::default());
        let done = writer.push(&layer).and_then(|()| writer.finish());
        assert_eq!(scene.outside(), before);
        assert_eq!(std::fs::read_dir(scene.top.path()).unwrap().count(), 2);
        if done.is_ok() {
            compare(&mut layer.as_slice(), dir.as_fd(), bottom).unwrap();
        }
        std::fs::remove_dir_all(&staging).unwrap();
    });
});
