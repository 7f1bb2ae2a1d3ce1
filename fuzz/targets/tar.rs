//! Archives from the bytes that a fuzzer makes up: right checksums, so that it gets past them.
//! It is separate because every target that feeds the parser wants them.
#![allow(dead_code, reason = "each target uses a part of it")]

/// Archives are made of blocks of this size.
pub const BLOCK: usize = 512;

/// Puts the right checksum in a block.
pub fn seal(block: &mut [u8]) {
    if block.len() < BLOCK {
        return;
    }
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

/// The same for a block that says it is a header; content stays as it is, for digests are taken of it.
pub fn seal_header(block: &mut [u8]) {
    if block.get(257..262) == Some(b"ustar") {
        seal(block);
    }
}

/// A header with its checksum.
pub fn header(kind: u8, name: &[u8], link: &[u8], size: usize, mode: u8) -> Vec<u8> {
    let mut block = vec![0u8; BLOCK];
    block[..name.len().min(100)].copy_from_slice(&name[..name.len().min(100)]);
    block[157..157 + link.len().min(100)].copy_from_slice(&link[..link.len().min(100)]);
    block[100..108].copy_from_slice(format!("{:07o}\0", usize::from(mode) * 16 + 5).as_bytes());
    block[124..136].copy_from_slice(format!("{size:011o}\0").as_bytes());
    block[156] = kind;
    block[257..265].copy_from_slice(b"ustar\x0000");
    seal(&mut block);
    block
}

/// Content with the fill after it.
pub fn body(content: &[u8]) -> Vec<u8> {
    let mut body = content.to_vec();
    body.resize(content.len().next_multiple_of(BLOCK), 0);
    body
}
