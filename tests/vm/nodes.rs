//! Two clones boot at the same time, and nobody logs in: who they are, what they route, what they report.
//! Separate from the sabotaged ones because here everything must be right.

use super::{image::golden, lab::in_lab};
use crate::support::{
    machine::run,
    vm::{
        disk,
        node::{self, Identity, Told},
        qemu::{LIMIT, Vm, shell},
    },
};
use std::{collections::BTreeSet, path::Path, process::Command};

const NODES: [Identity<'static>; 2] = [
    Identity {
        name: "node-a",
        uuid: "0a1b2c3d-0000-4000-8000-00000000000a",
        last: 21,
        user_data: "",
    },
    Identity {
        name: "node-b",
        uuid: "0a1b2c3d-0000-4000-8000-00000000000b",
        last: 22,
        user_data: "",
    },
];

#[test]
fn two_clones_are_themselves_and_say_so_without_a_login() {
    let golden = golden();
    in_lab("nodes", |dir| {
        let start = |who| node::boot(&golden.guest, &golden.file("golden.raw"), who, dir).unwrap();
        let mut vms = NODES.each_ref().map(start);
        let told = vms
            .each_mut()
            .map(|vm| Told::by(vm).unwrap_or_else(|error| panic!("{error}")));
        for ((who, told), vm) in NODES.iter().zip(&told).zip(&vms) {
            proved(who, told);
            routed(who, told);
            reported(who, told, vm);
        }
        differ(&told);
        the_judge_judges(&vms[1], &NODES[1], dir);
        for vm in &mut vms {
            vm.press_power().unwrap();
            vm.wait_end().unwrap_or_else(|error| panic!("{error}"));
        }
        on_disk(&NODES[0], &told[0], dir);
    });
}

/// The gate is open, RKE2 is up behind it, and the audit finds nothing.
fn proved(who: &Identity<'_>, told: &Told) {
    let name = who.name;
    let gate = told.json("firstboot");
    assert_eq!(
        (&gate["ok"], &gate["first"]),
        (&true.into(), &true.into()),
        "{name}: {gate}"
    );
    assert!(
        told.text("gate").contains("ActiveState=active"),
        "{name}: {}",
        told.text("gate")
    );
    let journal = told.text("journal");
    assert!(!journal.contains("failed "), "{name}: {journal}");
    assert!(
        told.text("rke2").contains("ActiveState=active"),
        "{name}: {}",
        told.text("journal")
    );
    assert_eq!(
        told.text("state"),
        "running\n",
        "{name}: {}",
        told.text("failed")
    );
    assert_eq!(told.exit("verify"), "0", "{name}: {}", told.text("verify"));
    let (proved, ready) = (
        told.seconds("gate", "ActiveEnterTimestampMonotonic"),
        told.seconds("rke2", "InactiveExitTimestampMonotonic"),
    );
    assert!(
        0.0 < proved && proved <= ready,
        "{name}: RKE2 before the gate"
    );
    // PID 1 makes it of what the hypervisor gives.
    assert_eq!(
        told.text("machine_id").trim(),
        who.uuid.replace('-', ""),
        "{name}"
    );
}

/// What arrives on a NIC is answered by that NIC, or the router drops it.
fn routed(who: &Identity<'_>, told: &Told) {
    let routes = told.text("routes");
    for line in [
        "from 10.1.0.0/24 lookup 21001",
        "to 10.42.0.0/16 lookup main",
        "default via 10.1.0.1 dev eth1",
    ] {
        assert!(
            routes.contains(line),
            "{}: no {line:?} in\n{routes}",
            who.name
        );
    }
    assert_eq!(told.exit("route"), "0", "{}", told.text("route"));
    for nic in 0..2 {
        let greeting = node::greeting(&format!("10.{nic}.0.{}", who.last)).unwrap();
        assert!(
            greeting.starts_with("SSH-2.0-"),
            "{}: eth{nic} does not answer: {greeting:?}",
            who.name
        );
    }
}

