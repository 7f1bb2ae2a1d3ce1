//! The units that go into the image: no ordering cycle beside cloud-init's real ones, commands that exist, and a
//! closing unit that really stops last. It is separate because its judges are systemd's own tools.

mod booted;

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
/// The order of multipath-tools' daemon, which a container skips: it comes before file systems are mounted.
const MULTIPATHD: &str = "[Unit]\nDefaultDependencies=no\nAfter=systemd-remount-fs.service\nBefore=local-fs-pre.target shutdown.target\n\
    Conflicts=shutdown.target\n[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=sysinit.target\n";
pub(crate) const SYSTEM: &str = "usr/lib/systemd/system";

/// A stock root with our units as a bake leaves them, and `program` in place of the binary.
pub(crate) fn tree(label: &str, program: &str) -> Tree {
    let stock = rootfs::stock().unwrap();
    let tree = Tree::of_stock(&stock.path, label).unwrap();
    let root = tree.path();
    let system = root.join(SYSTEM);
    for unit in OURS {
        fs::copy(units().join(unit), system.join(unit)).unwrap();
    }
    for rke2 in ["rke2-server", "rke2-agent"] {
        let drop_in = system.join(format!("{rke2}.service.d"));
        fs::create_dir_all(&drop_in).unwrap();
        fs::copy(
            units().join("rke2-gate.conf"),
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

/// What systemd says of a whole boot with our units; empty when it has nothing to say.
fn verify(root: &Path) -> String {
    let mut command = std::process::Command::new("systemd-analyze");
    command
        .args(["verify", "--man=no", "--generators=no"])
        .arg(format!("--root={}", root.display()));
    command.arg("multi-user.target").args(OURS);
    let done = run::run(&mut command, Duration::from_mins(1)).unwrap();
    assert!(
        done.code == 0 || !done.stderr.is_empty(),
        "exit {} without a word",
        done.code
    );
    done.stderr
}

#[test]
fn units_are_in_no_cycle_and_the_same_check_finds_seeded_ones() {
    let tree = tree("units", "#!/bin/sh\n");
    let root = tree.path();
    // As cloud-init's generator leaves it where there is a datasource.
    want(&root, "multi-user.target", "cloud-init.target");
    fs::write(root.join(SYSTEM).join("multipathd.service"), MULTIPATHD).unwrap();
    want(&root, "sysinit.target", "multipathd.service");
    // What the generator for /etc/fstab brings in.
    want(&root, "local-fs.target", "local-fs-pre.target");
    assert_eq!(verify(&root), "");
    for (unit, from, to) in [
        (
            "nodeagent-firstboot.service",
            "After=cloud-config.target",
            "After=cloud-final.service",
        ),
        (
            "nodeagent-firstboot.service",
            "After=cloud-config.target",
            "After=cloud-init.target",
        ),
        ("nodeagent-hostkeys.service", "DefaultDependencies=no\n", ""),
        (
            "nodeagent-close.service",
            "After=local-fs.target",
            "After=multi-user.target",
        ),
        (
            "nodeagent-close.service",
            "Before=auditd.service",
            "Before=multipathd.service",
        ),
        (
            "nodeagent-route.service",
            "After=dbus.socket",
            "After=network-online.target",
        ),
    ] {
        let path = root.join(SYSTEM).join(unit);
        let text = fs::read_to_string(&path).unwrap();
        let wrong = text.replace(from, to);
        assert_ne!(text, wrong, "{unit} has no {from}");
        fs::write(&path, wrong).unwrap();
        let said = verify(&root);
        assert!(
            said.contains("ordering cycle"),
            "{unit} with {to:?}: {said:?}"
        );
        fs::write(&path, text).unwrap();
    }
    fs::remove_file(root.join("usr/bin/nodeagent")).unwrap();
    assert!(
        verify(&root).contains("nodeagent is not executable"),
        "{}",
        verify(&root)
    );
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
