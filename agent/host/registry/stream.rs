//! A range of a blob as a stream that survives broken connections: each is taken up where the last one ended.
//! It is separate because one blob can be several of them at once.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use reqwest::header::{CONTENT_ENCODING, CONTENT_RANGE};
use reqwest::{Response, StatusCode};
use tokio::time::timeout;

use super::ask::{Question, ask, texts};
use super::document::pause;
use super::fault::{Again, Fault};
use super::link::Link;
use super::route::authority;
use super::turns::Turns;
use crate::host::failure::{Class, Failure};
use crate::host::oci::Descriptor;

/// Part of a blob, from one byte to before another.
#[derive(Debug)]
pub(super) struct Stream {
    turns: Turns,
    tail: String,
    /// The whole blob's size.
    size: u64,
    /// The next byte.
    at: u64,
    /// What others may see and change.
    outside: Rc<Outside>,
    open: Option<Open>,
}

/// A stream as it is seen by who reads others beside it.
#[derive(Debug)]
pub(super) struct Outside {
    /// One past the last byte; it may be moved towards the next one.
    pub(super) end: Cell<u64>,
    /// The next byte.
    pub(super) at: Cell<u64>,
    /// Whether a part was given when a part was asked for.
    pub(super) parts: Cell<Option<bool>>,
    /// The least time that an answer of the host took that delivers.
    pub(super) latency: Cell<Option<Duration>>,
}

/// A connection that delivers.
#[derive(Debug)]
struct Open {
    response: Response,
    /// Bytes before the wanted ones: the server knows no ranges.
    skip: u64,
    /// What came of it.
    came: u64,
    /// Since when `slow` is counted, in time spent waiting.
    waited: Duration,
    slow: u64,
}

impl Stream {
    /// Nothing is asked before the first byte is wanted.
    pub(super) fn new(turns: Turns, blob: &Descriptor, range: std::ops::Range<u64>) -> Self {
        Self {
            turns,
            tail: format!("blobs/{}", blob.digest),
            size: blob.size,
            at: range.start,
            outside: Rc::new(Outside {
                end: Cell::new(range.end),
                at: Cell::new(range.start),
                parts: Cell::new(None),
                latency: Cell::new(None),
            }),
            open: None,
        }
    }

    /// The stream as others see it.
    pub(super) fn outside(&self) -> Rc<Outside> {
        Rc::clone(&self.outside)
    }

    fn end(&self) -> u64 {
        self.outside.end.get()
    }

    /// The next bytes; none after the last.
    ///
    /// What was delivered before a break is not fetched again and not compared: the digest of the whole, which the
    /// reader computes anyway, proves that both parts belong together.
    pub(super) async fn next(&mut self, link: &Link) -> Result<Option<Bytes>, Failure> {
        loop {
            match self.piece(link).await {
                Ok(piece) => return Ok(piece),
                Err(fault) => {
                    let came = self.open.take().map_or(0, |open| open.came);
                    self.turns.came(came);
                    pause(self.turns.fail(fault, &link.shared.patience)?).await;
                }
            }
        }
    }

    async fn piece(&mut self, link: &Link) -> Result<Option<Bytes>, Fault> {
        loop {
            if self.at >= self.end() {
                return self.finish(link).await.map(|()| None);
            }
            if self.open.is_none() {
                self.open = Some(self.connect(link).await?);
            }
            let Some(open) = &mut self.open else { continue };
            let Some(mut piece) = open.read(link).await? else {
                let said = format!("the answer ended after {} of {} bytes", self.at, self.size);
                return Err(Fault::passing(Class::Digest, said));
            };
            open.skip(&mut piece);
            open.came += piece.len() as u64;
            if self.at + piece.len() as u64 > self.size {
                return Err(self.more());
            }
            // Somebody else fetches what follows.
            let left = self.end().saturating_sub(self.at);
            piece.truncate(usize::try_from(left).unwrap_or(usize::MAX));
            self.at += piece.len() as u64;
            self.outside.at.set(self.at);
            if !piece.is_empty() {
                return Ok(Some(piece));
            }
        }
    }

