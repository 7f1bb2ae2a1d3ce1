//! The demo's second half: clones of the image boot as nodes and are asked who they are.
//! Separate because from here on the image is only read.

use crate::{
    agent::{Caller, INSTALLED},
    identity::Identity,
    story::Story,
    summary::{Node, PASSED},
    support::machine::{Result, nspawn::Machine, seed::Seed, tree::Tree},
};
use serde_json::Value;
use std::{
    path::Path,
    thread::sleep,
    time::{Duration, Instant},
};

/// The unit that gates a node's services.
const GATE: &str = "nodeagent-firstboot.service";
/// Where the gate leaves its result.
const RESULT: &str = "/run/nodeagent/firstboot.json";

/// A node as it was found, and who it is.
type Found = (Node, Identity);

/// Boots two clones of the image, and compares who they are with each other and the builder.
pub(crate) fn all(
    story: &mut Story,
    caller: &Caller,
    logs: &Path,
    image: &Tree,
    builder: &Identity,
) -> Result<Vec<Node>> {
    let mut found = Vec::new();
    for (name, address) in [("node-a", "192.0.2.21/24"), ("node-b", "192.0.2.22/24")] {
        let key = name.replace('-', "_");
        found.push(
            story.stage(&key, &format!("{name}: clone, boot, verify"), || {
                let found = one(caller, logs, image, (name, address))?;
                let note = format!(
                    "gate {}, verify exit {}",
                    found.0.firstboot_unit, found.0.verify_exit
                );
                Ok((found, note))
            })?,
        );
    }
    Ok(compare(found, builder))
}

/// One clone's first boot; [`compare`] fills in what needs the other clones.
fn one(caller: &Caller, logs: &Path, image: &Tree, who: (&str, &str)) -> Result<Found> {
    let (name, address) = who;
    let tree = Tree::of_image(image, name)?;
    let instance_id = format!("i-{name}");
    let seed = Seed {
        instance_id: &instance_id,
        hostname: name,
        address,
        user_data: "",
    };
    seed.write(&tree.path())?;
    let machine = Machine::boot(&tree.path(), name, logs)?;
    let firstboot_unit = wait_for_gate(&machine)?;
    let report = caller.machine(
        &machine,
        &format!("verify-{name}"),
        &[INSTALLED, "verify", "--json"],
    )?;
    let node = Node {
        name: name.to_owned(),
        machine_id_differs: false,
        host_keys_differ: false,
        verify_exit: report.exit,
        verify_conforming: report.conforming()?,
        verify_findings: report.findings(),
        firstboot_blocking_ms: blocking_ms(&machine)?,
        firstboot_result: gate_result(&machine)?,
        firstboot_unit,
    };
    let identity = Identity::of(&machine)?;
    machine.power_off()?;
    Ok((node, identity))
}

fn compare(found: Vec<Found>, builder: &Identity) -> Vec<Node> {
    let identities: Vec<Identity> = found.iter().map(|(_, identity)| identity.clone()).collect();
    let judge = |(number, (mut node, identity)): (usize, Found)| {
        let others: Vec<&Identity> = identities
            .iter()
            .enumerate()
            .filter_map(|(other, identity)| (other != number).then_some(identity))
            .chain([builder])
            .collect();
        node.machine_id_differs = identity.machine_id_differs(&others);
        node.host_keys_differ = identity.host_keys_differ(&others);
        node
    };
    found.into_iter().enumerate().map(judge).collect()
}

/// Waits until the gate has decided; it may come after the boot's last unit.
fn wait_for_gate(machine: &Machine) -> Result<String> {
    let start = Instant::now();
    loop {
        let state = machine.unit(GATE, "ActiveState")?;
        let decided = matches!(state.as_str(), "active" | "failed");
        if decided || start.elapsed() > Duration::from_mins(1) {
            return Ok(state);
        }
        sleep(Duration::from_millis(100));
    }
}

/// How long the gate held the boot up, by systemd's own clock.
fn blocking_ms(machine: &Machine) -> Result<f64> {
    let stamp = |name: &str| {
        let text = machine.unit(GATE, name)?;
        text.parse::<u64>()
            .map_err(|e| format!("{GATE} {name}={text:?}: {e}"))
    };
    let start = stamp("ExecMainStartTimestampMonotonic")?;
    let end = stamp("ExecMainExitTimestampMonotonic")?;
    let micros = u32::try_from(end.saturating_sub(start)).map_err(|e| format!("{GATE}: {e}"))?;
    Ok(f64::from(micros) / 1000.0)
}

/// What the gate itself says: passed, or why not.
fn gate_result(machine: &Machine) -> Result<String> {
    let text = machine.read(RESULT)?;
    let json: Value =
        serde_json::from_str(&text).map_err(|e| format!("parsing {RESULT}: {e}\n{text}"))?;
    match json.get("ok").and_then(Value::as_bool) {
        Some(true) => Ok(PASSED.to_owned()),
        Some(false) => Ok(format!(
            "failed: {}",
            json.get("error").unwrap_or(&Value::Null)
        )),
        None => Err(format!("{RESULT} does not say \"ok\": {text}")),
    }
}
