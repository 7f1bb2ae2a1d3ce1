//! Hostile layers: whatever they try, nothing outside of the staging directory is touched.
//! It is separate because success here is that nothing happened.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use nix::mount::{MsFlags, mount};
use nodeagent::host::failure::Class;
use nodeagent::store::layer::LayerError;

use super::attacks::{claims, escapes, tricks};
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

#[test]
fn nothing_outside_is_touched() {
    in_namespaces(|| {
        let scene = Scene::new();
        scene.shut_in();
        let tricks = tricks()
            .into_iter()
            .chain(claims())
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
