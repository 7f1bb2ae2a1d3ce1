//! Whose turn it is: endpoints in their order, tries with waits between them, and what is told at the end.
//! It is separate because documents and blobs are tried alike, and because it holds no connection.

use std::time::Duration;

use super::fault::{Again, Fault};
use super::patience::Patience;
use super::route::Endpoint;
use crate::host::failure::Failure;

/// Bytes after which a connection that broke is no try that failed: it got somewhere.
const PROGRESS: u64 = 64 << 10;

/// The tries for one document or blob.
#[derive(Debug)]
pub(super) struct Turns {
    /// "fetch blob 0123456789ab of r.io/a:1".
    doing: String,
    all: Vec<Turn>,
    current: usize,
    /// Rounds in a row in which nobody helped.
    failed: u32,
    /// The longest wait that was asked for in this round.
    asked: Option<Duration>,
}

#[derive(Debug)]
struct Turn {
    endpoint: Endpoint,
    last: Option<Fault>,
    /// It will not answer otherwise.
    out: bool,
}

impl Turns {
    /// `endpoints` are in the order in which they are asked; at least one.
    pub(super) fn new(doing: String, endpoints: Vec<Endpoint>) -> Self {
        let turn = |endpoint| Turn {
            endpoint,
            last: None,
            out: false,
        };
        Self {
            doing,
            all: endpoints.into_iter().map(turn).collect(),
            current: 0,
            failed: 0,
            asked: None,
        }
    }

    /// Who is asked now.
    pub(super) fn endpoint(&self) -> Option<&Endpoint> {
        self.all.get(self.current).map(|turn| &turn.endpoint)
    }

    /// This much came before the connection broke.
    pub(super) fn came(&mut self, bytes: u64) {
        if bytes >= PROGRESS {
            self.failed = 0;
        }
    }

    /// Takes note of a fault: how long to wait before the next try, or the failure that it all ends in.
    pub(super) fn fail(&mut self, fault: Fault, patience: &Patience) -> Result<Duration, Failure> {
        tracing::debug!("{}: {}", self.doing, fault.text());
        if let Some(turn) = self.all.get_mut(self.current) {
            turn.out = match fault.again {
                Again::No => true,
                // The second of its kind counts.
                Again::Once => turn
                    .last
                    .as_ref()
                    .is_some_and(|last| last.again == Again::Once),
                Again::After(_) => false,
            };
            if let Again::After(asked) = fault.again {
                self.asked = self.asked.max(asked);
            }
            turn.last = Some(fault);
        }
        let next = |turns: &[Turn], from: usize| turns.iter().skip(from).position(|turn| !turn.out);
        if let Some(next) = next(&self.all, self.current + 1) {
            self.current += 1 + next;
            return Ok(Duration::ZERO);
        }
        self.failed += 1;
        match next(&self.all, 0) {
            Some(next) if self.failed < patience.tries => {
                self.current = next;
                Ok(patience.wait(self.failed, self.asked.take()))
            }
            _ => Err(self.end()),
        }
    }

    /// The failure: the class is that of the first endpoint, because it is the one that was meant to have it.
    fn end(&mut self) -> Failure {
        let mut told = self.all.iter_mut().filter_map(|turn| {
            let fault = turn.last.take()?;
            Some((turn.endpoint.host.clone(), fault))
        });
        let first = told.next();
        let more: String = told
            .map(|(host, fault)| format!("; {host}: {}", fault.text()))
            .collect();
        let (host, fault) = first.unwrap_or_else(|| {
            let nobody = Fault::lasting(crate::host::failure::Class::Registry, "nobody was asked");
            ("nobody".to_owned(), nobody)
        });
        let tries = match (fault.again, self.failed) {
            (Again::After(_), tries @ 2..) => format!(" ({tries} tries)"),
            _ => String::new(),
        };
        fault.failure(&format!("{} from {host}{tries}", self.doing), &more)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::failure::Class;
    use crate::host::oci::Name;
    use crate::host::registry::rke2::Registries;
    use crate::host::registry::route::Routes;

    fn turns() -> Turns {
        let file = b"mirrors: {r.io: {endpoint: [m]}}";
        let routes = Routes {
            registries: Registries::parse(file).unwrap(),
            ..Routes::default()
        };
        let endpoints = routes.of(&Name::parse("r.io/a:1").unwrap()).unwrap();
        Turns::new("fetch".to_owned(), endpoints)
    }

    fn patience(tries: u32) -> Patience {
        Patience {
            tries,
            ..Patience::default()
        }
    }

    #[test]
    fn endpoints_take_turns_until_all_are_out_or_tries_are_used_up() {
        let mut turns = turns();
        let host = |turns: &Turns| turns.endpoint().unwrap().host.clone();
        assert_eq!(host(&turns), "m");
        let passing = || Fault::passing(Class::Network, "reset");
        assert_eq!(turns.fail(passing(), &patience(3)).unwrap(), Duration::ZERO);
        assert_eq!(host(&turns), "r.io");
        // Who has nothing is not asked again; the mirror is, after a wait.
        let none = Fault::lasting(Class::NotFound, "HTTP 404");
        assert!(turns.fail(none, &patience(3)).unwrap() > Duration::ZERO);
        assert_eq!(host(&turns), "m");
        assert!(turns.fail(passing(), &patience(3)).unwrap() > Duration::ZERO);
        turns.came(PROGRESS);
        assert!(turns.fail(passing(), &patience(3)).is_ok());
        turns.came(PROGRESS - 1);
        assert!(turns.fail(passing(), &patience(3)).is_ok());
        let failure = turns.fail(passing(), &patience(3)).unwrap_err();
        assert_eq!(failure.class, Class::Network);
        let text = failure.error.one_line();
        assert_eq!(text, "fetch from m (3 tries): reset; r.io: HTTP 404");
    }

    #[test]
    fn a_broken_digest_has_one_more_try_at_each_endpoint() {
        let mut turns = turns();
        let broken = || Fault::new(Class::Digest, Again::Once, "wrong");
        for _ in 0..3 {
            turns.fail(broken(), &patience(9)).unwrap();
        }
        let failure = turns.fail(broken(), &patience(9)).unwrap_err();
        assert_eq!(failure.class, Class::Digest);
    }

    #[test]
    fn a_wait_that_is_asked_for_is_kept_within_bounds() {
        let mut turns = turns();
        let asked = |s| Again::After(Some(Duration::from_secs(s)));
        let busy = |s| Fault::new(Class::Registry, asked(s), "HTTP 429");
        turns.fail(busy(7), &patience(9)).unwrap();
        let wait = turns.fail(busy(3), &patience(9)).unwrap();
        assert_eq!(wait, Duration::from_secs(7));
        turns.fail(busy(1), &patience(9)).unwrap();
        let wait = turns.fail(busy(9_999), &patience(9)).unwrap();
        assert_eq!(wait, Duration::from_secs(60));
    }
}
