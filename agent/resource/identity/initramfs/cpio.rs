//! The files of an initramfs: one or several cpio archives after each other, each plain or packed, as the kernel reads them.
//! It is separate because it parses untrusted bytes: sizes are bounded before anything is believed.

use std::io::{self, BufRead, BufReader, Read};

use crate::host::archive::ZSTD_WINDOW;

/// More than an initramfs unpacks to.
const BYTES: u64 = 4 << 30;
/// More files than one has.
const FILES: usize = 500_000;
/// PATH_MAX.
const NAME: u64 = 4096;
/// As much of a wanted file as is looked at.
const CONTENT: u64 = 64 << 10;
const HEADER: usize = 110;
const END: &[u8] = b"TRAILER!!!";
const REGULAR: u64 = 0o100_000;
const TYPE: u64 = 0o170_000;

fn bad(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.into())
}

/// Calls `take` with path and content of each regular file that `wanted` picks by its path.
pub(super) fn walk(
    from: impl Read,
    wanted: &dyn Fn(&str) -> bool,
    take: &mut dyn FnMut(&str, &[u8]),
) -> io::Result<()> {
    let mut outer = Ahead::new(BufReader::with_capacity(256 << 10, from));
    let mut sink = Sink {
        wanted,
        take,
        bytes: BYTES,
        files: FILES,
    };
    while let Some(head) = outer.next()? {
        match head {
            // gzip's reader and zstd's, of one frame, leave what comes behind.
            [0x1f, 0x8b, ..] => {
                archives(&mut flate2::bufread::GzDecoder::new(&mut outer), &mut sink)?;
            }
            [0x28, 0xb5, 0x2f, 0xfd] => {
                let mut frame =
                    zstd::stream::read::Decoder::with_buffer(&mut outer)?.single_frame();
                frame.window_log_max(ZSTD_WINDOW)?;
                archives(&mut frame, &mut sink)?;
            }
            [b'0', b'7', b'0', b'7'] => one(&mut outer, &mut sink)?,
            other => {
                return Err(bad(format!(
                    "packed with {}, which is not read here",
                    packing(&other)
                )));
            }
        }
    }
    Ok(())
}

fn packing(head: &[u8]) -> &'static str {
    match head {
        [0xfd, b'7', b'z', b'X'] => "xz",
        [b'B', b'Z', b'h', _] => "bzip2",
        [0x02, 0x21, 0x4c, 0x18] => "lz4",
        [0x89, b'L', b'Z', b'O'] => "lzo",
        [0x5d, 0, ..] => "lzma",
        _ => "something unknown",
    }
}

/// A stream into which bytes were put back.
struct Ahead<R> {
    back: io::Cursor<Vec<u8>>,
    from: R,
}

impl<R: BufRead> Ahead<R> {
    fn new(from: R) -> Self {
        let back = io::Cursor::new(Vec::new());
        Self { back, from }
    }

    fn has_back(&self) -> bool {
        self.back.position() < self.back.get_ref().len() as u64
    }

    /// The first four bytes behind zeros, which are put back; none at the end.
    fn next(&mut self) -> io::Result<Option<[u8; 4]>> {
        loop {
            let buffer = self.fill_buf()?;
            let zeros = buffer.iter().take_while(|byte| **byte == 0).count();
            let rest = buffer.len() - zeros;
            if zeros == 0 && rest == 0 {
                return Ok(None);
            }
            self.consume(zeros);
            if rest > 0 {
                break;
            }
        }
        let mut head = Vec::new();
        self.by_ref().take(4).read_to_end(&mut head)?;
        self.back = io::Cursor::new(head.clone());
        match head.as_slice().try_into() {
            Ok(head) => Ok(Some(head)),
            Err(_) => Err(bad(format!("{} bytes behind the last archive", head.len()))),
        }
    }
}

impl<R: BufRead> Read for Ahead<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self.has_back() {
            true => self.back.read(into),
            false => self.from.read(into),
        }
    }
}

impl<R: BufRead> BufRead for Ahead<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        match self.has_back() {
            true => self.back.fill_buf(),
            false => self.from.fill_buf(),
        }
    }

    fn consume(&mut self, count: usize) {
        match self.has_back() {
            true => self.back.consume(count),
            false => self.from.consume(count),
        }
    }
}

/// All archives of an unpacked stream.
fn archives(from: &mut dyn Read, sink: &mut Sink<'_>) -> io::Result<()> {
    let mut inner = Ahead::new(BufReader::with_capacity(64 << 10, from));
    while let Some(head) = inner.next()? {
        if !head.starts_with(b"0707") {
            return Err(bad("something else than an archive in it"));
        }
        one(&mut inner, sink)?;
    }
    Ok(())
}

struct Sink<'s> {
    wanted: &'s dyn Fn(&str) -> bool,
    take: &'s mut dyn FnMut(&str, &[u8]),
    bytes: u64,
    files: usize,
}

/// Numbers of a header that are looked at.
struct Head {
    mode: u64,
    size: u64,
    name: u64,
}

impl Head {
    fn read(from: &mut dyn Read) -> io::Result<Self> {
        let mut bytes = [0u8; HEADER];
        from.read_exact(&mut bytes)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| bad("a header that is not text"))?;
        if !text.starts_with("070701") && !text.starts_with("070702") {
            return Err(bad("an archive that is not of the kind newc"));
        }
        let number = |field: usize| {
            let at = 6 + field * 8;
            let digits = text.get(at..at + 8).unwrap_or_default();
            u64::from_str_radix(digits, 16).map_err(|_| bad("a header without numbers"))
        };
        Ok(Self {
            mode: number(1)?,
            size: number(6)?,
            name: number(11)?,
        })
    }
}

/// One archive, up to its end mark.
fn one(from: &mut impl Read, sink: &mut Sink<'_>) -> io::Result<()> {
    loop {
        let head = Head::read(from)?;
        if head.name == 0 || head.name > NAME {
            return Err(bad(format!("a name of {} bytes", head.name)));
        }
        sink.bytes = sink
            .bytes
            .checked_sub(head.size)
            .ok_or_else(|| bad("it unpacks to more than 4 GiB"))?;
        sink.files = sink
            .files
            .checked_sub(1)
            .ok_or_else(|| bad("more files than an initramfs has"))?;
        let name = bytes(from, head.name)?;
        let name = name.strip_suffix(&[0]).unwrap_or(&name);
        skip(from, padding(HEADER as u64 + head.name))?;
        if name == END {
            return skip(from, head.size + padding(head.size));
        }
        let path = String::from_utf8_lossy(name);
        let path = path.trim_start_matches("./").trim_start_matches('/');
        let shown = head.size.min(CONTENT);
        if head.mode & TYPE == REGULAR && (sink.wanted)(path) {
            let content = bytes(from, shown)?;
            (sink.take)(path, &content);
            skip(from, head.size - shown + padding(head.size))?;
        } else {
            skip(from, head.size + padding(head.size))?;
        }
    }
}

/// What is missing to a multiple of four.
fn padding(size: u64) -> u64 {
    size.wrapping_neg() % 4
}

fn bytes(from: &mut impl Read, count: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = from.by_ref().take(count).read_to_end(&mut bytes)?;
    match read as u64 == count {
        true => Ok(bytes),
        false => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

fn skip(from: &mut impl Read, count: u64) -> io::Result<()> {
    let skipped = io::copy(&mut from.by_ref().take(count), &mut io::sink())?;
    match skipped == count {
        true => Ok(()),
        false => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}
