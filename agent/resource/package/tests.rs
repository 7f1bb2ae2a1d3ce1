//! The package kind's decisions as a table.
//! It is separate because the table is longer than what it judges.

use super::*;

fn package(edit: impl FnOnce(&mut Package)) -> Package {
    let mut package = Package {
        name: "p".into(),
        version: None,
        min: None,
        max: None,
        hold: false,
        offline: None,
    };
    edit(&mut package);
    package
}

fn seen(held: bool, unmet: &[&'static str]) -> Seen {
    Seen {
        installed: Some(Installed {
            version: "2".into(),
            arch: "amd64".into(),
            held,
            complete: true,
        }),
        unmet: unmet.to_vec(),
        interrupted: None,
    }
}

fn absent() -> Seen {
    Seen {
        installed: None,
        ..seen(false, &[])
    }
}

#[test]
fn differences_and_steps_follow_the_wanted_state() {
    let plain = package(|_| {});
    let exact = package(|p| p.version = Some("1".into()));
    let min = package(|p| p.min = Some("3".into()));
    let max = package(|p| p.max = Some("1".into()));
    let hold = package(|p| p.hold = true);
    let torn = Seen {
        interrupted: Some("x".into()),
        ..seen(false, &[])
    };
    let held_min = package(|p| {
        p.min = Some("3".into());
        p.hold = true;
    });
    let table: [(&Package, Seen, usize, &[&str]); 12] = [
        (&held_min, seen(true, &["min"]), 1, &["install p", "hold p"]),
        (&plain, seen(false, &[]), 0, &[]),
        (&plain, absent(), 1, &["install p"]),
        (&plain, seen(true, &[]), 1, &["release p"]),
        (
            &plain,
            torn,
            1,
            &["finish the interrupted package transaction"],
        ),
        (&exact, absent(), 1, &["install p 1"]),
        (&exact, seen(false, &["version"]), 1, &["install p 1"]),
        (&min, seen(false, &["min"]), 1, &["install p"]),
        (&max, seen(false, &["max"]), 1, &[]),
        (&max, seen(false, &[]), 0, &[]),
        (&hold, absent(), 2, &["install p", "hold p"]),
        (&hold, seen(true, &[]), 0, &[]),
    ];
    for (wanted, seen, differences, steps) in table {
        let diff = wanted.diff(&seen, Place::Build);
        let shown: Vec<_> = diff.actions.iter().map(ToString::to_string).collect();
        assert_eq!(
            (diff.differences.len(), shown.as_slice()),
            (
                differences,
                &steps.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>()[..]
            ),
            "{wanted:?} {seen:?}"
        );
    }
}
