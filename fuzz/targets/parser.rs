//! The push parser alone: any bytes, in one piece and in small ones, come to the same end.
#![no_main]

mod tar;

use std::os::fd::OwnedFd;

use libfuzzer_sys::fuzz_target;
use nodeagent::store::layer::{LayerWriter, Limits, Written};

fn parse(bytes: &[u8], piece: usize) -> Result<Written, String> {
    let limits = Limits {
        entries: 10_000,
        bytes: 1 << 40,
    };
    let mut writer = LayerWriter::new(Vec::<OwnedFd>::new(), limits);
    for piece in bytes.chunks(piece) {
        writer.push(piece).map_err(|error| error.to_string())?;
    }
    writer.finish().map_err(|error| error.to_string())
}

fuzz_target!(|bytes: &[u8]| {
    let Some((piece, bytes)) = bytes.split_first() else {
        return;
    };
    let mut bytes = bytes.to_vec();
    bytes.chunks_mut(tar::BLOCK).for_each(tar::seal);
    let whole = parse(&bytes, bytes.len().max(1));
    let pieces = parse(&bytes, usize::from(*piece) * 3 + 1);
    assert_eq!(whole, pieces);
});
