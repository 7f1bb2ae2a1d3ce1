//! The shell lines of the other side: the bake that reboots when it exits 6, and the judge of exported images.
//! It is separate because they run for an hour in a real build; here each program they call is a few lines long.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::{source, text};
use crate::support::machine::run::{Done, run};

/// Writes a program into a folder.
fn program(dir: &Path, name: &str, lines: &str) {
    let path = dir.join(name);
    std::fs::write(&path, format!("#!/bin/sh\n{lines}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

fn with_path(command: &mut Command, dir: &Path) -> Done {
    command.env("PATH", format!("{}:/usr/bin:/bin", dir.display()));
    run(command, Duration::from_secs(20)).unwrap()
}

/// The lines of `bake_and_reboot` in a template, with another program in the bake's place.
fn bake_and_reboot(template: &str, bake: &str) -> String {
    let text = text(template);
    let list = text.split_once("bake_and_reboot = [").unwrap().1;
    let list = list.split_once("\n  ]").unwrap().0;
    let lines = list.lines().map(|l| l.trim().trim_end_matches(','));
    let lines = lines.filter_map(|l| l.strip_prefix('"')?.strip_suffix('"'));
    let script: Vec<&str> = lines.collect();
    assert_eq!(script.len(), 3, "{template}");
    script.join("\n").replace("${local.bake}", bake)
}

#[test]
fn a_bake_in_packer_reboots_on_exit_6_alone_and_hands_on_every_other_exit() {
    for template in [
        "packaging/packer/qemu.pkr.hcl",
        "packaging/packer/ubuntu2204.pkr.hcl",
    ] {
        // (exit of the bake, exit of the step, rebooted)
        for (bake, step, rebooted) in [(0, 0, false), (1, 1, false), (2, 2, false), (6, 0, true)] {
            let dir = tempfile::tempdir().unwrap();
            program(dir.path(), "bake", &format!("exit {bake}"));
            // A reboot ends whatever runs by SIGTERM, a moment later.
            let reboot = "touch $(dirname $0)/rebooted; (sleep 0.2; kill $PPID) &";
            program(
                dir.path(),
                "systemctl",
                &format!("[ \"$*\" = reboot ] || exit 9; {reboot}"),
            );
            // The one that waits for the reboot must not outlive the test.
            program(dir.path(), "sleep", "exec /bin/sleep 3");
            let script = bake_and_reboot(template, "bake");
            let mut sh = Command::new("sh");
            let done = with_path(sh.args(["-eu", "-c", &script]), dir.path());
            let found = dir.path().join("rebooted").exists();
            assert_eq!((done.code, found), (step, rebooted), "{template}: {bake}");
        }
    }
}

#[test]
fn the_steps_of_both_packer_templates_are_the_same() {
    let build = |template: &str| {
        let text = text(template).replace("${var.profile}", "PROFILE");
        let text = text.replace("rke2-ubuntu2204", "PROFILE");
        let from = text.find("  provisioner").unwrap();
        let to = text.find("image-manifest.json").unwrap();
        let set = text.find("  # A quote").unwrap();
        let end = text.find("\nsource ").unwrap();
        (text[from..to].to_owned(), text[set..end].to_owned())
    };
    assert_eq!(
        build("packaging/packer/qemu.pkr.hcl"),
        build("packaging/packer/ubuntu2204.pkr.hcl")
    );
}

#[test]
fn an_exported_image_is_judged_by_the_exit_code_of_verify() {
    for (verify, mount, want) in [(0, 0, 0), (3, 0, 3), (1, 0, 1), (0, 1, 1)] {
        let dir = tempfile::tempdir().unwrap();
        program(
            dir.path(),
            "guestmount",
            &format!("[ $5 ] || exit 9; touch $5/etc; exit {mount}"),
        );
        program(dir.path(), "guestunmount", "rm $1/etc");
        let agent = format!(
            "test -e $2/etc || exit 8\ncase \"$1 $3 $4 $5\" in\n'--root verify --place image') exit {verify} ;;\n'--root manifest --json ') echo sealed ;;\n*) exit 9 ;;\nesac"
        );
        program(dir.path(), "agent", &agent);
        let brought = dir.path().join("node.manifest.json");
        std::fs::write(&brought, "pending\n").unwrap();
        let mut script = Command::new(source("packaging/verify-image"));
        script.arg("image.qcow2").arg("agent").arg(&brought);
        script.env("TMPDIR", dir.path());
        let done = with_path(&mut script, dir.path());
        assert_eq!(done.code, want, "{}", done.stderr);
        let left = std::fs::read_dir(dir.path()).unwrap().count();
        assert_eq!(left, 4, "the mount point is left behind");
        let manifest = if want == 0 { "sealed\n" } else { "pending\n" };
        assert_eq!(std::fs::read_to_string(&brought).unwrap(), manifest);
    }
}
