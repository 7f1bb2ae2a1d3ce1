//! A range of a blob as a stream that survives broken connections: each is taken up where the last one ended.
//! It is separate because one blob can be several of them at once.

use std::time::Instant;

use bytes::Bytes;
use reqwest::header::{CONTENT_ENCODING, CONTENT_RANGE};
use reqwest::{Response, StatusCode};
use tokio::time::timeout;

use super::ask::{Question, ask, texts};
use super::document::pause;
use super::fault::{Again, Fault};
use super::link::Link;
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
    /// One past the last.
    end: u64,
    open: Option<Open>,
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
    waited: std::time::Duration,
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
            end: range.end,
            open: None,
        }
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
            if self.at == self.end {
                return self.finish(link).await.map(|()| None);
            }
            if self.open.is_none() {
                self.open = Some(self.connect(link).await?);
            }
            let left = self.end - self.at;
            let Some(open) = &mut self.open else { continue };
            let Some(mut piece) = open.read(link).await? else {
                let said = format!("the answer ended after {} of {} bytes", self.at, self.size);
                return Err(Fault::passing(Class::Digest, said));
            };
            let skipped = open.skip.min(piece.len() as u64);
            open.skip -= skipped;
            drop(piece.split_to(usize::try_from(skipped).unwrap_or(usize::MAX)));
            if piece.len() as u64 > left {
                return Err(self.more());
            }
            if !piece.is_empty() {
                self.at += piece.len() as u64;
                open.came += piece.len() as u64;
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
            || self.end < self.size
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
        let whole = self.at == 0 && self.end == self.size;
        let question = Question {
            tail: &self.tail,
            accept: None,
            range: (!whole).then(|| format!("bytes={}-{}", self.at, self.end - 1)),
            proven: true,
        };
        let Some(endpoint) = self.turns.endpoint() else {
            return Err(Fault::lasting(Class::Registry, "there is no endpoint"));
        };
        let response = ask(link, endpoint, &question).await?;
        let skip = self.check(&response)?;
        Ok(Open {
            response,
            skip,
            came: 0,
            waited: std::time::Duration::ZERO,
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
            true => (0, self.end - self.at),
            false => (self.at, self.size),
        };
        if partial {
            let range = texts(response.headers(), &CONTENT_RANGE)
                .next()
                .unwrap_or_default();
            let wanted = format!("bytes {}-{}/{}", self.at, self.end - 1, self.size);
            let unsized_too = format!("bytes {}-{}/*", self.at, self.end - 1);
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
        self.slow += piece.as_ref().map_or(0, |piece| piece.len() as u64);
        if self.waited >= patience.stall {
            if self.slow < patience.fewest() {
                let said = format!("fewer than {} bytes a second come", patience.slowest);
                return Err(Fault::passing(Class::Timeout, said));
            }
            (self.waited, self.slow) = (std::time::Duration::ZERO, 0);
        }
        Ok(piece)
    }
}
