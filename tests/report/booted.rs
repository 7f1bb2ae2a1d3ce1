//! A sealed image that boots as a node and reports by itself, from its sandbox, to real receivers.
//! It is separate because it takes a machine.

use nodeagent::report::journal::{NOT_PROVED, REPORTED};
use nodeagent::report::machine::APPLICATION;
use serde_json::Value;

use super::document::unfit;
use super::rig::{booted, field, message, sealed};
use super::unit::UNIT;
use crate::support::machine::nspawn::Machine;

#[test]
fn a_node_reports_to_every_receiver_and_no_login_is_needed() {
    let tree = sealed("report");
    let machine = booted(&tree, "report");
    let units = "journalctl -b -u 'nodeagent-*' -u console -u inventory; ls -l /dev/console";
    let log = machine.ok(&["sh", "-c", units]).unwrap();
    assert_eq!(machine.unit(UNIT, "ExecMainStatus").unwrap(), "0", "{log}");
    assert_eq!(machine.unit(UNIT, "Before").unwrap(), "shutdown.target");

    let told = message(&machine, REPORTED);
    assert_eq!(field(&told, "_SYSTEMD_UNIT"), UNIT);
    assert_eq!(field(&told, "NODEAGENT_VERDICT"), "proved");
    assert_eq!(field(&told, "NODEAGENT_IMAGE_NAME"), "site-node-20231114");
    let sum = machine
        .ok(&["sha256sum", "/etc/packer-build/image-manifest.json"])
        .unwrap();
    let digest = format!("sha256:{}", &sum[..64]);
    assert_eq!(field(&told, "NODEAGENT_IMAGE_MANIFEST"), digest);
    machine_is_told_by_digest(&machine, field(&told, "NODEAGENT_MACHINE"));

    let text = field(&told, "NODEAGENT_REPORT");
    let document: Value = serde_json::from_str(text).unwrap();
    assert_eq!(unfit(&document), Vec::<String>::new());
    assert_eq!(document["host"], "node-a");
    assert_eq!(document["missing"], serde_json::json!([]));
    assert_eq!(document["cloud_init"]["finished"], true);
    times_are_systemds_own(&machine, &document);
    assert_eq!(
        machine.read("/run/posted").unwrap(),
        text,
        "what the inventory got"
    );
    let record: Value =
        serde_json::from_str(&machine.read("/run/nodeagent/report.json").unwrap()).unwrap();
    assert_eq!(record, document);

    let metrics = machine
        .read("/var/lib/prometheus/node-exporter/nodeagent.prom")
        .unwrap();
    assert_eq!(super::metrics::faults(&metrics), "");
    assert!(metrics.contains("nodeagent_identity_verdict{verdict=\"proved\"} 1\n"));
    let labels = machine
        .read("/etc/kubernetes/node-feature-discovery/features.d/nodeagent")
        .unwrap();
    assert!(
        labels.contains("nodeagent-image=site-node-20231114\n"),
        "{labels}"
    );
    let console = machine.read("/run/console.log").unwrap();
    let line = format!("nodeagent: node-a: image site-node-20231114, {digest}, identity proved");
    assert!(console.contains(&line), "{console}");
    login_shows_it(&machine);
    let issue = machine.ok(&[
        "sh",
        "-c",
        "cat /etc/issue* /run/issue* /run/issue.d/* 2>&1",
    ]);
    assert!(!issue.unwrap_or_default().contains("site-node"));

    let id = machine.read("/etc/machine-id").unwrap();
    let everything = format!("{text}{metrics}{labels}{console}{told}");
    let told_id = format!("\"_MACHINE_ID\":\"{}\"", id.trim());
    assert!(
        !everything.replace(&told_id, "").contains(id.trim()),
        "journald alone adds it"
    );
}

/// systemd's own tool makes the same digest of the machine-id.
fn machine_is_told_by_digest(machine: &Machine, told: &str) {
    let application: String = APPLICATION
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let own = machine.ok(&[
        "systemd-id128",
        "machine-id",
        "--app-specific",
        &application,
    ]);
    assert_eq!(own.unwrap().trim(), told);
}