    /// Nothing may follow the last byte. Where the head of the answer said the length, that is certain.
    async fn finish(&mut self, link: &Link) -> Result<(), Fault> {
        let Some(mut open) = self.open.take() else {
            return Ok(());
        };
        let sure = open.response.content_length().is_some();
        if sure
            || self.end() < self.size
            || open.read(link).await?.is_none_or(|piece| piece.is_empty())
        {
            return Ok(());
        }
        // It was delivered already: there is nothing to try again.
        let mut fault = self.more();
        fault.again = Again::No;
        Err(fault)
    }

    fn more(&self) -> Fault {
        let said = format!("more than {} bytes come", self.size);
        Fault::new(Class::Digest, Again::Once, said)
    }

    async fn connect(&self, link: &Link) -> Result<Open, Fault> {
        let whole = self.at == 0 && self.end() == self.size;
        let question = Question {
            tail: &self.tail,
            accept: None,
            range: (!whole).then(|| format!("bytes={}-{}", self.at, self.end() - 1)),
            proven: true,
        };
        let Some(endpoint) = self.turns.endpoint() else {
            return Err(Fault::lasting(Class::Registry, "there is no endpoint"));
        };
        let response = ask(link, endpoint, &question).await?;
        let skip = self.check(&response)?;
        if !whole {
            let part = response.status() == StatusCode::PARTIAL_CONTENT;
            self.outside.parts.set(Some(part));
        }
        let host = authority(response.url());
        self.outside.latency.set(link.shared.pace.latency(&host));
        Ok(Open {
            response,
            skip,
            came: 0,
            waited: Duration::ZERO,
            slow: 0,
        })
    }

    /// Whether the head of the answer promises what the descriptor says; gives how many bytes come too early.
    fn check(&self, response: &Response) -> Result<u64, Fault> {
        let encoding = texts(response.headers(), &CONTENT_ENCODING).next();
        if let Some(encoding) = encoding.filter(|e| *e != "identity") {
            let said = format!("it is sent with the encoding {encoding:?}, which nobody asked for");
            return Err(Fault::lasting(Class::Registry, said));
        }
        let partial = response.status() == StatusCode::PARTIAL_CONTENT;
        let (skip, want) = match partial {
            true => (0, self.end() - self.at),
            false => (self.at, self.size),
        };
        if partial {
            let range = texts(response.headers(), &CONTENT_RANGE)
                .next()
                .unwrap_or_default();
            let wanted = format!("bytes {}-{}/{}", self.at, self.end() - 1, self.size);
            let unsized_too = format!("bytes {}-{}/*", self.at, self.end() - 1);
            if range != wanted && range != unsized_too {
                let said = format!(
                    "wanted {wanted:?}, got {:?}",
                    range.chars().take(80).collect::<String>()
                );
                return Err(Fault::new(Class::Registry, Again::Once, said));
            }
        }
        match response.content_length() {
            Some(length) if length != want => {
                let said = format!("wanted {want} bytes, the registry has {length}");
                Err(Fault::new(Class::Digest, Again::Once, said))
            }
            _ => Ok(skip),
        }
    }
}

impl Open {
    /// Takes off what comes too early.
    fn skip(&mut self, piece: &mut Bytes) {
        let skipped = usize::try_from(self.skip).unwrap_or(usize::MAX);
        let skipped = skipped.min(piece.len());
        self.skip -= skipped as u64;
        drop(piece.split_to(skipped));
    }

    /// The next bytes from the connection, or the fault of one that stalls or crawls. Only the time spent waiting
    /// counts: a reader may take its own.
    async fn read(&mut self, link: &Link) -> Result<Option<Bytes>, Fault> {
        let patience = &link.shared.patience;
        let begun = Instant::now();
        let Ok(read) = timeout(patience.stall, self.response.chunk()).await else {
            let said = format!("no byte came within {} s", patience.stall.as_secs_f32());
            return Err(Fault::passing(Class::Timeout, said));
        };
        let piece = read.map_err(|error| Fault::of_transport("", error))?;
        self.waited += begun.elapsed();
        let count = piece.as_ref().map_or(0, |piece| piece.len() as u64);
        link.shared.pace.came(count);
        self.slow += count;
        if self.waited >= patience.stall {
            if self.slow < patience.fewest() {
                let said = format!("fewer than {} bytes a second come", patience.slowest);
                return Err(Fault::passing(Class::Timeout, said));
            }
            (self.waited, self.slow) = (Duration::ZERO, 0);
        }
        Ok(piece)
    }
}
