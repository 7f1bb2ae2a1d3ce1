//! Inflating: any bytes end in an error or in what another decoder makes of them.
#![no_main]

use std::io::Read;

use libfuzzer_sys::fuzz_target;
use nodeagent::store::inflate::inflate;

/// More is not read: a bomb is for the caller's limits.
const MOST: u64 = 8 << 20;

fn read(mut from: impl Read) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    from.by_ref().take(MOST).read_to_end(&mut out).ok()?;
    Some(out)
}

fuzz_target!(|bytes: &[u8]| {
    let ours = inflate(Box::new(bytes)).ok().and_then(read);
    if bytes.starts_with(&[0x1f, 0x8b]) {
        // That one looks at the checksum as well: what it takes we take too.
        if let Some(theirs) = read(flate2::read::MultiGzDecoder::new(bytes)) {
            assert!(ours == Some(theirs));
        }
    }
});
