//! The two meta pages: which of them holds the last whole transaction.
//! They are separate because everything else is found from them, and because they alone carry a checksum.

use super::page::{self, Numbers as _};
use super::{Bytes, damaged};
use crate::error::Result;

/// Stands in every meta page (`Magic` in bbolt's internal/common/types.go).
const MAGIC: u32 = 0xED0C_DAED;

/// The version of the format (`Version`, same place).
const VERSION: u32 = 2;

/// Bytes that the checksum is taken of.
const SUMMED: usize = 56;

/// Bytes of a meta page that count, with the page's header.
const LENGTH: usize = page::HEADER + SUMMED + 8;

/// What a meta page says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Meta {
    /// Bytes of a page.
    pub(super) page_size: u64,
    /// The page of the root bucket.
    pub(super) root: u64,
    /// Pages that are in use, as a number that no page's own reaches.
    pub(super) pages: u64,
    /// The transaction.
    transaction: u64,
}

/// The meta page of the newer transaction, of those that are whole.
pub(super) fn find(bytes: &impl Bytes) -> Result<Meta> {
    let first = at(bytes, 0);
    let second = match first {
        Some(first) => at(bytes, first.page_size),
        // The size of a page is unknown then: bbolt tries all that there can be (getPageSizeFromSecondMeta in db.go).
        None => (9..=16).find_map(|power| {
            let size = 1u64 << power;
            at(bytes, size).filter(|meta| meta.page_size == size)
        }),
    };
    let newer = match (first, second) {
        (Some(a), Some(b)) if b.transaction > a.transaction && b.page_size == a.page_size => b,
        (Some(meta), _) | (None, Some(meta)) => meta,
        (None, None) => {
            return Err(damaged(
                "neither of its two meta pages is whole: it is no database of bbolt, or a destroyed one",
            ));
        }
    };
    let held = newer.pages.saturating_mul(newer.page_size);
    if newer.pages < 3 || held > bytes.size() {
        return Err(damaged(format!(
            "it is cut off: {} bytes are in use, it has {}",
            held,
            bytes.size()
        )));
    }
    Ok(newer)
}

/// The meta page at an offset; none when it is not whole.
fn at(bytes: &impl Bytes, offset: u64) -> Option<Meta> {
    let mut page = [0u8; LENGTH];
    bytes.read_at(offset, &mut page).ok()?;
    let meta = page.get(page::HEADER..)?;
    let (summed, sum) = meta.split_at_checked(SUMMED)?;
    let page_size = summed.u32_at(8)?;
    let sound = summed.u32_at(0)? == MAGIC
        && summed.u32_at(4)? == VERSION
        && page_size.is_power_of_two()
        && (1 << 9..=1 << 16).contains(&page_size)
        && sum.u64_at(0)? == fnv64a(summed);
    if !sound {
        return None;
    }
    Some(Meta {
        page_size: u64::from(page_size),
        root: summed.u64_at(16)?,
        pages: summed.u64_at(40)?,
        transaction: summed.u64_at(48)?,
    })
}

/// FNV-1a of 64 bits (Go's hash/fnv, New64a).
pub(super) fn fnv64a(bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

#[cfg(test)]
mod tests {
    use super::fnv64a;

    #[test]
    fn the_checksum_is_the_known_one() {
        // From the test vectors of the FNV authors.
        assert_eq!(fnv64a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv64a(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv64a(b"foobar"), 0x8594_4171_f739_67e8);
    }
}
