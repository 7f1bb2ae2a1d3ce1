//! The seal, the stamp and the place: who may do what in which state, and how copies are told.
//! It is separate from the verbs because every one of them relies on these refusals.

mod marker;
#[path = "seal/stamp.rs"]
mod stamps;

use nodeagent::error::{Error, Exit};
use nodeagent::host::{Host, Where};
use nodeagent::record::seal::{self, Digests, SEAL, State, Verb};
use nodeagent::record::stamp;
use nodeagent::record::{MANIFEST, POLICY, RECORD};
use nodeagent::resource::Place;

use crate::support::fake::fake_parts;

const ID: &str = "0123456789abcdef0123456789abcdef";
const OTHER: &str = "fedcba9876543210fedcba9876543210";

struct Bench {
    dir: tempfile::TempDir,
    host: Host,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (mut host, _) = fake_parts(dir.path());
        host.evidence.salt = Some("salt".to_owned());
        let bench = Self { dir, host };
        bench.put("/etc/machine-id", ID);
        bench
    }

    fn put(&self, path: &str, content: &str) {
        let at = self.dir.path().join(path.trim_start_matches('/'));
        std::fs::create_dir_all(at.parent().unwrap()).unwrap();
        std::fs::write(at, content).unwrap();
    }

    fn remove(&self, path: &str) {
        self.host.root.remove(path).unwrap();
    }

    fn to(&self, state: State) {
        for path in [MANIFEST, POLICY, RECORD] {
            self.put(path, "sealed");
        }
        let root = &self.host.root;
        seal::begin_build(root).unwrap();
        if state != State::Building {
            seal::to_pending(root, seal::digests(root).unwrap(), 7).unwrap();
        }
        if state == State::Closed {
            seal::to_closed(root, seal::digests(root).unwrap(), 9).unwrap();
        }
    }
}

/// A refusal (exit 4) that says what to do; gives its text.
fn refused<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    let error = result.unwrap_err();
    assert_eq!(error.exit(), Exit::Refused, "{error:?}");
    let hint = error.next_step().unwrap_or_default();
    assert!(!hint.is_empty(), "{error:?} says no next step");
    format!("{}; {hint}", error.one_line())
}

#[test]
fn each_verb_runs_in_its_states_and_no_other() {
    let states = [
        None,
        Some(State::Building),
        Some(State::Pending),
        Some(State::Closed),
    ];
    let table = [
        (Verb::Bake, [true, true, false, false]),
        (Verb::Generalize, [false, true, false, false]),
        (Verb::Close, [false, false, true, false]),
        (Verb::Node, [false, false, false, true]),
    ];
    for (verb, allowed) in table {
        for (state, allowed) in states.into_iter().zip(allowed) {
            let bench = Bench::new();
            if let Some(state) = state {
                bench.to(state);
            }
            let answer = seal::admit(&bench.host.root, verb);
            if allowed {
                assert_eq!(answer.unwrap().map(|seal| seal.state), state);
            } else {
                refused(answer);
            }
        }
    }
}

#[test]
fn the_states_follow_each_other_and_none_is_skipped() {
    let bench = Bench::new();
    let root = &bench.host.root;
    let digests = Digests {
        policy: "p".into(),
        manifest: "m".into(),
        record: "r".into(),
    };
    refused(seal::to_pending(root, digests.clone(), 1));
    refused(seal::to_closed(root, digests.clone(), 1));
    seal::begin_build(root).unwrap();
    seal::begin_build(root).unwrap();
    refused(seal::to_closed(root, digests.clone(), 1));
    seal::to_pending(root, digests.clone(), 1).unwrap();
    refused(seal::begin_build(root));
    refused(seal::to_pending(root, digests.clone(), 1));
    let later = Digests {
        record: "r2".into(),
        ..digests
    };
    seal::to_closed(root, later.clone(), 2).unwrap();
    let end = seal::read(root).unwrap().unwrap();
    assert_eq!(
        (end.state, end.sealed_at, end.closed_at),
        (State::Closed, Some(1), Some(2))
    );
    assert_eq!(
        end.digests,
        Some(later),
        "the closing run has added to the record"
    );
    refused(seal::begin_build(root));
}

#[test]
fn a_seal_that_cannot_be_understood_is_never_taken_for_none() {
    for text in [
        "",
        "{",
        "{}",
        r#"{"schema":1,"state":"open","tool":"0"}"#,
        r#"{"schema":2,"state":"building","tool":"0"}"#,
        r#"{"schema":1,"state":"closed","tool":"0"}"#,
        r#"{"schema":1,"state":"building","tool":"0","more":1}"#,
    ] {
        let bench = Bench::new();
        bench.put(SEAL, text);
        for verb in [Verb::Bake, Verb::Generalize, Verb::Close, Verb::Node] {
            assert!(
                refused(seal::admit(&bench.host.root, verb)).contains(SEAL),
                "{text}"
            );
        }
    }
}

#[test]
fn an_edited_sister_file_is_named() {
    for path in [MANIFEST, POLICY, RECORD] {
        let bench = Bench::new();
        bench.to(State::Closed);
        let root = &bench.host.root;
        let closed = seal::read(root).unwrap().unwrap();
        assert_eq!(seal::changed(root, &closed).unwrap(), []);
        bench.put(path, "edited");
        assert_eq!(seal::changed(root, &closed).unwrap()[0].what, path);
        bench.remove(path);
        assert_eq!(seal::changed(root, &closed).unwrap()[0].have, "absent");
        assert!(
            seal::digests(root).is_err(),
            "what is missing cannot be sealed"
        );
    }
}

#[test]
fn the_place_follows_from_seal_stamp_and_a_running_manager() {
    let table = [
        (None, false, Where::Booted, Place::Build),
        (Some(State::Building), false, Where::Booted, Place::Build),
        (Some(State::Building), true, Where::Booted, Place::Build),
        (Some(State::Pending), false, Where::Booted, Place::Image),
        (Some(State::Closed), false, Where::Root, Place::Image),
        (Some(State::Closed), false, Where::Booted, Place::Node),
        (Some(State::Closed), true, Where::Root, Place::Node),
        (Some(State::Closed), true, Where::Booted, Place::Node),
    ];
    for (state, stamped, place, want) in table {
        let mut bench = Bench::new();
        if let Some(state) = state {
            bench.to(state);
        }
        if stamped {
            let now = stamp::now(&bench.host.root, &bench.host.evidence, None, 1)
                .unwrap()
                .unwrap();
            stamp::write(&bench.host.root, &now).unwrap();
        }
        bench.host.context.place = place;
        assert_eq!(
            stamp::place(&bench.host).unwrap(),
            want,
            "{state:?} {stamped} {place:?}"
        );
    }
    let mut bench = Bench::new();
    bench.to(State::Closed);
    bench.host.closing = true;
    assert_eq!(stamp::place(&bench.host).unwrap(), Place::Image);
}

#[test]
fn a_clock_that_was_lost_brings_no_expired_exception_back() {
    let bench = Bench::new();
    assert_eq!(seal::judging_time(&bench.host.root, 5).unwrap(), 5);
    bench.to(State::Closed);
    for (now, want) in [(0, 9), (8, 9), (10, 10)] {
        assert_eq!(seal::judging_time(&bench.host.root, now).unwrap(), want);
    }
}
