//! Any bytes as a database of bbolt, with right checksums on both meta pages: no panic, and an end.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nodeagent::store::bolt::{Bucket, Bytes, Db, Entry};

/// Bytes of a page here.
const PAGE: usize = 512;

struct File(Vec<u8>);

impl Bytes for File {
    fn size(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_at(&self, at: u64, into: &mut [u8]) -> std::io::Result<()> {
        let at = usize::try_from(at).map_err(std::io::Error::other)?;
        let part = at
            .checked_add(into.len())
            .and_then(|end| self.0.get(at..end));
        into.copy_from_slice(part.ok_or(std::io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

/// Makes a meta page whole: what it leads to stays as the bytes have it.
fn whole(file: &mut [u8], at: usize) {
    let Some(meta) = file.get_mut(at + 16..at + 80) else {
        return;
    };
    for (field, value) in [0xED0C_DAEDu32, 2, PAGE as u32].into_iter().enumerate() {
        meta[field * 4..field * 4 + 4].copy_from_slice(&value.to_le_bytes());
    }
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    let sum = meta[..56].iter().fold(0xcbf2_9ce4_8422_2325, step);
    meta[56..64].copy_from_slice(&sum.to_le_bytes());
}

fn below(bucket: &Bucket<'_, File>, depth: usize) -> nodeagent::error::Result<()> {
    bucket.each(&mut |_, entry| match entry {
        Entry::Bucket(inner) if depth < 6 => below(&inner, depth + 1),
        _ => Ok(()),
    })
}

fuzz_target!(|bytes: &[u8]| {
    let mut file = bytes.to_vec();
    whole(&mut file, 0);
    whole(&mut file, PAGE);
    if let Ok(db) = Db::open(File(file)) {
        db.root().path(&["v1", "k8s.io", "images"]).ok();
        below(&db.root(), 0).ok();
    }
});
