//! One header block as Go's `archive/tar`, which containerd unpacks with, reads it.
//! It is separate from the bake's own reader of archives because that one is stricter on purpose: here a layer must
//! mean what it means to containerd, or be refused.

use std::ops::Range;

use super::error::{LayerError, Result};
use crate::host::archive::header::{BLOCK, checksum, field, text};

/// The fields of a header, before extension records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    /// The path as it stands there.
    pub(super) name: Vec<u8>,
    /// The type, as one letter or digit.
    pub(super) kind: u8,
    /// Where a link leads.
    pub(super) link: Vec<u8>,
    /// Bytes that follow, not yet judged.
    pub(super) size: i64,
    /// Permission bits and what else stands there.
    pub(super) mode: i64,
    /// Owner.
    pub(super) uid: i64,
    /// Group.
    pub(super) gid: i64,
    /// Seconds since 1970.
    pub(super) mtime: i64,
    /// The same of the last read; GNU and star have it.
    pub(super) atime: Option<i64>,
    /// Major and minor number.
    pub(super) device: (i64, i64),
}

/// Which family of formats a header is of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    /// The first one, which ends after the link.
    Old,
    /// POSIX.
    Ustar,
    /// Jörg Schilling's.
    Star,
    /// GNU's.
    Gnu,
}

impl Header {
    /// Reads a block that is not all zero.
    pub(super) fn parse(block: &[u8; BLOCK]) -> Result<Self> {
        let stated = number(field(block, 148..156))?;
        if ![checksum(block).cast_signed(), signed_checksum(block)].contains(&stated) {
            return Err(LayerError::image(
                "a header has a wrong checksum: this is no tar archive, or a damaged one",
            ));
        }
        let at = |range: Range<usize>| number(field(block, range));
        let format = format(block);
        let mut header = Self {
            name: text(field(block, 0..100)).to_vec(),
            kind: field(block, 156..157).first().copied().unwrap_or_default(),
            link: text(field(block, 157..257)).to_vec(),
            mode: at(100..108)?,
            uid: at(108..116)?,
            gid: at(116..124)?,
            size: at(124..136)?,
            mtime: at(136..148)?,
            atime: None,
            device: (0, 0),
        };
        if format != Format::Old {
            header.device = (at(329..337)?, at(337..345)?);
            header.prefix(block, format)?;
        }
        Ok(header)
    }

    /// Reads what stands behind the device numbers: there each format has something else.
    fn prefix(&mut self, block: &[u8; BLOCK], format: Format) -> Result<()> {
        let prefix = match format {
            Format::Old => return Ok(()),
            Format::Ustar => text(field(block, 345..500)),
            Format::Star => {
                self.atime = Some(number(field(block, 476..488))?);
                text(field(block, 345..476))
            }
            Format::Gnu => match optional(field(block, 345..357), field(block, 357..369)) {
                Ok(atime) => {
                    self.atime = atime;
                    return Ok(());
                }
                // Go's writer of long ago put a prefix there, and its reader still looks for it.
                Err(_) => Some(text(field(block, 345..500)))
                    .filter(|prefix| prefix.is_ascii())
                    .unwrap_or_default(),
            },
        };
        if !prefix.is_empty() {
            self.name = [prefix, b"/", &self.name].concat();
        }
        Ok(())
    }
}

fn format(block: &[u8; BLOCK]) -> Format {
    match field(block, 257..263) {
        b"ustar\0" if field(block, 508..512) == b"tar\0" => Format::Star,
        b"ustar\0" => Format::Ustar,
        b"ustar " if field(block, 263..265) == b" \0" => Format::Gnu,
        _ => Format::Old,
    }
}

/// GNU's time of the last read, where it is set; both times of it must be numbers.
fn optional(atime: &[u8], ctime: &[u8]) -> Result<Option<i64>> {
    let set = |bytes: &[u8]| bytes.first().is_some_and(|byte| *byte != 0);
    if set(ctime) {
        number(ctime)?;
    }
    set(atime).then(|| number(atime)).transpose()
}

