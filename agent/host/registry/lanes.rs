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
#[derive(Clone, Copy)]
enum State {
    /// One, whose beginning says nothing yet: TCP starts slowly.
    Begun,
    /// One, whose rate is taken.
    One,
    /// A part beside it was asked for.
    Probing {
        /// Bytes a second before.
        before: u64,
        /// It is answered with a part.
        comes: bool,
    },
    /// Several.
    Many,
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
            state: State::Begun,
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

    /// Lets more connections join, or no more, by what was seen. It costs little where it does not help: one part
    /// that nobody reads, once in a while.
    pub(super) fn adapt(&mut self, pace: &Pace, watch: &mut Watch) {
        let Some(front) = self.all.front().map(|lane| Rc::clone(&lane.outside)) else {
            return;
        };
        let latency = front.latency.get();
        let state = self.state;
        match state {
            State::Begun if watch.is_over(pace, latency, 10) => {
                self.state = State::One;
                *watch = pace.watch();
            }
            State::One if watch.is_over(pace, latency, 5) => {
                self.probe(pace, watch, &front);
                *watch = pace.watch();
            }
            State::Probing { before, comes } if self.judge(pace, watch, before, comes) => {
                *watch = pace.watch();
            }
            State::Many => self.fill(pace),
            _ => {}
        }
    }

    /// Asks for a part beside the first connection, so far ahead that it can be judged before that one is there.
    fn probe(&mut self, pace: &Pace, watch: &Watch, front: &Outside) {
        let before = watch.rate(pace);
        let ahead = if pace.at_once() {
            CHUNK
        } else {
            CHUNK.max(before / 2)
        };
        let cut = front.at.get() + ahead;
        let left = self.size().saturating_sub(cut);
        if watch.starves(pace, left, front.latency.get())
            && let Some(room) = pace.room()
        {
            self.state = State::Probing {
                before,
                comes: false,
            };
            self.add(cut..self.size().min(cut + CHUNK), Some(room));
        }
    }

    /// Whether the part helps: the first connection ends before it then, and more join. Says whether watching begins
    /// anew.
    fn judge(&mut self, pace: &Pace, watch: &Watch, before: u64, comes: bool) -> bool {
        let (Some(front), Some(next)) = (self.all.front(), self.all.get(1)) else {
            return false;
        };
        let (at, latency) = (front.outside.at.get(), front.outside.latency.get());
        let near = at + (CHUNK / 8) >= next.start;
        let parts = next.outside.parts.get();
        if parts == Some(true) && !comes {
            self.state = State::Probing {
                before,
                comes: true,
            };
            return true;
        }
        let over = watch.is_over(pace, latency, 10) || next.over.is_some();
        if comes && at <= next.start && (near || over) && watch.is_more(pace, before) {
            front.outside.end.set(next.start);
            self.state = State::Many;
            tracing::debug!("{}: several connections help", self.whole.doing);
        } else if near || parts == Some(false) || (comes && over) {
            tracing::debug!("{}: one connection is enough", self.whole.doing);
            pace.rest();
            self.drop_from(1);
        }
        false
    }

    fn fill(&mut self, pace: &Pace) {
        while self.planned < self.size()
            && self.all.len() <= LANES
            && let Some(room) = pace.room()
        {
            let end = self.size().min(self.planned + CHUNK);
            self.add(self.planned..end, Some(room));
        }
    }
}
