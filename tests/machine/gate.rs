//! The gate in booted machines, by the real binary and units: both settings of the policy, and each way to be no node.
//! Separate because here systemd decides whether RKE2 starts, and not a test that reads a verdict.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests arrange trees of the test host, and run programs on them"
)]

mod bench;
mod keys;
mod plug;

use bench::{Setting, image, node};
use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

const SEAL: &str = "etc/packer-build/seal.json";
const ISCSI: &str = "etc/iscsi/initiatorname.iscsi";
const NQN: &str = "etc/nvme/hostnqn";
const HOST_ID: &str = "etc/nvme/hostid";
const KEY: &str = "etc/ssh/ssh_host_ed25519_key";
/// cloud-init would make the keys anew whatever lies there; a site may keep it from that.
const KEEP_KEYS: &str = "ssh_deletekeys: false\n";

/// The build machine had two iSCSI and NVMe names and a machine-id; a clone has one of them again.
fn put_back(paths: &[&'static str]) -> impl Fn(&Path) {
    move |root: &Path| {
        for path in paths {
            let at = root.join(path);
            fs::create_dir_all(at.parent().unwrap()).unwrap();
            let had = root.join("srv/had").join(path);
            fs::copy(&had, &at).unwrap_or_else(|error| panic!("{}: {error}", had.display()));
            let mode = if *path == KEY { 0o600 } else { 0o644 };
            fs::set_permissions(&at, fs::Permissions::from_mode(mode)).unwrap();
        }
    }
}

#[test]
fn a_clone_with_an_identity_of_its_own_starts_rke2() {
    let image = image(Setting::Required, "gate-fine");
    let node = node(&image, "gate-fine-node", "", |_| ());
    assert!(node.rke2_runs(), "{}", node.result());
    assert_eq!(node.gate(), "active");
    let result = node.result();
    let said = node.said();
    assert!(said.contains("identity proved"), "{said}");
    // This machine has no entries of a boot loader, which is no failure.
    assert!(result.contains("identity:boot-entries"), "{result}");
    assert!(!said.contains("failed"), "{said}");
    let guard = node
        .machine
        .unit("nodeagent-hostkeys.service", "ConditionResult");
    assert_eq!(guard.unwrap(), "no", "cloud-init made the keys");
    assert!(
        result.contains("\"ok\": true") && result.contains("\"first\": true"),
        "{result}"
    );
}

#[test]
fn a_clone_with_one_identifier_of_the_build_does_not_and_names_it() {
    let image = image(Setting::Required, "gate-spoiled");
    let cases: [(&str, &str, &[&'static str], &[&str]); 2] = [
        ("gate-id", "", &["etc/machine-id"], &["identity:machine-id"]),
        ("gate-key", KEEP_KEYS, &[KEY], &["identity:ssh-host-keys"]),
    ];
    for (label, user_data, paths, ids) in cases {
        let node = node(&image, label, user_data, put_back(paths));
        node.is_refused(ids);
    }
}

/// Two names at once, because both must be told; then the next step that the gate names is taken.
#[test]
fn a_clone_with_the_build_s_storage_names_starts_rke2_once_they_are_made_anew() {
    let image = image(Setting::Required, "gate-names");
    let node = node(
        &image,
        "gate-names-node",
        "",
        put_back(&[ISCSI, NQN, HOST_ID]),
    );
    node.is_refused(&["identity:iscsi-name", "identity:nvme-host"]);
    let anew = "echo InitiatorName=iqn.1993-08.org.debian:01:node > /etc/iscsi/initiatorname.iscsi; rm /etc/nvme/*";
    node.machine.ok(&["sh", "-ec", anew]).unwrap();
    let units = [
        "systemctl",
        "start",
        "nodeagent-firstboot.service",
        "rke2-server.service",
    ];
    node.machine.ok(&units).unwrap();
    assert!(node.rke2_runs(), "{}", node.result());
}

#[test]
fn an_image_without_a_closed_seal_does_not_start_rke2_in_any_role() {
    let image = image(Setting::Required, "gate-unsealed");
    let node = node(&image, "gate-unsealed-node", "", |root| {
        fs::remove_file(root.join(SEAL)).unwrap();
    });
    node.is_refused(&["there is no seal"]);
    let agent = node
        .machine
        .run(&["systemctl", "start", "rke2-agent.service"]);
    assert_ne!(agent.unwrap().code, 0, "the other role has the gate too");
}

/// As an image that `cloud-init clean --machine-id` made: systemd takes the boot for a first one and enables everything.
#[test]
fn a_clone_whose_presets_enabled_both_roles_starts_neither() {
    let image = image(Setting::Required, "gate-presets");
    let node = node(&image, "gate-presets-node", "", |root| {
        fs::write(root.join("etc/machine-id"), "uninitialized\n").unwrap();
    });
    node.is_refused(&["inventory:exclusive-units"]);
}

#[test]
fn where_a_site_only_wants_to_be_told_rke2_starts_and_the_verdict_is_failed() {
    let image = image(Setting::Reported, "told");
    let spoiled = node(&image, "told-names", "", put_back(&[ISCSI]));
    spoiled.is_told(&["identity:iscsi-name"]);
    drop(spoiled);
    let unsealed = node(&image, "told-unsealed", "", |root| {
        fs::remove_file(root.join(SEAL)).unwrap();
    });
    unsealed.is_told(&["there is no seal"]);
}