fn reported(who: &Identity<'_>, told: &Told, vm: &Vm) {
    let report = told.json("report");
    assert_eq!(report["verdict"]["result"], "proved", "{report:#}");
    assert_eq!(report["image"]["seal"], "closed", "{report:#}");
    assert_eq!(report["image"]["as_sealed"], true, "{report:#}");
    assert_eq!(report["boot"]["finished"], true, "{report:#}");
    let milestones = report["boot"]["milestones"].as_array().unwrap();
    for wanted in [
        "userspace",
        "cloud-init-network",
        "network-online",
        "route-ready",
        "firstboot-proved",
        "rke2-ready",
        "finish",
    ] {
        let reached = milestones
            .iter()
            .any(|point| point["name"] == wanted && point["micros"].as_u64() > Some(0));
        assert!(reached, "{}: no time of {wanted}: {report:#}", who.name);
    }
    let digest = nodeagent::host::root::sha256(golden().fact("manifest").as_bytes());
    let line = format!("nodeagent: {}: image rke2-node-v1.28-", who.name);
    let console = vm.console();
    let line = console
        .lines()
        .find(|found| found.contains(&line))
        .unwrap_or_else(|| panic!("{}", vm.told("no report")));
    for part in [
        &format!("sha256:{digest}"),
        "identity proved",
        "rke2-ready after",
    ] {
        assert!(line.contains(part), "no {part:?} in {line:?}");
    }
    assert!(
        told.text("metrics")
            .contains("nodeagent_boot_milestone_seconds{milestone=\"rke2-ready\"}")
    );
    assert!(
        told.text("motd").contains("identity proved"),
        "{}",
        told.text("motd")
    );
}

/// No identifier of one is another's or the builder's.
fn differ(told: &[Told; 2]) {
    let golden = golden();
    let key = std::env::temp_dir().join(format!("builder-{}.pub", std::process::id()));
    std::fs::write(&key, golden.fact("host_key_pub")).unwrap();
    let builder = run::ok(Command::new("ssh-keygen").arg("-lf").arg(&key), LIMIT).unwrap();
    std::fs::remove_file(&key).unwrap();
    let mut texts = vec![builder];
    texts.extend(told.iter().map(|told| told.text("host_keys").to_owned()));
    let prints: Vec<&str> = texts
        .iter()
        .flat_map(|text| text.lines())
        .filter_map(|line| line.split(' ').nth(1))
        .collect();
    let distinct: BTreeSet<&&str> = prints.iter().collect();
    assert_eq!(prints.len(), distinct.len(), "{prints:?}");
    // One of the builder, two of each node.
    assert_eq!(prints.len(), 5, "{texts:?}");
    let ids = [
        golden.fact("machine_id"),
        told[0].text("machine_id"),
        told[1].text("machine_id"),
    ];
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 3, "{ids:?}");
    let digest = |told: &Told| told.json("report")["machine"].as_str().unwrap().to_owned();
    assert_ne!(digest(&told[0]), digest(&told[1]));
}

/// Without our routing the same question is not answered: the router does drop what comes by the wrong way.
fn the_judge_judges(vm: &Vm, who: &Identity<'_>, dir: &Path) {
    let address = format!("10.1.0.{}", who.last);
    // The cloud's key opens the account that the cloud's user data made; everything before went without it.
    let at = format!("debian@10.0.0.{}", who.last);
    let ssh = |script: &str| {
        let script = format!("sudo -n sh -ec '{script}'");
        let mut command = shell(&dir.join("key"), &at, 22, &script);
        run::ok(&mut command, LIMIT).unwrap_or_else(|error| panic!("{}", vm.told(&error)))
    };
    ssh("systemctl stop nodeagent-route; nodeagent route flush");
    assert_eq!(
        node::greeting(&address).unwrap(),
        "",
        "answered by eth0, and the router let it pass"
    );
    ssh("systemctl start nodeagent-route");
    assert!(node::greeting(&address).unwrap().starts_with("SSH-2.0-"));
}

/// What the node said is what its disk holds.
fn on_disk(who: &Identity<'_>, told: &Told, dir: &Path) {
    let raw = dir.join("node.raw");
    disk::flatten(&dir.join(format!("{}.qcow2", who.name)), &raw).unwrap();
    let disk = disk::Mounted::new(&raw, false).unwrap();
    assert_eq!(
        disk.read("etc/machine-id").unwrap(),
        told.text("machine_id")
    );
    // The stamp, by which the next boot knows that this is the same machine.
    assert!(
        disk.root()
            .join("var/lib/nodeagent/firstboot.json")
            .exists()
    );
}
