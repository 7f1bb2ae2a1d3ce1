//! Proves that every fact of the summary can fail, and that the story and the file keep their form.
//! Separate from `summary` because the table of spoiled facts is longer than what it tests.

use super::*;

fn fine() -> Summary {
    let node = |name: &str| Node {
        name: name.to_owned(),
        machine_id_differs: true,
        host_keys_differ: true,
        verify_exit: 0,
        verify_conforming: 140,
        verify_findings: Vec::new(),
        firstboot_blocking_ms: 12.5,
        firstboot_result: "passed".to_owned(),
        firstboot_unit: "active".to_owned(),
    };
    Summary {
        binary_bytes: 4_200_000,
        plan: Plan { exit: 3 },
        first_bake: Bake {
            changes: 40,
            seconds: 9.0,
        },
        second_bake: Bake {
            changes: 0,
            seconds: 0.2,
        },
        sealed: Sealed {
            state: "closed".to_owned(),
            verify_exit: 0,
            verify_conforming: 120,
            verify_findings: Vec::new(),
            builder_traces: Vec::new(),
        },
        clones: vec![node("node-a"), node("node-b")],
        seconds: BTreeMap::new(),
    }
}

#[test]
fn every_fact_can_be_wrong() {
    type Spoil = fn(&mut Summary);
    assert_eq!(fine().wrong(), Vec::<String>::new());
    let table: [(&str, Spoil); 14] = [
        ("the binary is empty", |s| s.binary_bytes = 0),
        ("plan on a fresh machine: exit 0", |s| s.plan.exit = 0),
        ("the first bake", |s| s.first_bake.changes = 0),
        ("the second bake made 1", |s| s.second_bake.changes = 1),
        ("the seal is \"pending\"", |s| {
            "pending".clone_into(&mut s.sealed.state);
        }),
        ("the image: verify: exit 3", |s| s.sealed.verify_exit = 3),
        ("build machine: etc/hosts", |s| {
            s.sealed.builder_traces = vec!["etc/hosts".to_owned()];
        }),
        ("1 clones", |s| s.clones.truncate(1)),
        ("node-b: its machine-id", |s| {
            s.clones[1].machine_id_differs = false;
        }),
        ("node-a: its SSH", |s| s.clones[0].host_keys_differ = false),
        ("node-b: verify: exit 1", |s| s.clones[1].verify_exit = 1),
        ("gate is \"failed\"", |s| {
            "failed".clone_into(&mut s.clones[0].firstboot_unit);
        }),
        ("node-b: first boot failed: no seal", |s| {
            "failed: no seal".clone_into(&mut s.clones[1].firstboot_result);
        }),
        ("took no time", |s| s.clones[0].firstboot_blocking_ms = 0.0),
    ];
    for (wanted, spoil) in table {
        let mut summary = fine();
        spoil(&mut summary);
        let wrong = summary.wrong();
        assert_eq!(wrong.len(), 1, "{wanted}: {wrong:?}");
        assert!(wrong[0].contains(wanted), "{wanted}: {wrong:?}");
    }
}

#[test]
fn story_fits_80_columns_and_the_file_keeps_its_names() {
    let told = fine().told();
    assert!(
        told.lines().all(|line| line.chars().count() <= 80),
        "{told}"
    );
    assert!(
        told.contains("40 changes in 9.0 s; baked again: 0 changes in 0.20 s"),
        "{told}"
    );
    assert!(
        told.contains("seal closed; 120 facts hold; 0 files"),
        "{told}"
    );
    let json = serde_json::to_value(fine()).unwrap();
    for name in [
        "/binary_bytes",
        "/first_bake/changes",
        "/second_bake/changes",
        "/second_bake/seconds",
        "/sealed/verify_exit",
        "/clones/1/machine_id_differs",
        "/clones/1/host_keys_differ",
        "/clones/1/verify_exit",
        "/clones/1/firstboot_blocking_ms",
        "/seconds",
    ] {
        assert!(json.pointer(name).is_some(), "{name}");
    }
}
