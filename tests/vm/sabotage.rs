//! Clones that are not themselves: each is caught, named, and kept from starting RKE2.
//! Separate from the right ones because here every boot must end with a closed gate.

use super::{
    image::golden,
    lab::{in_lab, said},
};
use crate::support::vm::node::{self, Identity, Told};

/// What is wrong with a clone, and how it shows.
struct Case {
    name: &'static str,
    /// Name of the image's disk.
    image: &'static str,
    /// The user data that spoils it, before any other unit looks.
    user_data: String,
    /// The entry that does not hold; none where there is nothing to compare with.
    finding: Option<&'static str>,
    /// A word of the reason.
    because: &'static str,
}

fn cases() -> Vec<Case> {
    let golden = golden();
    let (id, key) = (golden.fact("machine_id"), golden.fact("host_key"));
    let names = golden.fact("iscsi").lines();
    let name: String = names
        .filter(|line| line.starts_with("InitiatorName="))
        .collect();
    vec![
        Case {
            name: "old-machine-id",
            image: "golden.raw",
            user_data: boot_command(&format!("echo {} > /etc/machine-id", id.trim())),
            finding: Some("identity:machine-id"),
            because: "machine-id",
        },
        Case {
            name: "old-host-key",
            image: "golden.raw",
            user_data: format!(
                "ssh_deletekeys: false\n{}",
                boot_command(&format!(
                    "umask 077; f=/etc/ssh/ssh_host_ed25519_key; cat > $f <<END\n{key}END\nssh-keygen -y -f $f > $f.pub"
                ))
            ),
            finding: Some("identity:ssh-host-keys"),
            because: "ed25519",
        },
        Case {
            name: "old-iscsi-name",
            image: "golden.raw",
            user_data: boot_command(&format!("echo {name} > /etc/iscsi/initiatorname.iscsi")),
            finding: Some("identity:iscsi-name"),
            because: "initiatorname.iscsi",
        },
        Case {
            name: "pending",
            image: "pending.raw",
            user_data: String::new(),
            finding: None,
            because: "pending",
        },
    ]
}

/// A `bootcmd` with one shell script; it runs in cloud-init's network stage, before it makes host keys.
fn boot_command(script: &str) -> String {
    format!("bootcmd:\n  - [sh, -ec, {}]\n", serde_json::json!(script))
}

#[test]
fn a_clone_that_is_not_itself_is_named_and_never_starts_rke2() {
    let golden = golden();
    let cases = cases();
    in_lab("sabotage", |dir| {
        // Two at a time: more would take each other's processors.
        for (two, first) in cases.chunks(2).zip((31..).step_by(2)) {
            let started = two.iter().zip(first..).map(|(case, last)| {
                let uuid = format!("0a1b2c3d-0000-4000-8000-0000000000{last}");
                let who = Identity {
                    name: case.name,
                    uuid: &uuid,
                    last,
                    user_data: &case.user_data,
                };
                node::boot(&golden.guest, &golden.file(case.image), &who, dir).unwrap()
            });
            let mut vms: Vec<_> = started.collect();
            for (case, vm) in two.iter().zip(&mut vms) {
                let told = Told::by(vm).unwrap_or_else(|error| panic!("{error}"));
                refused(case, &told);
                // The console of the cloud says it to whoever cannot log in.
                said(
                    vm,
                    &format!("nodeagent: {}: image ", case.name),
                    "identity NOT proved",
                );
            }
        }
    });
}

/// The gate is closed, says why, and RKE2 was never begun.
fn refused(case: &Case, told: &Told) {
    let name = case.name;
    let gate = told.json("firstboot");
    assert_eq!(gate["ok"], false, "{name}: {gate:#}");
    assert_eq!(told.property("gate", "ActiveState"), "failed", "{name}");
    assert_eq!(told.property("rke2", "ActiveState"), "inactive", "{name}");
    assert_eq!(
        told.property("rke2", "InactiveExitTimestampMonotonic"),
        "0",
        "{name}: RKE2 was started\n{}",
        told.text("journal")
    );
    // This one and no other: a proof that fails for any reason would prove nothing.
    let report = told.json("report");
    let findings = serde_json::json!(Vec::from_iter(case.finding));
    assert_eq!(
        report["verdict"]["findings"], findings,
        "{name}: {report:#}"
    );
    assert!(gate.to_string().contains(case.because), "{name}: {gate:#}");
    assert!(
        told.text("metrics")
            .contains(r#"nodeagent_identity_verdict{verdict="failed"} 1"#),
        "{name}: {}",
        told.text("metrics")
    );
    assert!(
        told.text("motd").contains("identity NOT proved"),
        "{name}: {}",
        told.text("motd")
    );
}
