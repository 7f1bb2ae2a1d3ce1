//! What lies under `packaging/`: judged by the tools that will read it.
//! It is separate because none of it is compiled, and each file has a judge of its own.

mod booted;
mod cloud_init;
mod for_real;
mod judged;
mod keystone;
mod life;
mod packages;
mod packer;
mod shell;
mod third_party;

use std::path::PathBuf;

/// A file of the source tree.
fn source(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Its text.
fn text(path: &str) -> String {
    std::fs::read_to_string(source(path)).unwrap()
}
