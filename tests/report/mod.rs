//! The report: the document, each sink, and a booted node that reports by itself.
//! It is separate because its judges are the real receivers: journald, promtool, PAM, a server with TLS.

mod booted;
mod document;
mod metrics;
mod outlets;
mod post;
mod rig;
mod server;
mod unit;

use std::collections::BTreeMap;
use std::path::Path;

use nodeagent::host::Host;
use nodeagent::host::systemd::boot::{BootTimes, UnitTimes};
use nodeagent::report::Report;
use nodeagent::report::gather::{Given, gather};

use crate::support::fake::fake_parts;
use crate::support::offline::Mini;

const BOOT: &str = "9f1b7a52-8e0f-4b52-8c4e-1f5a6f0b9d11";
const MACHINE_ID: &str = "00112233445566778899aabbccddeeff";

/// A sealed tree that became a node, with what a boot leaves in /run.
fn node() -> Mini {
    let mini = Mini::new();
    assert_eq!(mini.bake(&[]).status.code(), Some(0));
    assert_eq!(mini.run(&["generalize"]).status.code(), Some(0));
    mini.put("etc/machine-id", &format!("{MACHINE_ID}\n"));
    mini.put("proc/sys/kernel/hostname", "node-a\n");
    mini.put("run/nodeagent/firstboot.json", &proof(true, BOOT));
    mini.put(
        "run/cloud-init/status.json",
        r#"{"v1": {"init-local": {"start": 10.0, "finished": 10.5, "errors": []}}}"#,
    );
    mini
}

fn proof(ok: bool, boot: &str) -> String {
    let error = if ok { "null" } else { "\"there is no seal\"" };
    format!(
        r#"{{"ok":{ok},"first":true,"time":"2026-04-07T11:27:14Z","boot_id":"{boot}","millis":41,"error":{error}}}"#
    )
}

/// A host whose files are the tree's and whose boot is [`BOOT`].
fn host(root: &Path) -> Host {
    let (host, fakes) = fake_parts(root);
    BOOT.clone_into(&mut fakes.kernel.edit().boot_id);
    host
}

fn times() -> BootTimes {
    let up = UnitTimes {
        exists: true,
        active: "active".to_owned(),
        began: 8_000_000,
        up: 9_500_000,
        ..UnitTimes::default()
    };
    BootTimes {
        userspace: 2_000_000,
        finish: 12_345_678,
        units: BTreeMap::from([("rke2-agent.service".to_owned(), up)]),
        ..BootTimes::default()
    }
}

/// The report of a tree.
fn report(root: &Path) -> Report {
    let name = |_: &nodeagent::manifest::Manifest| Ok("rke2-node-v1.34-20260407".to_owned());
    let given = Given {
        times: Ok(times()),
        name: &name,
    };
    gather(&host(root), &given)
}
