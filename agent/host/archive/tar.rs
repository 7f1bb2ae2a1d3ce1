//! A tar archive as a stream of entries (POSIX, GNU and PAX), each with its content, within bounds.
//! It is separate because it decides where one entry ends and the next begins, on which all else rests.

use std::io::{self, Read};

use super::header::{BLOCK, Header, text};
use super::pax::Pax;
use super::{bad, names};

/// Largest extension record: a long name or PAX header.
const EXTENSION: u64 = 1 << 20;

/// How much an archive may hold.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Headers, of extension records too.
    pub entries: u64,
    /// Bytes of content in all.
    pub bytes: u64,
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link and where it leads.
    Symlink(String),
    /// A second name of another entry.
    HardLink(String),
    /// A device.
    Device,
    /// A pipe.
    Pipe,
}

impl EntryKind {
    /// The kind in words.
    pub fn word(&self) -> &'static str {
        match self {
            EntryKind::File => "a file",
            EntryKind::Directory => "a directory",
            EntryKind::Symlink(_) => "a symbolic link",
            EntryKind::HardLink(_) => "a hard link",
            EntryKind::Device => "a device",
            EntryKind::Pipe => "a pipe",
        }
    }
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its path from where the archive is unpacked, without `.` and `..`; empty for that place itself.
    pub path: String,
    /// What it is.
    pub kind: EntryKind,
    /// Bytes of content.
    pub size: u64,
    /// Permission bits, with setuid, setgid and sticky.
    pub mode: u32,
    /// Seconds since 1970.
    pub mtime: i64,
}

/// An archive that is being read. Reading from it gives the content of the entry that `advance` came to last.
#[derive(Debug)]
pub struct Tar<R> {
    from: R,
    limits: Limits,
    /// Content of the present entry that was not read yet.
    left: u64,
    /// Fill after it, to the end of its last block.
    fill: u64,
    ended: bool,
}

impl<R: Read> Tar<R> {
    /// Begins to read.
    pub fn new(from: R, limits: Limits) -> Self {
        Self {
            from,
            limits,
            left: 0,
            fill: 0,
            ended: false,
        }
    }

    /// Goes to the next entry; none at the end, after which nothing but fill may follow.
    pub fn advance(&mut self) -> io::Result<Option<Entry>> {
        let mut pax = Pax::default();
        let (mut long_name, mut long_link) = (None, None);
        while let Some(header) = self.header()? {
            match header.kind {
                b'x' => {
                    let bytes = self.extension(header.size)?;
                    pax.read(&bytes)?;
                }
                b'g' => {
                    let mut global = Pax::default();
                    let bytes = self.extension(header.size)?;
                    global.read(&bytes)?;
                    if !global.is_empty() {
                        return Err(bad("a global PAX header names or sizes entries"));
                    }
                }
                b'L' => long_name = Some(text(&self.extension(header.size)?).to_vec()),
                b'K' => long_link = Some(text(&self.extension(header.size)?).to_vec()),
                _ => {
                    if long_name.is_some() && pax.path.is_some() {
                        return Err(bad("an entry has two long names"));
                    }
                    let name = pax
                        .path
                        .or(long_name)
                        .unwrap_or_else(|| header.name.clone());
                    let link = pax
                        .link
                        .or(long_link)
                        .unwrap_or_else(|| header.link.clone());
                    return self.entry(&header, name, link, pax.size).map(Some);
                }
            }
        }
        if !pax.is_empty() || long_name.is_some() || long_link.is_some() {
            return Err(bad("it ends after an extension record"));
        }
        Ok(None)
    }

    /// What is read from.
    pub fn source(&mut self) -> &mut R {
        &mut self.from
    }

    /// Says that the caller passes over what is left of the present entry's content on the source itself; how many bytes
    /// that are.
    pub fn pass(&mut self) -> u64 {
        std::mem::take(&mut self.left)
    }

