//! The push parser: takes a tar stream in pieces of any size and hands out entries and their content.
//! It is separate because where one entry ends and the next begins is all it decides, and all else rests on that.

use super::Limits;
use super::entry::Entry;
use super::error::{LayerError, Result, shown};
use super::extended::Extended;
use super::header::Header;
use crate::host::archive::header::BLOCK;

/// Largest extension record, as in Go: a long name or PAX header.
const EXTENSION: u64 = 1 << 20;

/// What entries are handed to.
pub(super) trait Sink {
    /// An entry begins.
    fn entry(&mut self, entry: Entry) -> Result<()>;
    /// The next piece of its content; pieces are as large as they came.
    fn content(&mut self, bytes: &[u8]) -> Result<()>;
    /// All of its content came.
    fn end(&mut self) -> Result<()>;
}

/// Where in the stream it is.
#[derive(Debug)]
enum State {
    /// In a header.
    Header,
    /// In an extension record of this many bytes.
    Extension { header: Box<Header>, size: usize },
    /// In a file's content, of which this many bytes are left, with this much fill after it.
    Content { left: u64, fill: u64 },
    /// In the fill after content.
    Fill(u64),
    /// After one block of zeros.
    Half,
    /// After the end mark: whatever follows belongs to the layer's digest and to nothing else.
    Ended,
}

/// A stream that is being read.
#[derive(Debug)]
pub(super) struct Parser {
    state: State,
    /// The part of a header or record that came so far.
    held: Vec<u8>,
    extended: Extended,
    left: Limits,
}

