//! gzip by zlib-rs without its checksum: members one after the other, each with header and trailer.
//! It is separate because flate2's own reader always takes the checksum, a seventh of its time.

use std::io::{self, Read};

use flate2::{Decompress, FlushDecompress, Status};

use crate::host::archive::bad;

/// Bytes that are read at a time.
const BUFFER: usize = 128 << 10;

/// A gzip stream.
pub(super) struct Gzip<R> {
    from: R,
    buffer: Vec<u8>,
    /// What is in the buffer and not yet used.
    at: usize,
    end: usize,
    state: Decompress,
    /// In a member, after its header.
    inside: bool,
    /// Members that ended.
    members: u64,
}

impl<R: Read> Gzip<R> {
    /// Begins a stream.
    pub(super) fn new(from: R) -> Self {
        Self {
            from,
            buffer: vec![0; BUFFER],
            at: 0,
            end: 0,
            state: Decompress::new(false),
            inside: false,
            members: 0,
        }
    }

    /// Reads more if nothing is left; false at the end.
    fn fill(&mut self) -> io::Result<bool> {
        if self.at == self.end {
            self.at = 0;
            self.end = 0;
            self.end = self.from.read(&mut self.buffer)?;
        }
        Ok(self.at < self.end)
    }

    fn byte(&mut self) -> io::Result<u8> {
        if !self.fill()? {
            return Err(cut_off());
        }
        let byte = self.buffer.get(self.at).copied().unwrap_or_default();
        self.at += 1;
        Ok(byte)
    }

    fn skip(&mut self, bytes: u32) -> io::Result<()> {
        (0..bytes).try_for_each(|_| self.byte().map(drop))
    }

    /// Reads a text that ends with a zero.
    fn text(&mut self) -> io::Result<()> {
        while self.byte()? != 0 {}
        Ok(())
    }

    /// Reads a member's header (RFC 1952).
    fn header(&mut self) -> io::Result<()> {
        if [self.byte()?, self.byte()?, self.byte()?] != [0x1f, 0x8b, 8] {
            return Err(bad("something that is not gzip follows in it"));
        }
        let flags = self.byte()?;
        self.skip(6)?;
        if flags & 4 != 0 {
            let length = u16::from_le_bytes([self.byte()?, self.byte()?]);
            self.skip(length.into())?;
        }
        if flags & 8 != 0 {
            self.text()?;
        }
        if flags & 16 != 0 {
            self.text()?;
        }
        if flags & 2 != 0 {
            self.skip(2)?;
        }
        Ok(())
    }

    /// Reads a member's trailer: the checksum is passed over, the length must be right.
    fn trailer(&mut self) -> io::Result<()> {
        self.skip(4)?;
        let stated = [self.byte()?, self.byte()?, self.byte()?, self.byte()?];
        let length = u64::from(u32::from_le_bytes(stated));
        if length != self.state.total_out() & 0xffff_ffff {
            return Err(bad("a length in it is wrong"));
        }
        self.state.reset(false);
        self.inside = false;
        self.members += 1;
        Ok(())
    }

    /// Inflates once; the bytes that came out.
    fn step(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let more = self.fill()?;
        let input = self.buffer.get(self.at..self.end).unwrap_or_default();
        let (before_in, before_out) = (self.state.total_in(), self.state.total_out());
        let flush = FlushDecompress::None;
        let status =
            (self.state.decompress(input, into, flush)).map_err(|error| bad(error.to_string()))?;
        let count = |now: u64, before: u64| usize::try_from(now - before).unwrap_or_default();
        self.at += count(self.state.total_in(), before_in);
        let made = count(self.state.total_out(), before_out);
        match status {
            Status::StreamEnd => self.trailer()?,
            Status::Ok | Status::BufError if made == 0 && !more => return Err(cut_off()),
            Status::Ok | Status::BufError => {}
        }
        Ok(made)
    }
}

impl<R: Read> Read for Gzip<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if into.is_empty() {
            return Ok(0);
        }
        loop {
            if !self.inside {
                if !self.fill()? && self.members > 0 {
                    return Ok(0);
                }
                self.header()?;
                self.inside = true;
            }
            let made = self.step(into)?;
            if made > 0 {
                return Ok(made);
            }
        }
    }
}

fn cut_off() -> io::Error {
    bad("it is cut off")
}
