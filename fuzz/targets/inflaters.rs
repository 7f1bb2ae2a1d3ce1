//! Both inflaters on the same bytes: what a decoder that takes the checksum gets out of them, zlib-rs and ISA-L get too.
#![no_main]

use std::io::{self, Read};

use libfuzzer_sys::fuzz_target;
use nodeagent::store::inflate::inflate;

/// More is not read: a bomb is for the caller's limits.
const MOST: usize = 8 << 20;

/// Bytes that a layer's reader asks for at a time.
const PIECE: usize = 256 << 10;

/// Everything up to the limit, or the error.
fn all(mut from: impl Read) -> io::Result<Vec<u8>> {
    let (mut out, mut piece) = (Vec::new(), vec![0; PIECE]);
    while out.len() < MOST {
        match from.read(&mut piece)? {
            0 => break,
            count => out.extend_from_slice(&piece[..count]),
        }
    }
    out.truncate(MOST);
    Ok(out)
}

fuzz_target!(|bytes: &[u8]| {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return;
    }
    let portable = inflate(Box::new(bytes)).and_then(all);
    // Its decoder holds a pointer into itself: boxed before it reads, as the agent has it.
    let fast = all(Box::new(isal::read::GzipDecoder::new(bytes)));
    match all(flate2::read::MultiGzDecoder::new(bytes)) {
        Ok(right) => {
            assert!(portable.is_ok_and(|out| out == right), "zlib-rs");
            assert!(fast.is_ok_and(|out| out == right), "ISA-L");
        }
        // Neither takes the checksum, and ISA-L passes over more than that: what came is judged by its digest. Two that
        // take damaged bytes as whole take them for the same.
        Err(_) => {
            if let (Ok(portable), Ok(fast)) = (portable, fast) {
                assert!(portable == fast, "damaged");
            }
        }
    }
});
