//! Writes layers' tars: every kind of entry, owners, times, xattrs, long names in both ways.
//! It is separate because packing tools write what lies on a disk, and layers hold what never lay on one.

/// One entry of a layer.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    name: String,
    kind: u8,
    mode: u32,
    owner: (u64, u64),
    mtime: u64,
    link: String,
    device: (u64, u64),
    records: Vec<(String, Vec<u8>)>,
    gnu: bool,
    content: Vec<u8>,
}

/// The time of entries that say none: 2024-02-03 04:05:06 UTC.
const TIME: u64 = 1_706_933_106;

impl Entry {
    fn new(name: &str, kind: u8, mode: u32) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            mode,
            owner: (0, 0),
            mtime: TIME,
            link: String::new(),
            device: (0, 0),
            records: Vec::new(),
            gnu: false,
            content: Vec::new(),
        }
    }

    pub(crate) fn file(name: &str, content: &[u8]) -> Self {
        Self {
            content: content.to_vec(),
            ..Self::new(name, b'0', 0o644)
        }
    }

    pub(crate) fn dir(name: &str) -> Self {
        Self::new(name, b'5', 0o755)
    }

    pub(crate) fn symlink(name: &str, to: &str) -> Self {
        Self {
            link: to.to_owned(),
            ..Self::new(name, b'2', 0o777)
        }
    }

    pub(crate) fn hard_link(name: &str, to: &str) -> Self {
        Self {
            link: to.to_owned(),
            ..Self::new(name, b'1', 0o644)
        }
    }

    pub(crate) fn fifo(name: &str) -> Self {
        Self::new(name, b'6', 0o600)
    }

    pub(crate) fn char_device(name: &str, major: u64, minor: u64) -> Self {
        Self {
            device: (major, minor),
            ..Self::new(name, b'3', 0o666)
        }
    }

    pub(crate) fn block_device(name: &str, major: u64, minor: u64) -> Self {
        Self {
            device: (major, minor),
            ..Self::new(name, b'4', 0o660)
        }
    }

    /// The mark that removes a path of the layers below.
    pub(crate) fn whiteout(path: &str) -> Self {
        let (dir, name) = path.rsplit_once('/').unwrap_or(("", path));
        let dir = if dir.is_empty() {
            String::new()
        } else {
            format!("{dir}/")
        };
        Self::file(&format!("{dir}.wh.{name}"), b"")
    }

    /// The mark that hides what the layers below have in a directory.
    pub(crate) fn opaque(dir: &str) -> Self {
        Self::file(&format!("{dir}/.wh..wh..opq"), b"")
    }

    /// Whether it has this name.
    pub(crate) fn is(&self, name: &str) -> bool {
        self.name == name
    }

    pub(crate) fn mode(mut self, mode: u32) -> Self {
        self.mode = mode;
        self
    }

    pub(crate) fn owner(mut self, uid: u64, gid: u64) -> Self {
        self.owner = (uid, gid);
        self
    }

    /// Seconds since 1970.
    pub(crate) fn mtime(mut self, seconds: u64) -> Self {
        self.mtime = seconds;
        self
    }

    /// An extended attribute, under its whole name (`user.x`).
    pub(crate) fn xattr(self, name: &str, value: &[u8]) -> Self {
        self.record(&format!("SCHILY.xattr.{name}"), value)
    }

    /// A PAX record, such as `mtime` with a fraction.
    pub(crate) fn record(mut self, key: &str, value: &[u8]) -> Self {
        self.records.push((key.to_owned(), value.to_vec()));
        self
    }

    /// Long names are written as GNU tar does, not as PAX records.
    pub(crate) fn gnu(mut self) -> Self {
        self.gnu = true;
        self
    }
}

/// A whole tar of these entries, with its end mark.
pub(crate) fn tar(entries: &[Entry]) -> Vec<u8> {
    let mut out = Vec::new();
    for entry in entries {
        append(&mut out, entry);
    }
    out.resize((out.len() + 1024).div_ceil(10240) * 10240, 0);
    out
}

/// Appends one entry, after the headers that hold what does not fit into its own.
fn append(out: &mut Vec<u8>, entry: &Entry) {
    let mut records = entry.records.clone();
    for (text, key, kind) in [(&entry.name, "path", b'L'), (&entry.link, "linkpath", b'K')] {
        if text.len() <= 100 {
            continue;
        }
        if entry.gnu {
            let text = format!("{text}\0");
            let head = Entry::new("././@LongLink", kind, 0).mtime(0);
            block(out, &head, text.as_bytes());
        } else {
            records.push((key.to_owned(), text.as_bytes().to_vec()));
        }
    }
    if !records.is_empty() {
        let body: Vec<u8> = records.iter().flat_map(|(k, v)| pax(k, v)).collect();
        block(out, &Entry::new("PaxHeaders/x", b'x', 0o644), &body);
    }
    block(out, entry, &entry.content);
}

fn block(out: &mut Vec<u8>, entry: &Entry, content: &[u8]) {
    let mut block = [0u8; 512];
    let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
    let cut = |text: &str| text.as_bytes()[..text.len().min(100)].to_vec();
    put(0, &cut(&entry.name));
    put(100, &number(u64::from(entry.mode), 8));
    put(108, &number(entry.owner.0, 8));
    put(116, &number(entry.owner.1, 8));
    put(124, &number(content.len() as u64, 12));
    put(136, &number(entry.mtime, 12));
    put(148, b"        ");
    put(156, &[entry.kind]);
    put(157, &cut(&entry.link));
    put(
        257,
        if entry.gnu {
            b"ustar  \0"
        } else {
            b"ustar\x0000"
        },
    );
    put(329, &number(entry.device.0, 8));
    put(337, &number(entry.device.1, 8));
    let sum: u64 = block.iter().map(|b| u64::from(*b)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    out.extend(block);
    out.extend(content);
    out.resize(out.len().div_ceil(512) * 512, 0);
}

/// Octal digits and a zero, or GNU's base 256 for what is too large for them.
fn number(value: u64, width: usize) -> Vec<u8> {
    let digits = format!("{value:0fill$o}\0", fill = width - 1);
    if digits.len() == width {
        return digits.into_bytes();
    }
    let mut bytes = vec![0u8; width];
    bytes[width - 8..].copy_from_slice(&value.to_be_bytes());
    bytes[0] |= 0x80;
    bytes
}

/// A PAX record with its own length in front.
fn pax(key: &str, value: &[u8]) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    let mut record = format!("{length} {key}=").into_bytes();
    record.extend(value);
    record.push(b'\n');
    record
}
