//! The units that go into the image: no ordering cycle beside cloud-init's real ones, commands that exist, and a
//! closing unit that really stops last. It is separate because its judges are systemd's own tools.

mod booted;
mod generations;

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::support::machine::tree::Tree;
use crate::support::machine::{rootfs, run};

const OURS: [&str; 4] = [
    "nodeagent-firstboot.service",
    "nodeagent-hostkeys.service",
    "nodeagent-close.service",
    "nodeagent-route.service",
];
pub(crate) const SYSTEM: &str = "usr/lib/systemd/system";

/// A stock root with our units as a bake leaves them, and `program` in place of the binary.
pub(crate) fn tree(label: &str, program: &str) -> Tree {
    tree_of(&rootfs::stock().unwrap().path, label, program)
}

/// [`tree`] of another root than the stock one.
fn tree_of(origin: &Path, label: &str, program: &str) -> Tree {
    let tree = Tree::of_stock(origin, label).unwrap();
    let root = tree.path();
    let system = root.join(SYSTEM);
    for unit in OURS {
        fs::copy(units().join(unit), system.join(unit)).unwrap();
    }
    for rke2 in ["rke2-server", "rke2-agent"] {
        let drop_in = system.join(format!("{rke2}.service.d"));
        fs::create_dir_all(&drop_in).unwrap();
        fs::copy(
            units().join("rke2-gate-required.conf"),
            drop_in.join("50-nodeagent.conf"),
        )
        .unwrap();
        let unit = "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n";
        fs::write(system.join(format!("{rke2}.service")), unit).unwrap();
    }
    program_at(&root.join("usr/bin/nodeagent"), program);
    for (target, unit) in [
        ("multi-user.target", "nodeagent-firstboot.service"),
        ("multi-user.target", "nodeagent-hostkeys.service"),
        ("multi-user.target", "nodeagent-route.service"),
        ("multi-user.target", "rke2-server.service"),
        // As Ubuntu 24.04 has it: sshd started by its socket, which comes before everything ordinary.
        ("sockets.target", "ssh.socket"),
    ] {
        want(&root, target, unit);
    }
    tree
}

/// Makes a target want a unit of the system.
pub(crate) fn want(root: &Path, target: &str, unit: &str) {
    link(root, SYSTEM, target, unit);
}

/// Makes a target want a unit that lies in `place`.
pub(crate) fn link(root: &Path, place: &str, target: &str, unit: &str) {
    let wants = root.join(format!("etc/systemd/system/{target}.wants"));
    fs::create_dir_all(&wants).unwrap();
    let link = wants.join(unit);
    fs::remove_file(&link).unwrap_or_default();
    std::os::unix::fs::symlink(format!("/{place}/{unit}"), link).unwrap();
}

fn program_at(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

pub(crate) fn units() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("units")
}

#[test]
fn the_gate_has_no_condition_and_the_sandbox_is_tight() {
    let gate = fs::read_to_string(units().join("nodeagent-firstboot.service")).unwrap();
    let conditions = gate
        .lines()
        .filter(|l| l.starts_with("Condition") || l.starts_with("Assert"));
    assert_eq!(conditions.count(), 0, "a skipped gate would let RKE2 start");
    assert!(gate.contains("\nRemainAfterExit=yes\n"));
    let mut command = std::process::Command::new("systemd-analyze");
    command
        .args(["security", "--offline=true", "--threshold=25"])
        .arg(units().join(OURS[0]));
    let done = run::run(&mut command, Duration::from_mins(1)).unwrap();
    assert_eq!(done.code, 0, "{}", run::tail(&done.stdout, 3));
}

#[test]
fn the_routers_sandbox_is_tighter_still_and_the_judge_sees_a_hole() {
    let text = fs::read_to_string(units().join("nodeagent-route.service")).unwrap();
    let judged = |text: &str| {
        let dir = tempfile::tempdir().unwrap();
        let unit = dir.path().join("nodeagent-route.service");
        fs::write(&unit, text).unwrap();
        let mut command = std::process::Command::new("systemd-analyze");
        command.args(["security", "--offline=true", "--threshold=20"]);
        run::run(command.arg(unit), Duration::from_mins(1)).unwrap()
    };
    let done = judged(&text);
    assert_eq!(done.code, 0, "{}", run::tail(&done.stdout, 3));
    let hole = text.replace("ProtectSystem=strict\n", "");
    assert_ne!(judged(&hole).code, 0);
    assert!(text.contains("\nType=notify\n") && text.contains("\nBefore=network-online.target"));
}

#[test]
fn every_command_of_a_unit_is_one_of_ours() {
    use clap::Parser as _;
    let mut commands = 0;
    for unit in OURS {
        let text = fs::read_to_string(units().join(unit)).unwrap();
        for line in text.lines() {
            let command = line
                .strip_prefix("ExecStart=")
                .or_else(|| line.strip_prefix("ExecStop="));
            let Some(command) = command.filter(|c| c.starts_with("/usr/bin/nodeagent ")) else {
                continue;
            };
            commands += 1;
            let words = command.split(' ');
            assert!(
                nodeagent::cli::Cli::try_parse_from(words).is_ok(),
                "{unit}: {command}"
            );
        }
    }
    assert_eq!(
        commands, 3,
        "the gate's, the closing unit's and the router's"
    );
    assert!(nodeagent::cli::Cli::try_parse_from(["nodeagent", "no-such-verb"]).is_err());
}
