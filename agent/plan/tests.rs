//! How an item ended: tables.
//! They are separate because the plan itself is nearly a file's length.

use super::*;

/// An item of a diff, as `item` makes it.
fn judged(enforce: bool, diff: Diff<Action>) -> Item {
    Item {
        index: 0,
        id: "x:y".into(),
        phase: Phase::Files,
        reason: String::new(),
        origin: String::new(),
        enforce,
        differences: diff.differences.clone(),
        reboot: diff.reboot.clone(),
        not_applicable: diff.not_applicable.clone(),
        could_not_check: diff.unknown.clone(),
        steps: Vec::new(),
        after: Vec::new(),
        diff,
    }
}

#[test]
fn what_is_only_reported_differs_also_where_a_part_is_unknown() {
    let table = [
        (true, true, true, Ended::Unknown),
        (false, true, true, Ended::Differs),
        (true, false, true, Ended::Differs),
        (false, true, false, Ended::Unknown),
        (true, true, false, Ended::Unknown),
        (true, false, false, Ended::Conforms),
    ];
    for (enforce, unknown, differs, want) in table {
        let mut diff = Diff::default();
        if unknown {
            diff.unknown("a", "b");
        }
        if differs {
            diff.differs("c", "d", "e");
        }
        let item = judged(enforce, diff);
        assert_eq!(item.ended(), want, "{enforce} {unknown} {differs}");
    }
}

#[test]
fn a_boot_is_waited_for_where_nothing_weighs_more() {
    type Add = fn(&mut Diff<Action>);
    let table: [(&str, Add, Ended); 4] = [
        ("alone", |_| {}, Ended::Reboot),
        (
            "a part differs",
            |d| d.differs("c", "d", "e"),
            Ended::Differs,
        ),
        ("a part is unknown", |d| d.unknown("c", "d"), Ended::Unknown),
        ("a part is elsewhere", |d| d.skip("c", "d"), Ended::Reboot),
    ];
    for (case, add, want) in table {
        let mut diff = Diff::default();
        diff.reboot("active", "fips=1 is in the boot entry");
        add(&mut diff);
        assert_eq!(judged(true, diff).ended(), want, "{case}");
    }
}

#[test]
fn what_waits_for_a_boot_is_no_difference_until_it_is_overdue() {
    let mut diff: Diff<Action> = Diff::default();
    diff.reboot("active", "fips=1 is in the boot entry");
    assert!(diff.conforms());
    diff.overdue();
    assert!(!diff.conforms() && diff.reboot.is_empty());
    let told = &diff.differences[0];
    assert_eq!(
        (told.what.as_str(), told.have.as_str(), told.want.as_str()),
        (
            "active",
            "not in effect (fips=1 is in the boot entry)",
            "in effect"
        )
    );
    let mut later: Diff<Action> = Diff::default();
    later.defer("active", "fips=1 is in the boot entry");
    assert!(later.conforms() && later.reboot.is_empty());
    assert!(
        later.not_applicable[0]
            .why
            .starts_with("at the first boot: ")
    );
}