    fn entry(
        &mut self,
        header: &Header,
        name: Vec<u8>,
        link: Vec<u8>,
        size: Option<u64>,
    ) -> io::Result<Entry> {
        let utf8 = |bytes| String::from_utf8(bytes).map_err(|_| bad("a name is not UTF-8"));
        let name = utf8(name)?;
        let kind = match header.kind {
            b'0' | 0 => EntryKind::File,
            b'5' => EntryKind::Directory,
            b'2' => EntryKind::Symlink(utf8(link)?),
            b'1' => EntryKind::HardLink(utf8(link)?),
            b'3' | b'4' => EntryKind::Device,
            b'6' => EntryKind::Pipe,
            b'S' => return Err(bad(format!("{name:?} is a sparse file"))),
            other => {
                return Err(bad(format!(
                    "{name:?} is of the unknown type {:?}",
                    char::from(other)
                )));
            }
        };
        let size = size.unwrap_or(header.size);
        // Readers differ on whether content follows such an entry, so that one could hide entries from another.
        if size > 0 && kind != EntryKind::File {
            return Err(bad(format!("{name:?} is {} with content", kind.word())));
        }
        if name.ends_with('/') && kind == EntryKind::File {
            return Err(bad(format!(
                "{name:?} is a file with the name of a directory"
            )));
        }
        self.begin(size)?;
        Ok(Entry {
            path: names::inside(&name)?,
            kind,
            size,
            mode: header.mode & 0o7777,
            mtime: i64::try_from(header.mtime).unwrap_or(0),
        })
    }

    /// The next header; none at the end mark.
    fn header(&mut self) -> io::Result<Option<Header>> {
        if self.ended {
            return Ok(None);
        }
        let rest = self.left + self.fill;
        self.left = 0;
        self.fill = 0;
        skip(&mut self.from, rest)?;
        let mut block = [0u8; BLOCK];
        self.from.read_exact(&mut block).map_err(cut_off)?;
        if block.iter().all(|byte| *byte == 0) {
            self.ended = true;
            return self.only_fill().map(|()| None);
        }
        self.limits.entries = self
            .limits
            .entries
            .checked_sub(1)
            .ok_or_else(|| bad("it holds too many entries"))?;
        Header::parse(&block).map(Some)
    }

    /// Content of this size begins.
    fn begin(&mut self, size: u64) -> io::Result<()> {
        let too_large = || {
            bad(format!(
                "it states {size} bytes for an entry, more than there may be"
            ))
        };
        self.limits.bytes = self.limits.bytes.checked_sub(size).ok_or_else(too_large)?;
        let block = BLOCK as u64;
        self.left = size;
        self.fill = (block - size % block) % block;
        Ok(())
    }

    fn extension(&mut self, size: u64) -> io::Result<Vec<u8>> {
        if size > EXTENSION {
            return Err(bad(format!("it states {size} bytes for a name")));
        }
        self.begin(size)?;
        let mut bytes = Vec::new();
        self.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// After the end mark there are zeros up to the end of the last record, and nothing else.
    fn only_fill(&mut self) -> io::Result<()> {
        let mut buffer = vec![0u8; 64 << 10];
        loop {
            let count = self.from.read(&mut buffer).map_err(cut_off)?;
            match buffer.get(..count) {
                Some(part) if count > 0 => {
                    if part.iter().any(|byte| *byte != 0) {
                        return Err(bad("something follows its end mark"));
                    }
                }
                _ => return Ok(()),
            }
        }
    }
}

impl<R: Read> Read for Tar<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left)
            .unwrap_or(usize::MAX)
            .min(into.len());
        let Some(into) = into.get_mut(..most).filter(|part| !part.is_empty()) else {
            return Ok(0);
        };
        let count = self.from.read(into).map_err(cut_off)?;
        if count == 0 {
            return Err(cut_off(io::ErrorKind::UnexpectedEof.into()));
        }
        self.left -= count as u64;
        Ok(count)
    }
}

fn skip(from: &mut impl Read, bytes: u64) -> io::Result<()> {
    let passed = io::copy(&mut from.take(bytes), &mut io::sink()).map_err(cut_off)?;
    if passed < bytes {
        return Err(cut_off(io::ErrorKind::UnexpectedEof.into()));
    }
    Ok(())
}

/// Says of an archive that ends too early what that means.
fn cut_off(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => bad("it is cut off"),
        _ => error,
    }
}
