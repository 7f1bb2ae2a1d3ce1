//! Extension records: any bytes as one, before an entry; what they say of its size is what the parser goes by.
#![no_main]

mod tar;

use std::os::fd::OwnedFd;

use libfuzzer_sys::fuzz_target;
use nodeagent::store::layer::{LayerWriter, Limits};

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, records)) = bytes.split_first() else {
        return;
    };
    let kind = b"xgLK"[usize::from(*kind) % 4];
    let layer = [
        tar::header(kind, b"extension", b"", records.len(), 0),
        tar::body(records),
        tar::header(b'0', b"file", b"", 4, 0),
        tar::body(b"four"),
        vec![0; 2 * tar::BLOCK],
    ];
    let mut writer = LayerWriter::new(Vec::<OwnedFd>::new(), Limits::default());
    if writer.push(&layer.concat()).is_ok()
        && let Ok(written) = writer.finish()
    {
        assert!(written.entries >= 2);
    }
});