/// A number in octal digits, or in base 256 and then with a sign.
fn number(bytes: &[u8]) -> Result<i64> {
    let bad = || LayerError::image("a header holds a number that cannot be read");
    if let Some((first, rest)) = bytes.split_first()
        && *first & 0x80 != 0
    {
        let negative = *first & 0x40 != 0;
        // The sign's bit itself is no digit; a negative number goes on with ones before it.
        let top = i128::from(*first & 0x3f) - if negative { 0x40 } else { 0 };
        let value = rest.iter().try_fold(top, |value, byte| {
            value
                .checked_mul(256)
                .map(|value| value + i128::from(*byte))
        });
        return value
            .and_then(|value| i64::try_from(value).ok())
            .ok_or_else(bad);
    }
    let blank = |byte: &u8| matches!(byte, 0 | b' ');
    let from = bytes.iter().position(|byte| !blank(byte));
    let to = bytes.iter().rposition(|byte| !blank(byte));
    let (Some(from), Some(to)) = (from, to) else {
        return Ok(0);
    };
    let digits = text(bytes.get(from..=to).unwrap_or_default());
    digits
        .iter()
        .try_fold(0i64, |value, byte| match byte {
            b'0'..=b'7' => value.checked_mul(8)?.checked_add(i64::from(byte - b'0')),
            _ => None,
        })
        .ok_or_else(bad)
}

/// The checksum of those who took bytes for signed.
fn signed_checksum(block: &[u8; BLOCK]) -> i64 {
    let sum = |bytes: &[u8]| {
        let bytes = bytes.iter().map(|byte| i64::from(byte.cast_signed()));
        bytes.sum::<i64>()
    };
    sum(block) - sum(field(block, 148..156)) + 8 * 32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_go_reads_them() {
        let table: [(&[u8], Option<i64>); 16] = [
            (b"0000644\0", Some(0o644)),
            (b"   644 \0", Some(0o644)),
            (b"\x00\x00644 \x00", Some(0o644)),
            (b"644\0junk", Some(0o644)),
            (b"\0\0\0\0", Some(0)),
            (b"\x80\0\0\0\0\0\0\0\0\0\x01\0", Some(256)),
            (b"\x80\0\0\0\0\0\0\0\x7f\xff\xff\xff", Some(0x7fff_ffff)),
            (b"\xbf\xff", Some(0x3fff)),
            (
                b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
                Some(-1),
            ),
            (
                b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe",
                Some(-2),
            ),
            (b"\xc0\0", Some(-0x4000)),
            (b"\x80\0\0\0\x80\0\0\0\0\0\0\0", None),
            (b"\x80\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff", None),
            (b"\x80\0\0\x01\0\0\0\0\0\0\0\0", None),
            (b"0000648\0", None),
            (b"-000644\0", None),
        ];
        for (bytes, want) in table {
            assert_eq!(number(bytes).ok(), want, "{bytes:?}");
        }
    }

    /// A header of this format mark with a right checksum.
    fn block(change: impl Fn(&mut [u8; BLOCK])) -> [u8; BLOCK] {
        let mut block = [0u8; BLOCK];
        block[..1].copy_from_slice(b"a");
        change(&mut block);
        let sum = format!("{:06o}\0 ", checksum(&block));
        block[148..156].copy_from_slice(sum.as_bytes());
        block
    }

    #[test]
    fn what_stands_after_the_numbers_depends_on_the_format() {
        let name = |block: [u8; BLOCK]| Header::parse(&block).unwrap().name;
        let prefixed = |magic: &'static [u8]| {
            block(|block| {
                block[257..257 + magic.len()].copy_from_slice(magic);
                block[345..348].copy_from_slice(b"dir");
            })
        };
        assert_eq!(name(prefixed(b"ustar\x0000")), b"dir/a");
        assert_eq!(name(prefixed(b"")), b"a");
        // No time of the last read, so it is the prefix that an old writer put there.
        assert_eq!(name(prefixed(b"ustar  \0")), b"dir/a");
        let gnu = block(|block| {
            block[257..265].copy_from_slice(b"ustar  \0");
            block[345..357].copy_from_slice(b"00000000144\0");
        });
        let header = Header::parse(&gnu).unwrap();
        assert_eq!(
            (header.name.as_slice(), header.atime),
            (&b"a"[..], Some(100))
        );
        let star = block(|block| {
            block[257..263].copy_from_slice(b"ustar\0");
            block[345..348].copy_from_slice(b"dir");
            block[476..488].copy_from_slice(b"00000000144\0");
            block[508..512].copy_from_slice(b"tar\0");
        });
        let header = Header::parse(&star).unwrap();
        assert_eq!(
            (header.name.as_slice(), header.atime),
            (&b"dir/a"[..], Some(100))
        );
    }

    #[test]
    fn both_checksums_are_taken_and_no_other() {
        let mut high = block(|block| block[0] = 0xc3);
        Header::parse(&high).unwrap();
        let sum = format!("{:06o}\0 ", signed_checksum(&high));
        high[148..156].copy_from_slice(sum.as_bytes());
        Header::parse(&high).unwrap();
        high[1] = b'x';
        Header::parse(&high).unwrap_err();
    }
}
