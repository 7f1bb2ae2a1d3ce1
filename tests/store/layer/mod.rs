//! Layers against real containerds: generated and hostile ones, unpacked by them and by us.
//! Separate because the layers are made here, and need no registry.

mod attacks;
#[path = "../../../agent/store/layer/tests/build.rs"]
mod build;
mod differential;
mod hostile;
#[path = "../../../agent/store/layer/tests/look.rs"]
mod look;
mod oci;
mod random;

use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;

use nodeagent::store::layer::{LayerError, LayerWriter, Limits, Target, Written};

/// A directory that is opened.
fn open(dir: &Path) -> OwnedFd {
    std::fs::File::open(dir).unwrap().into()
}

/// Writes a layer to a directory, in pieces of this size.
fn unpack(layer: &[u8], to: &Path, bottom: bool, piece: usize) -> Result<Written, LayerError> {
    let target = Target {
        dir: open(to),
        bottom,
    };
    let mut writer = LayerWriter::new(vec![target], Limits::default());
    for piece in layer.chunks(piece) {
        writer.push(piece)?;
    }
    writer.finish()
}

/// Writes the layers of an image, each to a directory of this number, the lowest first.
fn unpack_all(layers: &[Vec<u8>], to: &Path) -> Result<(), LayerError> {
    for (at, layer) in layers.iter().enumerate() {
        let dir = to.join(at.to_string());
        std::fs::create_dir(&dir).unwrap();
        let written = unpack(layer, &dir, at == 0, 64 << 10)?;
        let lowers: Vec<_> = (0..at)
            .rev()
            .map(|at| open(&to.join(at.to_string())))
            .collect();
        nodeagent::store::layer::settle_parents(open(&dir).as_fd(), &written, &lowers)
            .map_err(LayerError::Failed)?;
    }
    Ok(())
}
