//! A place for the nodes of one test: a network of their own, and a directory with their disks and consoles.
//! Separate because every test of nodes begins with it, anew, and it ends with the test's thread.

use crate::support::{
    machine::cache,
    namespace::{empty, in_namespaces},
    vm::{node, qemu::Vm},
};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Runs a test with the two networks around it. Consoles stay in `target/vm/NAME`, disks do not.
pub(super) fn in_lab(name: &str, test: impl FnOnce(&Path) + Send) {
    let dir = cache::target_dir().join("vm").join(name);
    cache::remove(&dir).unwrap();
    fs::create_dir_all(&dir).unwrap();
    let disks = Disks(dir.clone());
    in_namespaces(|| {
        empty("/run");
        node::wires(&dir).unwrap();
        test(&dir);
    });
    drop(disks);
}

/// The line of the console with a text; it must be there, and hold another one too.
pub(super) fn said(vm: &Vm, begin: &str, part: &str) -> String {
    let console = vm.console();
    let line = console.lines().find(|line| line.contains(begin));
    let line = line.unwrap_or_else(|| panic!("{}", vm.told(&format!("no {begin:?}"))));
    assert!(line.contains(part), "no {part:?} in {line:?}");
    line.to_owned()
}

/// Removes the disks whatever became of the test; they are large.
struct Disks(PathBuf);

impl Drop for Disks {
    fn drop(&mut self) {
        for file in fs::read_dir(&self.0).into_iter().flatten().flatten() {
            let path = file.path();
            if path
                .extension()
                .is_some_and(|e| e == "qcow2" || e == "raw" || e == "iso")
            {
                fs::remove_file(path).unwrap_or_default();
            }
        }
    }
}
