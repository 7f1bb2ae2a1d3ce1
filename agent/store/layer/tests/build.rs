//! A builder of archives that makes every kind of entry, and wrong ones as gladly as right ones.
//! It is separate because every test of the writer begins with one, those of other tiers as well.

/// Archives are made of blocks of this size.
const BLOCK: usize = 512;

/// An entry to be built; the fields are what stands in the header.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) name: Vec<u8>,
    pub(super) kind: u8,
    pub(super) link: Vec<u8>,
    pub(super) mode: i64,
    pub(super) uid: i64,
    pub(super) gid: i64,
    pub(super) size: i64,
    pub(super) mtime: i64,
    pub(super) device: (i64, i64),
    pub(super) content: Vec<u8>,
    /// Written as GNU does, with a time of the last read.
    pub(super) atime: Option<i64>,
}

/// An entry of a type letter: mode 0755, owned by root, of the year 2001.
pub(super) fn entry(kind: u8, name: &str) -> Item {
    Item {
        name: name.into(),
        kind,
        link: Vec::new(),
        mode: 0o755,
        uid: 0,
        gid: 0,
        size: 0,
        mtime: 1_000_000_000,
        device: (0, 0),
        content: Vec::new(),
        atime: None,
    }
}

impl Item {
    pub(super) fn link(mut self, link: &str) -> Self {
        self.link = link.into();
        self
    }

    pub(super) fn mode(mut self, mode: i64) -> Self {
        self.mode = mode;
        self
    }

    pub(super) fn owner(mut self, uid: i64, gid: i64) -> Self {
        (self.uid, self.gid) = (uid, gid);
        self
    }

    pub(super) fn mtime(mut self, mtime: i64) -> Self {
        self.mtime = mtime;
        self
    }

    pub(super) fn device(mut self, major: i64, minor: i64) -> Self {
        self.device = (major, minor);
        self
    }

    pub(super) fn content(mut self, content: impl Into<Vec<u8>>) -> Self {
        self.content = content.into();
        self.size = self.content.len().try_into().unwrap();
        self
    }

    /// The header block.
    pub(super) fn header(&self) -> [u8; BLOCK] {
        let mut block = [0u8; BLOCK];
        let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, &self.name[..self.name.len().min(100)]);
        put(157, &self.link[..self.link.len().min(100)]);
        put(100, &number(self.mode, 8));
        put(108, &number(self.uid, 8));
        put(116, &number(self.gid, 8));
        put(124, &number(self.size, 12));
        put(136, &number(self.mtime, 12));
        put(156, &[self.kind]);
        let gnu = self.atime.is_some();
        put(257, if gnu { b"ustar  \0" } else { b"ustar\x0000" });
        if let Some(atime) = self.atime {
            put(345, &number(atime, 12));
        }
        put(329, &number(self.device.0, 8));
        put(337, &number(self.device.1, 8));
        seal(block)
    }
}

/// Puts the right checksum in a block.
pub(super) fn seal(mut block: [u8; BLOCK]) -> [u8; BLOCK] {
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    let sum = format!("{sum:06o}\0 ");
    block[148..156].copy_from_slice(sum.as_bytes());
    block
}

/// Octal where it fits, else base 256.
fn number(value: i64, width: usize) -> Vec<u8> {
    let octal = format!("{value:0width$o}\0", width = width - 1);
    if value >= 0 && octal.len() == width {
        return octal.into_bytes();
    }
    let fill = if value < 0 { 0xff } else { 0 };
    let mut bytes = vec![fill; width - 8];
    bytes.extend_from_slice(&value.to_be_bytes());
    let mut bytes = bytes[bytes.len() - width..].to_vec();
    bytes[0] |= 0x80;
    bytes
}

/// An archive that is being built.
#[derive(Debug, Clone, Default)]
pub(super) struct Tar(pub(super) Vec<u8>);

impl Tar {
    /// Adds an entry. A name or link that does not fit in the header gets a GNU record before it.
    pub(super) fn add(mut self, item: impl std::borrow::Borrow<Item>) -> Self {
        let item = item.borrow();
        for (kind, text) in [(b'L', &item.name), (b'K', &item.link)] {
            if text.len() > 100 {
                let long = entry(kind, "././@LongLink").content(text.as_slice());
                self = self.add(long);
            }
        }
        self.0.extend_from_slice(&item.header());
        self.body(&item.content)
    }

    /// Adds content with the fill after it.
    pub(super) fn body(mut self, content: &[u8]) -> Self {
        self.0.extend_from_slice(content);
        self.0.resize(self.0.len().next_multiple_of(BLOCK), 0);
        self
    }

    /// Adds an extended header for the entry that follows.
    pub(super) fn pax(self, records: &[(&str, &[u8])]) -> Self {
        let content: Vec<u8> = records.iter().flat_map(|(k, v)| record(k, v)).collect();
        self.add(entry(b'x', "PaxHeaders/x").content(content))
    }

    /// A file with content and nothing special.
    pub(super) fn file(self, name: &str, content: &str) -> Self {
        self.add(entry(b'0', name).mode(0o644).content(content))
    }

    /// A directory with nothing special.
    pub(super) fn dir(self, name: &str) -> Self {
        self.add(entry(b'5', name))
    }

    /// The archive with its end mark.
    pub(super) fn end(mut self) -> Vec<u8> {
        self.0.extend_from_slice(&[0; 2 * BLOCK]);
        self.0
    }
}

/// A PAX record with its own length before it.
pub(super) fn record(key: &str, value: &[u8]) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    [format!("{length} {key}=").as_bytes(), value, b"\n"].concat()
}