impl Parser {
    /// Begins a stream.
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            state: State::Header,
            held: Vec::new(),
            extended: Extended::default(),
            left: limits,
        }
    }

    /// What is left of the limits.
    pub(super) fn left(&self) -> Limits {
        self.left
    }

    /// Takes the next bytes.
    pub(super) fn push(&mut self, mut bytes: &[u8], sink: &mut impl Sink) -> Result<()> {
        while !bytes.is_empty() {
            bytes = match std::mem::replace(&mut self.state, State::Ended) {
                State::Header => self.header(bytes, sink)?,
                State::Extension { header, size } => self.extension(bytes, header, size, sink)?,
                State::Content { left, fill } => self.content(bytes, left, fill, sink)?,
                State::Fill(left) => self.fill(bytes, left),
                State::Half => self.half(bytes)?,
                State::Ended => return Ok(()),
            };
        }
        Ok(())
    }

    /// The stream ended. Like Go's reader it does without an end mark, but not in the middle of something.
    pub(super) fn finish(&self) -> Result<()> {
        match self.state {
            State::Ended | State::Fill(_) if !self.extended.any => Ok(()),
            State::Header | State::Half if self.held.is_empty() && !self.extended.any => Ok(()),
            _ => Err(LayerError::image("it is cut off")),
        }
    }

    fn header<'b>(&mut self, bytes: &'b [u8], sink: &mut impl Sink) -> Result<&'b [u8]> {
        self.state = State::Header;
        let Some((block, rest)) = self.block(bytes) else {
            return Ok(&[]);
        };
        if block.iter().all(|byte| *byte == 0) {
            self.state = State::Half;
            return Ok(rest);
        }
        self.left.entries = (self.left.entries.checked_sub(1))
            .ok_or_else(|| LayerError::image("it holds more entries than it may"))?;
        let header = Header::parse(&block)?;
        if matches!(header.kind, b'x' | b'g' | b'L' | b'K') {
            let size = u64::try_from(header.size).ok();
            let size = size.filter(|size| *size <= EXTENSION);
            let size = size.and_then(|size| usize::try_from(size).ok());
            let size = size.ok_or_else(|| {
                let name = shown(&header.name);
                LayerError::image(format!("{name} states {} bytes for a name", header.size))
            })?;
            self.state = State::Extension {
                header: Box::new(header),
                size,
            };
            return if size == 0 {
                self.extended(sink).map(|()| rest)
            } else {
                Ok(rest)
            };
        }
        let entry = std::mem::take(&mut self.extended).entry(header)?;
        self.begin(entry, sink)?;
        Ok(rest)
    }

    fn begin(&mut self, entry: Entry, sink: &mut impl Sink) -> Result<()> {
        let size = entry.size;
        self.left.bytes = self.left.bytes.checked_sub(size).ok_or_else(|| {
            let name = shown(&entry.path);
            LayerError::image(format!(
                "{name} states {size} bytes, more than there may be"
            ))
        })?;
        sink.entry(entry)?;
        if size == 0 {
            return sink.end();
        }
        let fill = fill(size);
        self.state = State::Content { left: size, fill };
        Ok(())
    }

    /// Collects an extension record.
    fn extension<'b>(
        &mut self,
        bytes: &'b [u8],
        header: Box<Header>,
        size: usize,
        sink: &mut impl Sink,
    ) -> Result<&'b [u8]> {
        let want = size - self.held.len();
        let (part, rest) = bytes.split_at_checked(want).unwrap_or((bytes, &[]));
        self.held.extend_from_slice(part);
        self.state = State::Extension { header, size };
        if self.held.len() == size {
            self.extended(sink)?;
        }
        Ok(rest)
    }

    /// The extension record is complete.
    fn extended(&mut self, sink: &mut impl Sink) -> Result<()> {
        let State::Extension { header, size } = std::mem::replace(&mut self.state, State::Header)
        else {
            return Ok(());
        };
        let bytes = std::mem::take(&mut self.held);
        if size > 0 {
            self.state = State::Fill(fill(size as u64));
        }
        if header.kind != b'g' {
            return self.extended.add(header.kind, &bytes);
        }
        // Go hands it out as an entry of its own, and forgets what came before it; its records must be readable.
        self.extended = Extended::default();
        Extended::default().add(b'x', &bytes)?;
        sink.entry(Extended::default().entry(*header)?)?;
        sink.end()
    }

    fn content<'b>(
        &mut self,
        bytes: &'b [u8],
        left: u64,
        fill: u64,
        sink: &mut impl Sink,
    ) -> Result<&'b [u8]> {
        let most = usize::try_from(left).unwrap_or(usize::MAX);
        let (part, rest) = bytes.split_at_checked(most).unwrap_or((bytes, &[]));
        sink.content(part)?;
        let left = left - part.len() as u64;
        self.state = match left {
            0 => State::Fill(fill),
            left => State::Content { left, fill },
        };
        if left == 0 {
            sink.end()?;
        }
        Ok(rest)
    }

    fn fill<'b>(&mut self, bytes: &'b [u8], left: u64) -> &'b [u8] {
        let most = usize::try_from(left).unwrap_or(usize::MAX);
        let (part, rest) = bytes.split_at_checked(most).unwrap_or((bytes, &[]));
        self.state = match left - part.len() as u64 {
            0 => State::Header,
            left => State::Fill(left),
        };
        rest
    }

    fn half<'b>(&mut self, bytes: &'b [u8]) -> Result<&'b [u8]> {
        self.state = State::Half;
        let Some((block, rest)) = self.block(bytes) else {
            return Ok(&[]);
        };
        if block.iter().any(|byte| *byte != 0) {
            return Err(LayerError::image("an entry follows half an end mark"));
        }
        self.state = State::Ended;
        Ok(rest)
    }

    /// The next block and what follows it; none while it is not complete.
    fn block<'b>(&mut self, bytes: &'b [u8]) -> Option<([u8; BLOCK], &'b [u8])> {
        let want = BLOCK - self.held.len();
        let (part, rest) = bytes.split_at_checked(want).unwrap_or((bytes, &[]));
        if part.len() == BLOCK {
            return Some((part.try_into().ok()?, rest));
        }
        self.held.extend_from_slice(part);
        let block = self.held.as_slice().try_into().ok()?;
        self.held.clear();
        Some((block, rest))
    }
}

/// Fill from the end of content to the end of its last block.
fn fill(size: u64) -> u64 {
    size.wrapping_neg() % BLOCK as u64
}
