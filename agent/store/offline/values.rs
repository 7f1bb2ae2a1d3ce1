//! The values of containerd's databases: texts, numbers, labels.
//! They are separate because each is bounded here: what stands in a database is untrusted.

use crate::error::Result;
use crate::host::containerd::Labels;
use crate::host::root::sha256;
use crate::store::bolt::{Bucket, Bytes, Entry, damaged};

/// Longest text. A label is of 4096 bytes at most (containerd pkg/labels), names and keys are far shorter.
const LONGEST: usize = 16 << 10;

/// Reads a text.
pub(super) fn text(bytes: &[u8]) -> Result<String> {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.len() <= LONGEST => Ok(text.to_owned()),
        _ => Err(damaged("a text in it is too long, or is none")),
    }
}

/// Reads an unsigned number of Go's encoding/binary (PutUvarint): seven bits a byte, the lowest first.
pub(super) fn unsigned(bytes: &[u8]) -> Result<u64> {
    let unreadable = || damaged("a number in it cannot be read");
    let (last, others) = bytes.split_last().ok_or_else(unreadable)?;
    if last & 0x80 != 0 || others.iter().any(|byte| byte & 0x80 == 0) {
        return Err(unreadable());
    }
    let add = |value: u64, byte: &u8| {
        let seven = u64::from(byte & 0x7f);
        value
            .checked_mul(128)
            .and_then(|value| value.checked_add(seven))
    };
    bytes.iter().rev().try_fold(0, add).ok_or_else(unreadable)
}

/// Reads a signed number of the same (PutVarint), which may not be negative here: a size.
pub(super) fn size(bytes: &[u8]) -> Result<u64> {
    let zigzag = unsigned(bytes)?;
    if zigzag & 1 != 0 {
        return Err(damaged("a size in it is negative"));
    }
    Ok(zigzag / 2)
}

/// Reads the labels that a bucket holds.
pub(super) fn labels<B: Bytes>(bucket: &Bucket<'_, B>) -> Result<Labels> {
    let mut labels = Labels::new();
    bucket.each(&mut |key, entry| {
        if let Entry::Value(value) = entry {
            labels.insert(text(key)?, text(value)?);
        }
        Ok(())
    })?;
    Ok(labels)
}

/// The name of the directory that containerd keeps a begun write in: the digest of its reference.
pub(super) fn hashed(reference: &str) -> String {
    sha256(reference.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_go_writes_them() {
        let table: [(&[u8], Option<u64>); 9] = [
            (&[0], Some(0)),
            (&[0x7f], Some(127)),
            (&[0x80, 0x01], Some(128)),
            (&[0xac, 0x02], Some(300)),
            (
                &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
                Some(u64::MAX),
            ),
            (
                &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02],
                None,
            ),
            (&[], None),
            (&[0x80], None),
            (&[0x01, 0x01], None),
        ];
        for (bytes, want) in table {
            assert_eq!(unsigned(bytes).ok(), want, "{bytes:?}");
        }
        assert_eq!(size(&[0xd8, 0x04]).unwrap(), 300);
        assert!(size(&[0x01]).is_err(), "-1");
    }

    #[test]
    fn texts_are_bounded() {
        assert_eq!(text(b"a").unwrap(), "a");
        assert!(text(&[0xff]).is_err());
        assert!(text(&vec![b'a'; LONGEST + 1]).is_err());
    }
}
