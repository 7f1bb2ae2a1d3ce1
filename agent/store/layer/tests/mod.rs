//! Tests of the layer writer: a builder of archives, a look at trees, and a file for each topic.
//! They are apart to keep the modules readable.

mod build;
mod compare;
mod look;
mod ordinary;
mod parents;
mod records;
mod refused;
mod semantics;

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;

use super::*;
use build::{Tar, entry};
use look::{Node, look};

/// A directory that is opened.
fn open(dir: &std::path::Path) -> OwnedFd {
    std::fs::File::open(dir).unwrap().into()
}

/// Writes a layer in one piece and gives the directory with it.
fn unpack(layer: &[u8]) -> Result<(tempfile::TempDir, Written), LayerError> {
    unpack_as(layer, false, usize::MAX)
}

/// The same as a bottom layer or not, in pieces of this size.
fn unpack_as(
    layer: &[u8],
    bottom: bool,
    piece: usize,
) -> Result<(tempfile::TempDir, Written), LayerError> {
    let dir = tempfile::tempdir().unwrap();
    let target = Target {
        dir: open(dir.path()),
        bottom,
    };
    let mut writer = LayerWriter::new(vec![target], Limits::default());
    for piece in layer.chunks(piece.min(layer.len().max(1))) {
        writer.push(piece)?;
    }
    let written = writer.finish()?;
    Ok((dir, written))
}

/// What the error of a layer that must fail says, with its class.
fn refused(layer: &[u8]) -> String {
    let error = unpack(layer).map(drop).unwrap_err();
    match error {
        LayerError::Unusual(what) => format!("unusual: {what}"),
        LayerError::Failed(failure) => format!("{}: {}", failure.class, failure.error.one_line()),
    }
}

/// The tree of a layer.
fn tree(layer: &[u8]) -> BTreeMap<String, Node> {
    look(unpack(layer).unwrap().0.path())
}

/// Paths and kinds of a tree, without the root.
fn listed(tree: &BTreeMap<String, Node>) -> String {
    let nodes = tree.iter().filter(|(path, _)| !path.is_empty());
    let words: Vec<_> = nodes
        .map(|(path, node)| format!("{path}:{}", node.kind))
        .collect();
    words.join(" ")
}

/// The same of a layer.
fn paths(layer: &[u8]) -> String {
    listed(&tree(layer))
}
