//! Buckets: a tree of pages with keys in order, whose values are bytes or buckets again.
//! They are separate because here the depth is bounded: of the tree, and of buckets that lie in values.

use super::page::{Element, HEADER, Numbers as _, Page};
use super::{Bytes, Db, damaged};
use crate::error::Result;

/// Deepest tree of pages. A page leads to at least two others, mostly to fifty: real trees have four levels.
const DEPTH: usize = 24;

/// Bytes of a bucket's own header, before the page of one that lies in its value.
const BUCKET: usize = 16;

/// A bucket.
#[derive(Debug)]
pub struct Bucket<'d, B> {
    db: &'d Db<B>,
    at: At,
}

#[derive(Debug)]
enum At {
    /// The root of a tree of pages.
    Page(u64),
    /// A page that lies in the value.
    Inline(Vec<u8>),
}

/// What stands under a key.
#[derive(Debug)]
pub enum Entry<'d, 'v, B> {
    /// Bytes.
    Value(&'v [u8]),
    /// A bucket.
    Bucket(Bucket<'d, B>),
}

/// Is shown each key in order.
pub type Visit<'d, 'v, B> = dyn FnMut(&[u8], Entry<'d, '_, B>) -> Result<()> + 'v;

impl<'d, B: Bytes> Bucket<'d, B> {
    pub(super) fn at(db: &'d Db<B>, page: u64) -> Self {
        let at = At::Page(page);
        Self { db, at }
    }

    /// The bucket that an element's value is.
    fn of(db: &'d Db<B>, value: &[u8]) -> Result<Self> {
        let broken = || damaged("a bucket is cut off");
        let root = value.u64_at(0).ok_or_else(broken)?;
        if root != 0 {
            return Ok(Self::at(db, root));
        }
        let page = value.get(BUCKET..).filter(|page| page.len() >= HEADER);
        let at = At::Inline(page.ok_or_else(broken)?.to_vec());
        Ok(Self { db, at })
    }

    /// The bucket under a key; none where there is no such key.
    pub fn bucket(&self, key: &str) -> Result<Option<Bucket<'d, B>>> {
        let mut found = None;
        self.find(key.as_bytes(), &mut |element| {
            if !element.bucket {
                return Err(damaged(format!("{key:?} is a value and no bucket")));
            }
            found = Some(Self::of(self.db, element.value)?);
            Ok(())
        })?;
        Ok(found)
    }

    /// The bucket that a path of keys leads to.
    pub fn path(self, keys: &[&str]) -> Result<Option<Bucket<'d, B>>> {
        let mut at = self;
        for key in keys {
            match at.bucket(key)? {
                Some(next) => at = next,
                None => return Ok(None),
            }
        }
        Ok(Some(at))
    }

    /// Goes down one path of pages to a key.
    fn find(&self, key: &[u8], found: &mut dyn FnMut(Element<'_>) -> Result<()>) -> Result<()> {
        let mut page = match &self.at {
            At::Inline(page) => page.clone(),
            At::Page(id) => self.db.page(*id)?,
        };
        for _ in 0..DEPTH {
            let next = match Page::parse(&page)? {
                Page::Leaf(elements) => {
                    let place = elements.binary_search_by(|element| element.key.cmp(key));
                    return match place.ok().and_then(|place| elements.get(place)) {
                        Some(element) => found(*element),
                        None => Ok(()),
                    };
                }
                // The last page whose least key is not above; a smaller key would stand in the first.
                Page::Branch(below) => {
                    let place = below.partition_point(|(least, _)| *least <= key);
                    let place = below.get(place.saturating_sub(1));
                    place.map(|(_, page)| *page)
                }
            };
            page = self.db.page(self.next(next)?)?;
        }
        Err(too_deep())
    }

    /// Shows all keys in order, each with its value.
    pub fn each(&self, visit: &mut Visit<'d, '_, B>) -> Result<()> {
        let mut last = None;
        match &self.at {
            At::Inline(page) => match Page::parse(page)? {
                Page::Leaf(elements) => self.leaf(&elements, &mut last, visit),
                Page::Branch(_) => Err(damaged("a bucket in a value leads to pages")),
            },
            At::Page(id) => self.go(*id, DEPTH, &mut last, visit),
        }
    }

    fn go(
        &self,
        id: u64,
        depth: usize,
        last: &mut Option<Vec<u8>>,
        visit: &mut Visit<'d, '_, B>,
    ) -> Result<()> {
        let depth = depth.checked_sub(1).ok_or_else(too_deep)?;
        let bytes = self.db.page_once(id)?;
        let below: Vec<u64> = match Page::parse(&bytes)? {
            Page::Leaf(elements) => return self.leaf(&elements, last, visit),
            Page::Branch(below) => below.into_iter().map(|(_, page)| page).collect(),
        };
        // A path of pages holds their numbers only, not their bytes.
        drop(bytes);
        self.next(below.first().copied())?;
        below
            .into_iter()
            .try_for_each(|page| self.go(page, depth, last, visit))
    }

    fn leaf(
        &self,
        elements: &[Element<'_>],
        last: &mut Option<Vec<u8>>,
        visit: &mut Visit<'d, '_, B>,
    ) -> Result<()> {
        if let (Some(last), Some(first)) = (&*last, elements.first())
            && last.as_slice() >= first.key
        {
            return Err(damaged("its keys are not in order"));
        }
        for element in elements {
            let entry = match element.bucket {
                true => Entry::Bucket(Self::of(self.db, element.value)?),
                false => Entry::Value(element.value),
            };
            visit(element.key, entry)?;
        }
        if let Some(element) = elements.last() {
            *last = Some(element.key.to_vec());
        }
        Ok(())
    }

    fn next(&self, page: Option<u64>) -> Result<u64> {
        let empty = || damaged("a page leads nowhere");
        let page = page.ok_or_else(empty)?;
        match self.at {
            At::Page(_) => Ok(page),
            At::Inline(_) => Err(damaged("a bucket in a value leads to pages")),
        }
    }
}

fn too_deep() -> crate::error::Error {
    damaged("its pages lie deeper than any database's")
}
