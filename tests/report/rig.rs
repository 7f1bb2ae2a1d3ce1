//! A sealed node with receivers beside it: a server that keeps what is posted, a terminal for a console.
//! It is separate because the tests of booted nodes only look.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

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
pub(super) fn sealed(label: &str) -> Tree {
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
    // A report of the build machine must not become the first one of every node.
    let stale = root.join("var/lib/prometheus/node-exporter/nodeagent.prom");
    std::fs::write(&stale, "stale").unwrap();
    let generalize = ["--root", root_name, "generalize"];
    assert_eq!(code(&command(&generalize).output().unwrap()), 0);
    assert!(!stale.exists());
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
pub(super) fn booted(tree: &Tree, label: &str) -> Machine {
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
pub(super) fn message(machine: &Machine, id: &str) -> Value {
    let matches = format!("MESSAGE_ID={id}");
    let text = machine
        .ok(&["journalctl", "-b", "-o", "json", "--all", &matches])
        .unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    serde_json::from_str(&text).unwrap()
}

pub(super) fn field<'a>(message: &'a Value, name: &str) -> &'a str {
    message[name]
        .as_str()
        .unwrap_or_else(|| panic!("no {name} in {message}"))
}
