//! A blob over several connections at once: parts that come side by side and are handed on in order.
//! It is separate because order and memory are kept here, whatever breaks in any one part.
//!
//! It begins as one connection. Where that one is held back by a long way, the next part is asked for beside it; only
//! when the registry did answer with a part is the first connection's share cut, and more parts join.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::ops::Range;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;

use super::body::Whole;
use super::link::Link;
use super::pace::{CHUNK, LANES, Pace, Room, Watch};
use super::stream::{Outside, Stream};
use crate::host::failure::Failure;

type Task<'s> = Pin<Box<dyn Future<Output = Result<(), Failure>> + 's>>;

/// One part under way.
struct Lane<'s> {
    start: u64,
    outside: Rc<Outside>,
    /// What came and was not handed on.
    pieces: Rc<RefCell<VecDeque<Bytes>>>,
    task: Task<'s>,
    over: Option<Result<(), Failure>>,
    /// For a part that waits for those before it.
    _room: Option<Room>,
}

/// How far it is with several connections.
enum State {
    /// One.
    One,
    /// A part beside it was asked for.
    Probing {
        /// Bytes a second before.
        before: u64,
    },
    /// Several.
    Many {
        /// Bytes a second before.
        before: u64,
    },
    /// No more join.
    Enough,
}

/// All parts under way, in order.
pub(super) struct Lanes<'s> {
    link: &'s Link,
    whole: Whole,
    all: VecDeque<Lane<'s>>,
    /// The first byte that no lane fetches.
    planned: u64,
    state: State,
}

impl<'s> Lane<'s> {
    fn new(link: &'s Link, stream: Stream, start: u64, room: Option<Room>) -> Self {
        let pieces = Rc::default();
        Self {
            start,
            outside: stream.outside(),
            pieces: Rc::clone(&pieces),
            task: Box::pin(run(link, stream, pieces)),
            over: None,
            _room: room,
        }
    }

    fn drive(&mut self, cx: &mut Context<'_>) {
        if self.over.is_none()
            && let Poll::Ready(over) = self.task.as_mut().poll(cx)
        {
            self.over = Some(over);
        }
    }
}

async fn run(
    link: &Link,
    mut stream: Stream,
    pieces: Rc<RefCell<VecDeque<Bytes>>>,
) -> Result<(), Failure> {
    while let Some(piece) = stream.next(link).await? {
        pieces.borrow_mut().push_back(piece);
    }
    Ok(())
}

impl<'s> Lanes<'s> {
    /// One connection for the whole.
    pub(super) fn new(link: &'s Link, whole: Whole) -> Self {
        let mut this = Self {
            link,
            whole,
            all: VecDeque::new(),
            planned: 0,
            state: State::One,
        };
        this.add(0..this.size(), None);
        this
    }

    fn size(&self) -> u64 {
        self.whole.blob.size
    }

    fn add(&mut self, range: Range<u64>, room: Option<Room>) {
        let start = range.start;
        self.planned = range.end;
        let stream = self.whole.part(range);
        self.all
            .push_back(Lane::new(self.link, stream, start, room));
    }

    /// The next bytes in order; none after the last.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        poll_fn(|cx| self.poll(cx)).await
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Failure>> {
        loop {
            self.drive(cx);
            let Some(front) = self.all.front_mut() else {
                if self.planned >= self.size() {
                    return Poll::Ready(Ok(None));
                }
                // One connection again, for what nobody fetches.
                self.add(self.planned..self.size(), None);
                continue;
            };
            if let Some(piece) = front.pieces.borrow_mut().pop_front() {
                return Poll::Ready(Ok(Some(piece)));
            }
            match front.over.take() {
                None => return Poll::Pending,
                Some(Err(failure)) => return Poll::Ready(Err(failure)),
                Some(Ok(())) => self.pass(),
            }
        }
    }

    /// Lets all parts come on. One that fails while others are read before it is fetched again when its turn comes,
    /// by one connection: the registry may just not like so many.
    fn drive(&mut self, cx: &mut Context<'_>) {
        self.all.iter_mut().for_each(|lane| lane.drive(cx));
        let failed = |lane: &Lane<'_>| matches!(lane.over, Some(Err(_)));
        let ahead = self.all.iter().skip(1).position(failed);
        if let Some(index) = ahead {
            tracing::debug!("{}: one connection is enough from here", self.whole.doing);
            self.drop_from(index + 1);
        }
    }

    /// Drops the lanes from this one on, and lets no other join.
    fn drop_from(&mut self, index: usize) {
        let start = self.all.get(index).map(|lane| lane.start);
        self.planned = match (&self.state, start) {
            // The first connection still has all.
            (State::Probing { .. }, _) => self.size(),
            (_, Some(start)) => start,
            (_, None) => self.planned,
        };
        self.all.truncate(index);
        self.state = State::Enough;
    }

    /// The front's last byte was handed on.
    fn pass(&mut self) {
        if matches!(self.state, State::Probing { .. }) {
            // It was faster than the answer to the question for a part.
            self.drop_from(1);
        }
        self.all.pop_front();
    }

    /// Lets more connections join, or no more, by what was seen.
    pub(super) fn adapt(&mut self, pace: &Pace, watch: &mut Watch) {
        match self.state {
            State::One => self.probe(pace, watch),
            State::Probing { before } => {
                if self.settle(before) {
                    *watch = pace.watch();
                }
            }
            State::Many { before } => {
                if watch.was_in_vain(pace, before) {
                    tracing::debug!("{}: more connections bring no more", self.whole.doing);
                    pace.rest();
                    self.state = State::Enough;
                }
                self.fill(pace);
            }
            State::Enough => {}
        }
    }

    fn probe(&mut self, pace: &Pace, watch: &Watch) {
        let Some(front) = self.all.front() else {
            return;
        };
        let at = front.outside.at.get();
        let left = self.size().saturating_sub(at);
        if !watch.starves(pace, left, front.outside.latency.get()) {
            return;
        }
        let Some(room) = pace.room() else { return };
        let before = watch.rate(pace);
        self.state = State::Probing { before };
        let cut = at + CHUNK;
        self.add(cut..self.size().min(cut + CHUNK), Some(room));
    }

    /// Whether the question for a part was answered. Where it was, the first connection ends before it.
    fn settle(&mut self, before: u64) -> bool {
        let (Some(front), Some(next)) = (self.all.front(), self.all.get(1)) else {
            return false;
        };
        let beyond = front.outside.at.get() > next.start;
        match next.outside.parts.get() {
            Some(true) if !beyond => {
                front.outside.end.set(next.start);
                self.state = State::Many { before };
                true
            }
            None if !beyond => false,
            _ => {
                self.drop_from(1);
                false
            }
        }
    }

    fn fill(&mut self, pace: &Pace) {
        while matches!(self.state, State::Many { .. })
            && self.planned < self.size()
            && self.all.len() <= LANES
            && let Some(room) = pace.room()
        {
            let end = self.size().min(self.planned + CHUNK);
            self.add(self.planned..end, Some(room));
        }
    }
}