fn times_are_systemds_own(machine: &Machine, document: &Value) {
    let manager = |name: &str| -> u64 {
        let text = machine
            .ok(&["systemctl", "show", "--value", "--property", name])
            .unwrap();
        text.trim().parse().unwrap()
    };
    let zero = manager("UserspaceTimestampMonotonic");
    assert_eq!(document["boot"]["origin"], "container");
    assert_eq!(
        document["boot"]["finished"], true,
        "the unit holds the boot up"
    );
    let told = |name: &str| -> u64 {
        let points = document["boot"]["milestones"].as_array().unwrap();
        let point = points.iter().find(|point| point["name"] == name).unwrap();
        point["micros"]
            .as_u64()
            .unwrap_or_else(|| panic!("{point}"))
    };
    assert_eq!(told("finish"), manager("FinishTimestampMonotonic") - zero);
    for (name, unit, property) in [
        ("multi-user", "multi-user.target", "ActiveEnter"),
        (
            "firstboot-proved",
            "nodeagent-firstboot.service",
            "ActiveEnter",
        ),
        (
            "firstboot-start",
            "nodeagent-firstboot.service",
            "InactiveExit",
        ),
        ("cloud-init-network", "cloud-init.service", "ActiveEnter"),
        ("cloud-init-final", "cloud-final.service", "ActiveEnter"),
        (
            "cloud-init-local-start",
            "cloud-init-local.service",
            "InactiveExit",
        ),
    ] {
        let own = machine
            .unit(unit, &format!("{property}TimestampMonotonic"))
            .unwrap();
        assert_eq!(told(name), own.parse::<u64>().unwrap() - zero, "{name}");
    }
    let text = document["boot"].to_string();
    assert!(
        text.contains("there is no rke2-server.service and no rke2-agent.service"),
        "{text}"
    );
}

/// PAM's own module, as a login on a terminal runs it.
fn login_shows_it(machine: &Machine) {
    let login =
        "useradd -s /bin/true guest; timeout 20 script -qec 'login -f guest' /dev/null < /dev/null";
    let shown = machine.ok(&["sh", "-c", login]).unwrap();
    assert!(
        shown.contains("Image: site-node-20231114; identity proved."),
        "{shown}"
    );
}

#[test]
fn a_node_that_is_not_proved_reports_that() {
    let tree = sealed("report-bad");
    let record = tree.path().join("etc/packer-build/bake-record.json");
    let text = std::fs::read_to_string(&record).unwrap();
    std::fs::write(&record, format!("{text}\n")).unwrap();
    let machine = booted(&tree, "report-bad");
    assert_eq!(
        machine
            .unit("nodeagent-firstboot.service", "ActiveState")
            .unwrap(),
        "failed"
    );
    assert_eq!(machine.unit(UNIT, "ExecMainStatus").unwrap(), "0");
    let told = message(&machine, NOT_PROVED);
    assert_eq!(field(&told, "PRIORITY"), "3");
    assert!(field(&told, "NODEAGENT_VERDICT_WHY").contains("not the record that was sealed"));
    let posted: Value = serde_json::from_str(&machine.read("/run/posted").unwrap()).unwrap();
    assert_eq!(posted["verdict"]["result"], "failed");
    let metrics = machine
        .read("/var/lib/prometheus/node-exporter/nodeagent.prom")
        .unwrap();
    assert!(metrics.contains("nodeagent_identity_verdict{verdict=\"failed\"} 1\n"));
    // A receiver that is gone is told in the journal, and the next report goes on to the others.
    machine
        .ok(&[
            "sh",
            "-ec",
            "systemctl stop inventory; rm /run/motd.d/50-nodeagent",
        ])
        .unwrap();
    let again = machine
        .run(&[
            "nodeagent",
            "report",
            "--to",
            "journal,motd,nfd",
            "--nfd-dir",
            "/proc/none",
        ])
        .unwrap();
    assert_eq!(again.code, 1, "{}", again.stderr);
    let motd = machine.read("/run/motd.d/50-nodeagent").unwrap();
    assert!(motd.contains("NOT proved"), "{motd} {}", again.stderr);
    let failed = message(&machine, nodeagent::report::journal::NOT_HANDED_ON);
    assert_eq!(field(&failed, "NODEAGENT_SINK"), "nfd");
    // A machine that is to become an image is no node.
    machine
        .ok(&[
            "sh",
            "-ec",
            "rm /run/posted; touch /etc/nodeagent/build-machine",
        ])
        .unwrap();
    machine.ok(&["systemctl", "start", UNIT]).unwrap();
    assert_eq!(machine.unit(UNIT, "ConditionResult").unwrap(), "no");
}
