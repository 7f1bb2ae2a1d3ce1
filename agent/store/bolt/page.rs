//! One page of a bbolt file, or of a small bucket that lies in a value: its header and its elements.
//! It is separate because it is pure: bytes in, checked slices out, whatever the bytes are.

use super::damaged;
use crate::error::Result;

/// Bytes of a page's header.
pub(super) const HEADER: usize = 16;

/// Bytes of an element, of branches as of leaves.
const ELEMENT: usize = 16;

/// The page leads to others.
const BRANCH: u16 = 0x01;

/// The page holds keys and values.
const LEAF: u16 = 0x02;

/// The value is a bucket.
const IS_BUCKET: u32 = 0x01;

/// Reading little-endian numbers from bytes; none past their end.
pub(super) trait Numbers {
    /// Four bytes.
    fn u32_at(&self, at: usize) -> Option<u32>;
    /// Eight bytes.
    fn u64_at(&self, at: usize) -> Option<u64>;
}

impl Numbers for [u8] {
    fn u32_at(&self, at: usize) -> Option<u32> {
        let part = self.get(at..)?.first_chunk::<4>()?;
        Some(u32::from_le_bytes(*part))
    }

    fn u64_at(&self, at: usize) -> Option<u64> {
        let part = self.get(at..)?.first_chunk::<8>()?;
        Some(u64::from_le_bytes(*part))
    }
}

/// A page's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// Its number.
    pub(super) id: u64,
    /// What it is.
    flags: u16,
    /// Its elements.
    count: u16,
    /// Pages after it that belong to it.
    pub(super) overflow: u32,
}

impl Header {
    /// Reads a header.
    pub(super) fn parse(bytes: &[u8; HEADER]) -> Self {
        // The fields fill the header exactly, so none is past its end.
        let four = |at| bytes.u32_at(at).unwrap_or_default();
        let kind = four(8);
        Self {
            id: bytes.u64_at(0).unwrap_or_default(),
            flags: u16::try_from(kind & 0xffff).unwrap_or_default(),
            count: u16::try_from(kind >> 16).unwrap_or_default(),
            overflow: four(12),
        }
    }
}

/// A page's content.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Page<'b> {
    /// The least key of each page below, and the page.
    Branch(Vec<(&'b [u8], u64)>),
    /// Keys and values.
    Leaf(Vec<Element<'b>>),
}

/// A key and its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Element<'b> {
    /// The key.
    pub(super) key: &'b [u8],
    /// The value.
    pub(super) value: &'b [u8],
    /// The value is a bucket.
    pub(super) bucket: bool,
}

impl<'b> Page<'b> {
    /// Reads a page with what overflows from it. Keys ascend, and no two elements share bytes: as bbolt writes it, and
    /// so that all that is taken from a page is no larger than the page.
    pub(super) fn parse(bytes: &'b [u8]) -> Result<Self> {
        let cut = || damaged("a page ends within its elements");
        let head = bytes.first_chunk::<HEADER>().ok_or_else(cut)?;
        let header = Header::parse(head);
        let count = usize::from(header.count);
        let mut read = Elements {
            bytes,
            free: HEADER + count * ELEMENT,
            last: None,
        };
        let starts = (0..count).map(|index| HEADER + index * ELEMENT);
        match header.flags {
            BRANCH => {
                let below = starts.map(|at| read.branch(at));
                let below: Option<Vec<_>> = below.collect();
                Ok(Self::Branch(below.ok_or_else(cut)?))
            }
            LEAF => {
                let elements: Option<Vec<_>> = starts.map(|at| read.leaf(at)).collect();
                Ok(Self::Leaf(elements.ok_or_else(cut)?))
            }
            other => Err(damaged(format!("a page is of the unknown type {other:#x}"))),
        }
    }
}

/// Takes elements from a page one after the other.
struct Elements<'b> {
    bytes: &'b [u8],
    /// Where the part begins that no element has taken.
    free: usize,
    /// The key of the element before.
    last: Option<&'b [u8]>,
}

impl<'b> Elements<'b> {
    fn branch(&mut self, at: usize) -> Option<(&'b [u8], u64)> {
        let start = at.checked_add(self.number(at)?)?;
        let length = self.number(at + 4)?;
        let below = self.bytes.u64_at(at + 8)?;
        let key = self.take(start, length)?;
        self.ascends(key)?;
        Some((key, below))
    }

    fn leaf(&mut self, at: usize) -> Option<Element<'b>> {
        let flags = self.bytes.u32_at(at)?;
        let start = at.checked_add(self.number(at + 4)?)?;
        let length = self.number(at + 8)?;
        let value = self.number(at + 12)?;
        let key = self.take(start, length)?;
        self.ascends(key)?;
        let value = self.take(start.checked_add(length)?, value)?;
        Some(Element {
            key,
            value,
            bucket: flags & IS_BUCKET != 0,
        })
    }

    fn number(&self, at: usize) -> Option<usize> {
        usize::try_from(self.bytes.u32_at(at)?).ok()
    }

    /// Takes bytes that nothing before has taken.
    fn take(&mut self, start: usize, length: usize) -> Option<&'b [u8]> {
        let end = start.checked_add(length)?;
        let taken = self.bytes.get(start..end)?;
        if start < self.free {
            return None;
        }
        self.free = end;
        Some(taken)
    }

    fn ascends(&mut self, key: &'b [u8]) -> Option<()> {
        if self.last.is_some_and(|last| last >= key) {
            return None;
        }
        self.last = Some(key);
        Some(())
    }
}
