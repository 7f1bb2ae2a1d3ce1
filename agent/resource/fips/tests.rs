//! Tables of the judgement: each of the three facts wrong by itself, at each place.
//! They are separate from the kind to keep it within a file's length.

use std::collections::BTreeMap;

use super::*;

const FIPS: Fips = Fips {
    enabled: true,
    mode: Mode::Require,
};

fn set() -> Configured {
    let entry = BootEntry {
        fips: true,
        boot: true,
        initramfs: Some(true),
    };
    Configured {
        policy: Some("FIPS".into()),
        policy_in_effect: Some("FIPS".into()),
        dracut: Some(true),
        separate_boot: true,
        entries: BTreeMap::from([("vmlinuz-5.14".to_owned(), entry)]),
        changed: 100,
    }
}

fn seen(kernel: bool, provider: Option<&str>, booted: i64) -> Seen {
    Seen {
        requested: true,
        family: Family::El,
        configured: Some(set()),
        active: Runtime::Seen(Active {
            kernel,
            provider: provider.map(str::to_owned),
            booted: Some(booted),
        }),
        available: None,
    }
}

/// Differences, reboots and parts that are not applicable, in a word each.
fn told(diff: &Diff<Action>) -> Vec<String> {
    let differs = diff
        .differences
        .iter()
        .map(|d| format!("differs {}", d.what));
    let waits = diff.reboot.iter().map(|r| format!("reboot {}", r.what));
    let skips = diff
        .not_applicable
        .iter()
        .map(|r| format!("skip {}", r.what));
    differs.chain(waits).chain(skips).collect()
}

#[test]
fn active_is_judged_once_all_is_set_up() {
    let table = [
        (seen(true, Some("active"), 200), Place::Build, vec![]),
        (seen(true, Some("active"), 200), Place::Node, vec![]),
        (seen(false, None, 50), Place::Build, vec!["reboot active"]),
        (seen(false, None, 50), Place::Image, vec!["reboot active"]),
        (seen(false, None, 50), Place::Node, vec!["reboot active"]),
        (seen(false, None, 200), Place::Build, vec!["differs kernel"]),
        (
            seen(true, Some("inactive"), 200),
            Place::Build,
            vec!["differs openssl provider fips"],
        ),
        (
            seen(true, Some("not loaded"), 50),
            Place::Node,
            vec!["differs openssl provider fips"],
        ),
    ];
    for (seen, place, want) in table {
        let diff = FIPS.diff(&seen, place);
        assert_eq!(told(&diff), want, "{seen:?} at {place:?}");
        assert!(diff.actions.is_empty(), "no step makes it active");
    }
}

#[test]
fn a_tree_waits_for_its_first_boot() {
    let mut tree = seen(false, None, 0);
    tree.active = Runtime::NotApplicable("the tree is not booted".into());
    for place in [Place::Build, Place::Image] {
        let diff = FIPS.diff(&tree, place);
        assert_eq!(told(&diff), ["skip active"]);
        assert!(
            diff.not_applicable[0]
                .why
                .starts_with("at the first boot: ")
        );
    }
    let node = FIPS.diff(&tree, Place::Node);
    assert_eq!(node.not_applicable[0].why, "the tree is not booted");
    tree.configured = None;
    assert_eq!(told(&FIPS.diff(&tree, Place::Build)), ["skip entry"]);
}

#[test]
fn each_part_of_the_set_up_is_missed() {
    type Spoil = fn(&mut Configured);
    fn each(set: &mut Configured, spoil: fn(&mut BootEntry)) {
        set.entries.values_mut().for_each(spoil);
    }
    let cases: [(&str, Spoil); 7] = [
        ("crypto policy", |c| c.policy = Some("DEFAULT".into())),
        ("crypto policy of the back ends", |c| {
            c.policy_in_effect = None;
        }),
        ("dracut module fips", |c| c.dracut = Some(false)),
        ("boot entries", |c| c.entries.clear()),
        ("boot entry of vmlinuz-5.14", |c| {
            each(c, |e| e.fips = false);
        }),
        ("boot entry of vmlinuz-5.14", |c| {
            each(c, |e| e.boot = false);
        }),
        ("initramfs of vmlinuz-5.14", |c| {
            each(c, |e| e.initramfs = Some(false));
        }),
    ];
    for (part, spoil) in cases {
        let mut found = seen(true, Some("active"), 200);
        spoil(found.configured.as_mut().unwrap());
        found.available = Some(Available::By(Action::FipsModeSetup));
        let diff = FIPS.diff(&found, Place::Build);
        assert_eq!(told(&diff), [format!("differs {part}")]);
        assert_eq!(diff.actions, [Action::FipsModeSetup]);
        let image = FIPS.diff(&found, Place::Image);
        assert!(
            image.actions.is_empty() && !image.conforms(),
            "{part}: sealing sets nothing up"
        );
    }
}

#[test]
fn what_cannot_be_had_is_an_error_or_told_by_the_mode() {
    let mut found = seen(false, None, 200);
    found.configured = Some(Configured::default());
    found.available = Some(Available::No {
        why: "this machine is not attached to Ubuntu Pro".into(),
        next: "an attached one".into(),
    });
    found.family = Family::Ubuntu;
    let strict = FIPS.diff(&found, Place::Build);
    assert_eq!(told(&strict), ["differs boot entries", "differs available"]);
    assert!(strict.actions.is_empty());
    let soft = Fips {
        enabled: true,
        mode: Mode::BestEffort,
    };
    let diff = soft.diff(&found, Place::Build);
    assert_eq!(told(&diff), ["skip entry"]);
    assert!(diff.not_applicable[0].why.contains("not in FIPS mode"));
    let off = Fips {
        enabled: false,
        mode: Mode::Require,
    };
    assert_eq!(told(&off.diff(&found, Place::Build)), ["skip entry"]);
}
