//! A sealed image that boots as a node and reports by itself, from its sandbox, to real receivers.
//! It is separate because it takes a machine.

use std::path::Path;
use std::time::{Duration, Instant};

use nodeagent::report::journal::{NOT_PROVED, REPORTED};
use nodeagent::report::machine::APPLICATION;
use serde_json::Value;

use super::document::unfit;
use super::unit::UNIT;
use crate::support::machine::nspawn::Machine;
use crate::support::machine::seed::Seed;
use crate::support::machine::tree::Tree;
use crate::support::machine::{cache, rootfs, run};
use crate::support::offline::{code, command};

/// A site's inventory: keeps what is posted.
const INVENTORY: &str = r#"import http.server
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        open("/run/posted", "wb").write(body)
        self.send_response(204)
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", 8080), Handler).serve_forever()
"#;

/// Services of the test that run beside the node's own. The rig gives its machines no console: a terminal that is
/// recorded stands for it.
const BESIDE: [(&str, &str); 2] = [
    (
        "inventory.service",
        "[Service]\nExecStart=/usr/bin/python3 /usr/local/sbin/inventory.py\n",
    ),
    (
        "console.service",
        "[Unit]\nBefore=nodeagent-report.service\n[Service]\n\
         ExecStart=/usr/bin/script -qfc 'ln -sf $$(tty) /dev/console; exec sleep infinity' /run/console.log\n\
         ExecStartPost=/bin/sh -c 'until [ -e /dev/console ]; do :; done'\n",
    ),
];

/// A node's tree: baked, sealed, and with a seed of its own.
fn sealed(label: &str) -> Tree {
    let stock = rootfs::stock().unwrap();
    let tree = Tree::of_stock(&stock.path, label).unwrap();
    let root = tree.path();
    let policy = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/report");
    let set = "report_url=http://127.0.0.1:8080/nodes";
    let (root_name, policy) = (root.to_str().unwrap(), policy.to_str().unwrap());
    let bake = [
        "--root",
        root_name,
        "bake",
        "--profile",
        "node",
        "--policy",
        policy,
        "--set",
        set,
    ];
    assert_eq!(code(&command(&bake).output().unwrap()), 0);
    let generalize = ["--root", root_name, "generalize"];
    assert_eq!(code(&command(&generalize).output().unwrap()), 0);
    std::fs::write(root.join("usr/local/sbin/inventory.py"), INVENTORY).unwrap();
    for (name, text) in BESIDE {
        let place = "etc/systemd/system";
        std::fs::write(root.join(place).join(name), text).unwrap();
        crate::units::link(&root, place, "multi-user.target", name);
    }
    // A login prompt would take the terminal for itself.
    let getty = root.join("etc/systemd/system/console-getty.service");
    std::os::unix::fs::symlink("/dev/null", getty).unwrap();
    let seed = Seed {
        instance_id: "i-report",
        hostname: "node-a",
        address: "192.0.2.21/24",
        user_data: "",
    };
    seed.write(&root).unwrap();
    tree
}

/// Boots it and waits until the unit is over; it waits for the boot's end itself.
fn booted(tree: &Tree, label: &str) -> Machine {
    let logs = cache::target_dir().join("machines/log");
    let machine = Machine::boot(&tree.path(), label, &logs).unwrap();
    let start = Instant::now();
    while !matches!(
        machine.unit(UNIT, "SubState").unwrap().as_str(),
        "dead" | "failed"
    ) {
        assert!(
            start.elapsed() < Duration::from_mins(2),
            "the report has no end"
        );
        std::thread::sleep(run::TICK);
    }
    machine
}

/// The one message with this identifier.
fn message(machine: &Machine, id: &str) -> Value {
    let matches = format!("MESSAGE_ID={id}");
    let text = machine
        .ok(&["journalctl", "-b", "-o", "json", "--all", &matches])
        .unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    serde_json::from_str(&text).unwrap()
}

fn field<'a>(message: &'a Value, name: &str) -> &'a str {
    message[name]
        .as_str()
        .unwrap_or_else(|| panic!("no {name} in {message}"))
}

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
}
