//! Tables for the judgement of scrub entries; looking and acting are tested on real trees in tests/scrub.rs.
//! It is separate because it is longer than the code it guards.

use super::*;

fn entry(action: &str) -> Scrub {
    Scrub {
        name: "x".to_owned(),
        paths: vec!["/x".to_owned()],
        except: Vec::new(),
        action: action.to_owned(),
        content: Some("c".to_owned()),
        lines: Vec::new(),
        create: false,
        mode: None,
        tombstone: Some("machine-id".to_owned()),
        stop: Vec::new(),
        when: None,
    }
}

fn found(count: usize) -> Vec<Found> {
    let one = |n| Found {
        path: format!("/x/{n}"),
        is: "a file".to_owned(),
    };
    (0..count).map(one).collect()
}

#[test]
fn each_action_is_the_one_of_the_policy() {
    let table = [
        ("remove", "remove /x/0", "absent"),
        ("empty-dir", "empty /x/0", "an empty directory"),
        ("truncate", "truncate /x/0", "an empty file"),
        ("write", "write /x/0", "a file with \"c\""),
        ("symlink", "link /x/0", "a symlink to c"),
        ("drop-lines", "drop lines of /x/0", "no line like \"c\""),
        (
            "boot-entries",
            "give /x/0 the neutral token",
            "the token \"c\" in place of a machine-id",
        ),
    ];
    for (action, step, want) in table {
        let seen = Seen {
            found: found(1),
            writers: vec!["w.service".to_owned()],
            ..Seen::default()
        };
        let diff = entry(action).diff(&seen, Place::Image);
        let steps: Vec<String> = diff.actions.iter().map(ToString::to_string).collect();
        assert_eq!(steps, ["stop w.service", step]);
        assert_eq!(diff.differences[0].want, want);
    }
}

#[test]
fn many_paths_are_counted_in_words_and_all_acted_on() {
    let seen = Seen {
        found: found(SHOWN + 5),
        ..Seen::default()
    };
    let diff = entry("remove").diff(&seen, Place::Image);
    assert_eq!(diff.differences.len(), SHOWN + 1);
    assert_eq!(diff.differences[SHOWN].have, "5 more");
    assert_eq!(diff.actions.len(), SHOWN + 5);
}

#[test]
fn what_is_deferred_is_told_and_neither_conforming_work_nor_a_failure() {
    let seen = Seen {
        deferred: true,
        ..Seen::default()
    };
    let diff = entry("remove").diff(&seen, Place::Image);
    assert!(diff.conforms() && diff.actions.is_empty());
    assert!(diff.not_applicable[0].why.contains("closing unit"));
}

#[test]
fn what_cannot_be_judged_fails() {
    let no_salt = Seen {
        no_salt: true,
        ..Seen::default()
    };
    let link = Seen {
        unjudged: vec![("/x".to_owned(), "a symlink".to_owned())],
        ..Seen::default()
    };
    for seen in [no_salt, link] {
        let diff = entry("remove").diff(&seen, Place::Image);
        assert_eq!(diff.unknown.len(), 1);
        assert!(!diff.conforms());
    }
}

#[test]
fn nothing_to_bury_is_recorded_once() {
    let seen = Seen {
        tombstones: vec![Tombstone {
            kind: "machine-id".to_owned(),
            digest: "d".to_owned(),
        }],
        ..Seen::default()
    };
    let diff = entry("remove").diff(&seen, Place::Image);
    assert_eq!(diff.actions, [Action::Record]);
    assert_eq!(diff.tombstones, seen.tombstones);
    assert!(!diff.conforms());
    assert!(
        entry("remove")
            .diff(&Seen::default(), Place::Image)
            .conforms()
    );
}
