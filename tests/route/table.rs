//! All cases, run with the source's script and with us, printed as two columns.
//! It is separate because the same judge decides both, and what the script gets right is checked as well as what we do.

use super::lab::{Lab, in_lab};
use super::probe::{doubtful, is_cut_off, reaches};
use super::scenarios::{Scenario, all};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Theirs,
    Ours,
}

#[test]
fn without_rules_the_judge_drops_what_comes_back_another_way() {
    in_lab(|lab| {
        assert!(reaches("cli", "10.0.0.10"), "the lab itself is broken");
        assert!(is_cut_off("cli", "10.1.0.10"), "the judge judges nothing");
        let before = lab.packets_out("eth1");
        assert_eq!(lab.apply(&[]).0, 0);
        assert!(reaches("cli", "10.1.0.10"));
        assert!(
            lab.packets_out("eth1") > before,
            "the answer left by another NIC"
        );
    });
}

#[test]
fn every_case_is_right_with_us_and_as_seen_with_the_script() {
    let mut rows = vec!["no.  script  nodeagent  case".to_owned()];
    let mut wrong = Vec::new();
    for case in all() {
        let (theirs, _) = run(&case, Who::Theirs);
        let (ours, found) = run(&case, Who::Ours);
        let word = |right| if right { "right" } else { "WRONG" };
        rows.push(format!(
            "{:<4} {:<7} {:<10} {}",
            case.number,
            word(theirs),
            word(ours),
            case.name
        ));
        if theirs != case.theirs {
            wrong.push(format!(
                "{}: the script is {} now",
                case.number,
                word(theirs)
            ));
        }
        if !ours {
            wrong.push(format!("{}: we are wrong", case.number));
        }
        if !case.found.is_empty() && found != case.found {
            wrong.push(format!(
                "{}: found {found:#?} instead of {:#?}",
                case.number, case.found
            ));
        }
    }
    println!("{}", rows.join("\n"));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// One case with one of the two: whether it is right, and what of ours is there then.
fn run(case: &Scenario, who: Who) -> (bool, Vec<String>) {
    in_lab(|lab| {
        (case.before)(lab);
        act(case, who, lab, Some(("eth1", "up")));
        let event = (case.event)(lab);
        act(case, who, lab, event);
        lab.settled();
        let holds = match who == Who::Ours || case.theirs {
            true => (case.holds)(lab),
            false => doubtful(|| (case.holds)(lab)),
        };
        (holds, lab.found())
    })
}

fn act(case: &Scenario, who: Who, lab: &Lab, event: Option<(&str, &str)>) {
    lab.settled();
    match (who, event) {
        (Who::Ours, _) => drop(lab.apply(case.flags)),
        (Who::Theirs, Some((interface, action))) => lab.theirs(interface, action),
        (Who::Theirs, None) => {}
    }
}
