//! The unit kind's decisions as tables.
//! It is separate because the tables are longer than what they judge.

use super::*;

fn unit(enabled: &str, active: &str, missing: &str) -> Unit {
    let some = |word: &str| (!word.is_empty()).then(|| word.to_owned());
    Unit {
        name: "u".into(),
        enabled: some(enabled),
        active: some(active),
        active_place: default_active_place(),
        missing: some(missing),
    }
}

fn seen(enablement: &str, active: &str) -> Seen {
    Seen {
        state: UnitState {
            exists: !enablement.is_empty(),
            enablement: enablement.into(),
            active: (active != "-").then(|| active.into()),
            need_reload: active == "stale",
            unmet: None,
        },
        manager: active != "-",
        container: false,
    }
}

fn steps(unit: &Unit, seen: &Seen, place: Place) -> (usize, String) {
    let diff = unit.diff(seen, place);
    let steps: Vec<_> = diff.actions.iter().map(ToString::to_string).collect();
    (diff.differences.len(), steps.join(", "))
}

#[test]
fn steps_follow_from_what_is_and_what_is_wanted() {
    let table = [
        ("enabled", "", "enabled", "-", 0, ""),
        ("enabled", "", "alias", "-", 0, ""),
        ("enabled", "", "enabled-runtime", "-", 1, "enable u"),
        ("enabled", "", "disabled", "-", 1, "enable u"),
        ("enabled", "", "static", "-", 1, ""),
        ("enabled", "", "masked", "-", 1, "unmask u, enable u"),
        ("enabled", "", "", "-", 2, "enable u"),
        ("disabled", "", "static", "-", 0, ""),
        ("disabled", "", "masked", "-", 1, "unmask u, disable u"),
        ("disabled", "", "enabled", "-", 1, "disable u"),
        ("masked", "", "enabled", "-", 1, "mask u"),
        ("masked", "", "masked-runtime", "-", 1, "mask u"),
        ("masked", "", "", "-", 1, "mask u"),
        ("", "started", "static", "active", 0, ""),
        ("", "started", "static", "inactive", 1, "start u"),
        ("", "started", "static", "activating", 1, "start u"),
        ("", "started", "static", "-", 0, ""),
        ("", "stopped", "static", "failed", 0, ""),
        ("", "stopped", "static", "deactivating", 1, "stop u"),
        (
            "masked",
            "stopped",
            "enabled",
            "active",
            2,
            "mask u, stop u",
        ),
        (
            "enabled",
            "started",
            "masked",
            "stale",
            3,
            "unmask u, enable u, daemon-reload, start u",
        ),
    ];
    for (enabled, active, have, runs, differences, want) in table {
        let found = steps(&unit(enabled, active, ""), &seen(have, runs), Place::Build);
        assert_eq!(
            found,
            (differences, want.to_owned()),
            "{enabled} {active} {have} {runs}"
        );
    }
}

#[test]
fn activity_is_asked_only_where_it_is_expected_and_possible() {
    let stopped = unit("", "started", "");
    assert_eq!(
        steps(&stopped, &seen("static", "inactive"), Place::Image),
        (0, String::new())
    );
    let offline = stopped.diff(&seen("static", "-"), Place::Node);
    assert_eq!(
        (offline.not_applicable.len(), offline.conforms()),
        (1, true)
    );
    // What was not looked at as a whole must not count as conforming; a unit that is enabled was looked at.
    let elsewhere = stopped.diff(&seen("static", "inactive"), Place::Image);
    for diff in [&offline, &elsewhere] {
        assert_eq!(diff.not_applicable[0].what, ENTRY);
    }
    let both = unit("enabled", "started", "").diff(&seen("enabled", "-"), Place::Node);
    assert_eq!(both.not_applicable[0].what, "active");
}

#[test]
fn an_unmet_condition_is_named_and_excuses_only_a_container() {
    let mut found = seen("enabled", "inactive");
    found.state.unmet = Some("ConditionCapability=CAP_SYS_TIME".into());
    let diff = unit("", "started", "").diff(&found, Place::Node);
    assert!(!diff.conforms() && diff.differences[0].have.contains("CAP_SYS_TIME"));
    found.container = true;
    let diff = unit("", "started", "").diff(&found, Place::Node);
    assert!(diff.conforms() && diff.not_applicable[0].why.contains("CAP_SYS_TIME"));
    let stopped = unit("", "stopped", "").diff(&found, Place::Node);
    assert!(stopped.conforms() && stopped.not_applicable.is_empty());
}

#[test]
fn a_missing_unit_is_fine_only_where_the_policy_says_so() {
    for (enabled, active, missing, conforms) in [
        ("disabled", "stopped", "fine", true),
        ("masked", "", "fine", true),
        ("enabled", "", "fine", false),
        ("", "started", "fine", false),
        ("disabled", "", "error", false),
        ("disabled", "", "", false),
    ] {
        let diff = unit(enabled, active, missing).diff(&seen("", "inactive"), Place::Build);
        assert_eq!(diff.conforms(), conforms, "{enabled} {active} {missing}");
    }
}
