//! The kernel's own netlink, in the network namespace of the thread that opened it.
//! It is separate because it is asynchronous inside and everything above it is not.

use std::collections::BTreeSet;
use std::pin::pin;
use std::time::Duration;

use futures_core::Stream as _;
use nix::errno::Errno;
use rtnetlink::packet_core::{NLM_F_DUMP_INTR, NetlinkPayload};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::{Handle, new_connection_with_strict_check};

use super::message::{self, Message};
use super::{Change, Events, Family, Network, Snapshot, Wake, Wanted, parse};
use crate::error::{Context as _, Error, Result};

/// The kernel answers at once; whoever waits longer waits for a message that got lost.
const ANSWER: Duration = Duration::from_secs(10);

/// Tables that change while they are read are read again, so often.
const TRIES: usize = 5;

/// A connection to the kernel and a subscription to its events.
pub struct Live {
    runtime: tokio::runtime::Runtime,
    handle: Handle,
    events: Events,
}

impl std::fmt::Debug for Live {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Live")
            .field("events", &self.events)
            .finish_non_exhaustive()
    }
}

/// What a question ended with.
enum Answer {
    Whole(Vec<RouteNetlinkMessage>),
    /// Something changed in the middle of it.
    Interrupted,
    Refused(Errno),
}

impl Live {
    /// Opens both in the network namespace of this thread. Events count from here on.
    pub fn open() -> Result<Self> {
        let events = Events::subscribe()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context(|| "start a runtime for netlink")?;
        // The kernel filters tables and protocols only for whoever asks strictly (5.0 and later).
        let opened = runtime.block_on(async { new_connection_with_strict_check() });
        let (connection, handle, _) = opened.context(|| "open netlink")?;
        runtime.spawn(connection);
        Ok(Self {
            runtime,
            handle,
            events,
        })
    }

    /// Its events, to bound their memory.
    pub fn events(&self) -> &Events {
        &self.events
    }

    /// One question or write, and everything the kernel answers.
    fn ask(&mut self, message: Message) -> Result<Answer> {
        let failed =
            |error: rtnetlink::Error| Error::host("ask the kernel over netlink").because(error);
        let stream = self.handle.request(message).map_err(failed)?;
        let all = async {
            let mut stream = pin!(stream);
            let mut found = Vec::new();
            let mut whole = true;
            loop {
                let next = std::future::poll_fn(|context| stream.as_mut().poll_next(context));
                let Some(message) = next.await else {
                    break;
                };
                whole &= message.header.flags & NLM_F_DUMP_INTR == 0;
                match message.payload {
                    NetlinkPayload::InnerMessage(inner) => found.push(inner),
                    NetlinkPayload::Error(error) if error.code.is_some() => {
                        return Answer::Refused(Errno::from_raw(-error.raw_code()));
                    }
                    _ => {}
                }
            }
            if whole {
                Answer::Whole(found)
            } else {
                Answer::Interrupted
            }
        };
        let limited = async { tokio::time::timeout(ANSWER, all).await };
        let late = |_| {
            Error::host(format!(
                "no answer from netlink within {} s",
                ANSWER.as_secs()
            ))
        };
        self.runtime.block_on(limited).map_err(late)
    }

    /// A whole table. One that does not exist is empty.
    fn dump(&mut self, what: &str, message: &Message) -> Result<Vec<RouteNetlinkMessage>> {
        for _ in 0..TRIES {
            match self
                .ask(message.clone())
                .context(|| format!("read {what}"))?
            {
                Answer::Whole(found) => return Ok(found),
                // No such table; or no IPv6 in this kernel or namespace.
                Answer::Refused(Errno::ENOENT | Errno::EOPNOTSUPP | Errno::EAFNOSUPPORT) => {
                    return Ok(Vec::new());
                }
                Answer::Refused(errno) => return Err(errno).context(|| format!("read {what}")),
                Answer::Interrupted => {}
            }
        }
        Err(Error::host(format!(
            "read {what}: it changed in the middle, {TRIES} times"
        )))
    }

    fn dump_routes(&mut self, wanted: &Wanted) -> Result<Vec<super::Route>> {
        let mut routes = BTreeSet::new();
        for family in Family::ALL {
            let tables = wanted.tables.iter().map(|table| (Some(*table), None));
            for (table, protocol) in tables.chain([(None, Some(wanted.protocol))]) {
                let found = self.dump("routes", &message::routes(family, table, protocol))?;
                let asked = |route: &super::Route| {
                    table.is_none_or(|t| t == route.table)
                        && protocol.is_none_or(|p| p == route.protocol)
                };
                routes.extend(found.iter().filter_map(as_route).filter(asked));
            }
        }
        Ok(routes.into_iter().collect())
    }
}

fn as_route(message: &RouteNetlinkMessage) -> Option<super::Route> {
    match message {
        RouteNetlinkMessage::NewRoute(route) => parse::route(route),
        _ => None,
    }
}

impl Network for Live {
    fn look(&mut self, wanted: &Wanted) -> Result<Snapshot> {
        let mut snapshot = Snapshot::default();
        for message in self.dump("links", &message::links())? {
            if let RouteNetlinkMessage::NewLink(link) = message {
                snapshot.links.push(parse::link(link));
            }
        }
        for message in self.dump("addresses", &message::addresses())? {
            if let RouteNetlinkMessage::NewAddress(address) = message {
                snapshot.addresses.extend(parse::address(&address));
            }
        }
        snapshot.routes = self.dump_routes(wanted)?;
        for family in Family::ALL {
            for message in self.dump("rules", &message::rules(family))? {
                if let RouteNetlinkMessage::NewRule(rule) = message {
                    snapshot.rules.extend(parse::rule(&rule));
                }
            }
        }
        Ok(snapshot)
    }

    fn write(&mut self, change: &Change) -> Result<()> {
        let answer = self
            .ask(message::change(change))
            .context(|| change.to_string())?;
        let Answer::Refused(errno) = answer else {
            return Ok(());
        };
        let harmless = match change {
            Change::AddRoute(_) | Change::AddRule(_) => errno == Errno::EEXIST,
            Change::DeleteRoute(_) => matches!(errno, Errno::ESRCH | Errno::ENODEV),
            Change::DeleteRule(_) => errno == Errno::ENOENT,
            Change::ReplaceRoute(_) | Change::LoosenReversePath { .. } => false,
        };
        if harmless {
            return Ok(());
        }
        Err(errno).context(|| change.to_string())
    }

    fn wait(&mut self, at_most: Duration) -> Result<Wake> {
        self.events.wait(at_most)
    }
}
