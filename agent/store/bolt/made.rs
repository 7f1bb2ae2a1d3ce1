//! Databases made page by page for tests, whole ones and ones that bbolt would never write.
//! They are separate because the readers' tests need them too, and because no writer of the format exists outside tests.

use super::meta::fnv64a;
use super::{Bucket, Bytes, Db, Entry};

/// Bytes of a page here.
pub(crate) const PAGE: usize = 512;

/// A key, its value, and whether that is a bucket.
pub(crate) type Pair<'a> = (&'a str, Vec<u8>, bool);

impl Bytes for Vec<u8> {
    fn size(&self) -> u64 {
        self.len() as u64
    }

    fn read_at(&self, at: u64, into: &mut [u8]) -> std::io::Result<()> {
        let at = usize::try_from(at).unwrap();
        let part = at.checked_add(into.len()).and_then(|end| self.get(at..end));
        into.copy_from_slice(part.ok_or(std::io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

fn head(id: u64, flags: u16, count: usize, overflow: u32) -> Vec<u8> {
    let mut page = id.to_le_bytes().to_vec();
    page.extend(flags.to_le_bytes());
    page.extend(u16::try_from(count).unwrap().to_le_bytes());
    page.extend(overflow.to_le_bytes());
    page
}

fn small(number: usize) -> [u8; 4] {
    u32::try_from(number).unwrap().to_le_bytes()
}

/// Fills a page up, and says in its header how many it takes.
fn filled(mut page: Vec<u8>) -> Vec<u8> {
    let pages = page.len().div_ceil(PAGE);
    page.resize(pages * PAGE, 0);
    page[12..16].copy_from_slice(&small(pages - 1));
    page
}

fn elements(id: u64, pairs: &[Pair<'_>]) -> Vec<u8> {
    let mut page = head(id, 2, pairs.len(), 0);
    let mut data: Vec<u8> = Vec::new();
    for (index, (key, value, bucket)) in pairs.iter().enumerate() {
        page.extend(u32::from(*bucket).to_le_bytes());
        page.extend(small((pairs.len() - index) * 16 + data.len()));
        page.extend(small(key.len()));
        page.extend(small(value.len()));
        data.extend(key.as_bytes());
        data.extend(value);
    }
    page.extend(data);
    page
}

/// A page of keys and values.
pub(crate) fn leaf(id: u64, pairs: &[Pair<'_>]) -> Vec<u8> {
    filled(elements(id, pairs))
}

/// A page that leads to others.
pub(crate) fn branch(id: u64, below: &[(&str, u64)]) -> Vec<u8> {
    let mut page = head(id, 1, below.len(), 0);
    let mut data: Vec<u8> = Vec::new();
    for (index, (key, to)) in below.iter().enumerate() {
        page.extend(small((below.len() - index) * 16 + data.len()));
        page.extend(small(key.len()));
        page.extend(to.to_le_bytes());
        data.extend(key.as_bytes());
    }
    page.extend(data);
    filled(page)
}

/// A bucket that lies in its value.
pub(crate) fn inline(pairs: &[Pair<'_>]) -> Vec<u8> {
    let mut value = vec![0; 16];
    value.extend(elements(0, pairs));
    value
}

/// A bucket on a page.
pub(crate) fn on_page(id: u64) -> Vec<u8> {
    let mut value = id.to_le_bytes().to_vec();
    value.extend([0; 8]);
    value
}

/// A meta page.
pub(crate) fn meta(id: u64, root: u64, pages: u64, transaction: u64) -> Vec<u8> {
    let mut sum = Vec::new();
    for number in [0xED0C_DAEDu32, 2, u32::try_from(PAGE).unwrap(), 0] {
        sum.extend(number.to_le_bytes());
    }
    for number in [root, 0, 2, pages, transaction] {
        sum.extend(number.to_le_bytes());
    }
    let mut page = head(id, 4, 0, 0);
    page.extend(&sum);
    page.extend(fnv64a(&sum).to_le_bytes());
    filled(page)
}

/// A database of pages that begin with page 3; the root bucket is on that one.
pub(crate) fn database(pages: &[Vec<u8>]) -> Vec<u8> {
    let data: Vec<u8> = pages.concat();
    let count = 3 + (data.len() / PAGE) as u64;
    let mut file = meta(0, 3, count, 6);
    file.extend(meta(1, 3, count, 7));
    file.extend(filled(head(2, 16, 0, 0)));
    file.extend(data);
    file
}

/// Everything in a database as lines.
pub(crate) fn dump(file: Vec<u8>) -> crate::error::Result<Vec<String>> {
    let db = Db::open(file)?;
    let mut lines = Vec::new();
    below(&db.root(), "", 0, &mut lines)?;
    Ok(lines)
}

fn below<B: Bytes>(
    bucket: &Bucket<'_, B>,
    path: &str,
    depth: usize,
    lines: &mut Vec<String>,
) -> crate::error::Result<()> {
    bucket.each(&mut |key, entry| {
        let path = format!("{path}/{}", String::from_utf8_lossy(key));
        match entry {
            Entry::Value(value) => {
                lines.push(format!("{path}={}", String::from_utf8_lossy(value)));
            }
            Entry::Bucket(bucket) if depth < 8 => below(&bucket, &path, depth + 1, lines)?,
            Entry::Bucket(_) => {}
        }
        Ok(())
    })
}
