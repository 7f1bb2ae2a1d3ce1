//! One 512-byte header of a tar archive: its fields, its numbers, its checksum.
//! It is separate because it is pure and everything that follows in the archive depends on it.

use std::io;
use std::ops::Range;

use super::bad;

/// Archives are made of blocks of this size.
pub(crate) const BLOCK: usize = 512;

/// The fields of a header that matter here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    /// The path, not yet looked into.
    pub(super) name: Vec<u8>,
    /// The type, as one letter or digit.
    pub(super) kind: u8,
    /// Bytes that follow.
    pub(super) size: u64,
    /// Permission bits and what else stands there.
    pub(super) mode: u32,
    /// Seconds since 1970.
    pub(super) mtime: u64,
    /// Where a link leads.
    pub(super) link: Vec<u8>,
}

impl Header {
    /// Reads a block that is not all zero.
    pub(super) fn parse(block: &[u8; BLOCK]) -> io::Result<Self> {
        let stated = number(field(block, 148..156))?;
        if stated != checksum(block) {
            return Err(bad(
                "a header has a wrong checksum: this is no tar archive, or a damaged one",
            ));
        }
        let mut name = text(field(block, 0..100)).to_vec();
        // Only POSIX has a prefix there; GNU keeps times in the same bytes.
        let prefix = text(field(block, 345..500));
        if field(block, 257..263) == b"ustar\0" && !prefix.is_empty() {
            name = [prefix, b"/", &name].concat();
        }
        Ok(Self {
            name,
            kind: block.get(156).copied().unwrap_or_default(),
            size: number(field(block, 124..136))?,
            mode: u32::try_from(number(field(block, 100..108))?)
                .map_err(|_| bad("a mode is too large"))?,
            mtime: number(field(block, 136..148))?,
            link: text(field(block, 157..257)).to_vec(),
        })
    }
}

/// Some bytes of a header.
pub(crate) fn field(block: &[u8; BLOCK], range: Range<usize>) -> &[u8] {
    block.get(range).unwrap_or_default()
}

/// What stands before the first zero byte.
pub(crate) fn text(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// A number in octal digits, or in base 256 where the first bit is set; a negative one is an error.
fn number(bytes: &[u8]) -> io::Result<u64> {
    let unreadable = || bad("a header holds a number that cannot be read");
    let too_large = || bad("a header holds a number that is too large");
    if let Some((first, rest)) = bytes.split_first()
        && *first & 0x80 != 0
    {
        if *first != 0x80 {
            return Err(too_large());
        }
        return rest.iter().try_fold(0u64, |value, byte| {
            let value = value.checked_mul(256).ok_or_else(too_large)?;
            Ok(value + u64::from(*byte))
        });
    }
    let digits = text(bytes);
    let digits = std::str::from_utf8(digits)
        .map_err(|_| unreadable())?
        .trim_matches(' ');
    if digits.is_empty() {
        return Ok(0);
    }
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(unreadable());
    }
    u64::from_str_radix(digits, 8).map_err(|_| unreadable())
}

/// The sum of all bytes, the checksum's own read as blanks.
pub(crate) fn checksum(block: &[u8; BLOCK]) -> u64 {
    let sum = |bytes: &[u8]| bytes.iter().map(|byte| u64::from(*byte)).sum::<u64>();
    sum(block) - sum(field(block, 148..156)) + 8 * 32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_octal_or_base_256_and_never_negative() {
        let table: [(&[u8], Option<u64>); 9] = [
            (b"0000644\0", Some(0o644)),
            (b"   644 \0", Some(0o644)),
            (b"\0\0\0\0", Some(0)),
            (b"\x80\0\0\0\0\0\0\0\0\0\x01\0", Some(256)),
            (
                b"\x80\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff",
                Some(u64::MAX),
            ),
            (b"\x80\0\0\x01\0\0\0\0\0\0\0\0", None),
            (b"\xff\xff\xff\xff", None),
            (b"0000648\0", None),
            (b"-000644\0", None),
        ];
        for (bytes, want) in table {
            assert_eq!(number(bytes).ok(), want, "{bytes:?}");
        }
    }
}
