//! A blob as it is read: from one connection, and from several where one does not fill the link.
//! It is separate because it turns what is asynchronous into `Read`, and decides when more connections join.

use std::io::{self, Read};
use std::ops::Range;
use std::time::Instant;

use bytes::Bytes;
use tokio::runtime::Runtime;

use super::lanes::Lanes;
use super::link::Link;
use super::pace::Watch;
use super::route::Endpoint;
use super::stream::Stream;
use super::turns::Turns;
use crate::host::failure::Failure;
use crate::host::oci::Descriptor;

/// What is fetched, and from whom.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) doing: String,
    pub(super) endpoints: Vec<Endpoint>,
    pub(super) blob: Descriptor,
}

impl Whole {
    /// A stream of a part.
    pub(super) fn part(&self, range: Range<u64>) -> Stream {
        let turns = Turns::new(self.doing.clone(), self.endpoints.clone());
        Stream::new(turns, &self.blob, range)
    }
}

/// A blob that is read.
pub(super) struct Body<'s> {
    link: &'s Link,
    runtime: &'s Runtime,
    lanes: Lanes<'s>,
    watch: Watch,
    /// What came and is not read yet.
    current: Bytes,
    /// It ended, or failed for good.
    over: bool,
}

impl<'s> Body<'s> {
    /// Nothing is asked before the first byte is read.
    pub(super) fn new(link: &'s Link, runtime: &'s Runtime, whole: Whole) -> Self {
        Self {
            link,
            runtime,
            lanes: Lanes::new(link, whole),
            watch: link.shared.pace.watch(),
            current: Bytes::new(),
            over: false,
        }
    }

    /// The next bytes. The runtime runs only in here: in between, what comes waits in the kernel.
    fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        let begun = Instant::now();
        let piece = self.runtime.block_on(self.lanes.next());
        self.watch.waited(begun.elapsed());
        self.lanes.adapt(&self.link.shared.pace, &mut self.watch);
        piece
    }
}

impl Read for Body<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        if self.current.is_empty() && !self.over {
            match self.next() {
                Ok(Some(piece)) => self.current = piece,
                Ok(None) => self.over = true,
                Err(failure) => {
                    self.over = true;
                    return Err(failure.into());
                }
            }
        }
        let count = self.current.len().min(buffer.len());
        let piece = self.current.split_to(count);
        let (into, _) = buffer.split_at_mut(count);
        into.copy_from_slice(&piece);
        Ok(count)
    }
}
