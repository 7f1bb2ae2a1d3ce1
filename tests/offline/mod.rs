//! The main job on an unbooted tree with the real binary: bake, again, generalize, verify, and everything that must be caught.
//! It is separate because it needs neither a machine nor a package manager, so each case can spoil one thing.

mod family;
mod forbidden;
mod full;
mod halfway;
mod hostile;
mod identity;
mod joined;
mod needs;
mod rke2;
mod shipped;
mod spoiled;
mod transport;
mod unknown;

use std::path::Path;

use serde_json::Value;

use crate::support::offline::{Mini, code, json};

pub(crate) fn sealed() -> Mini {
    let mini = Mini::new();
    assert_eq!(code(&mini.bake(&[])), 0);
    assert_eq!(code(&mini.run(&["generalize"])), 0);
    mini
}

pub(crate) fn drift(verdict: &Value) -> Vec<String> {
    let findings = verdict["findings"].as_array().unwrap();
    let drift = findings.iter().filter(|f| f["status"] == "drift");
    drift
        .map(|f| f["id"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn bake_twice_generalize_verify() {
    let mini = Mini::new();
    let first = mini.bake(&["--json"]);
    assert_eq!(code(&first), 0);
    assert!(json(&first)["changes"].as_u64().unwrap() > 5);
    let second = mini.bake(&["--json"]);
    assert_eq!(
        (code(&second), json(&second)["changes"].as_u64()),
        (0, Some(0))
    );
    assert_eq!(mini.text("etc/motd"), "hello\n");
    assert!(!mini.path().join("etc/leftover").exists());
    assert!(
        std::fs::symlink_metadata(
            mini.path()
                .join("etc/systemd/system/multi-user.target.wants/demo.service")
        )
        .is_ok()
    );
    assert_eq!(
        std::fs::read_link(mini.path().join("etc/systemd/system/noise.service")).unwrap(),
        Path::new("/dev/null")
    );
    assert!(
        !mini
            .text("etc/fstab")
            .lines()
            .any(|l| !l.starts_with('#') && l.contains("swap"))
    );
    let sealed = mini.run(&["generalize", "--json"]);
    assert_eq!(
        (code(&sealed), json(&sealed)["state"].as_str()),
        (0, Some("closed"))
    );
    assert_eq!(mini.text("etc/machine-id"), "");
    for gone in [
        "etc/ssh/ssh_host_ed25519_key",
        "home/builder/.ssh/authorized_keys",
        "root/.bash_history",
        "var/lib/systemd/random-seed",
        "var/lib/nodeagent/journal.jsonl",
    ] {
        assert!(!mini.path().join(gone).exists(), "{gone} is still there");
    }
    assert_eq!(mini.text("var/log/syslog"), "");
    let verdict = mini.run(&["verify", "--json"]);
    assert_eq!(code(&verdict), 0);
    assert_eq!(json(&verdict)["place"], "image");
    assert_eq!(code(&mini.run(&["manifest"])), 0);
}

#[test]
fn an_edited_policy_cannot_audit() {
    let mini = sealed();
    let path = "etc/packer-build/policy.json";
    let text = mini.text(path).replace("hello", "hallo");
    mini.put(path, &text);
    let output = mini.run(&["verify"]);
    assert_eq!(code(&output), 1);
    assert!(String::from_utf8_lossy(&output.stderr).contains("not the policy that was sealed"));
}

#[test]
fn the_same_inputs_give_the_same_manifest() {
    let (a, b) = (sealed(), sealed());
    let path = "etc/packer-build/image-manifest.json";
    assert_eq!(a.text(path), b.text(path));
    let manifest: Value = serde_json::from_str(&a.text(path)).unwrap();
    assert_eq!(manifest["built_at"], "2023-11-14T22:13:20Z");
    let salt = |mini: &Mini| {
        let record: Value =
            serde_json::from_str(&mini.text("etc/packer-build/bake-record.json")).unwrap();
        record["salt"].as_str().unwrap().to_owned()
    };
    assert_ne!(salt(&a), salt(&b), "the salt must be random");
}

#[test]
fn a_reader_of_schema_1_0_still_works() {
    #[derive(serde::Deserialize)]
    struct Old {
        schema_version: String,
        built_by: String,
        built_at: String,
        os: OldOs,
        kubernetes: OldKubernetes,
        fips_enabled: bool,
        prepulled_images: Vec<String>,
    }
    #[derive(serde::Deserialize)]
    struct OldOs {
        pretty_name: String,
        kernel: String,
    }
    #[derive(serde::Deserialize)]
    struct OldKubernetes {
        distribution: String,
        version: String,
    }
    let old: Old =
        serde_json::from_str(&sealed().text("etc/packer-build/image-manifest.json")).unwrap();
    assert_eq!(old.schema_version, "1.0");
    assert_eq!(old.os.pretty_name, "Debian GNU/Linux 12 (bookworm)");
    assert_eq!(
        (old.os.kernel.as_str(), old.kubernetes.version.as_str()),
        ("none", "none")
    );
    assert_eq!(
        (old.kubernetes.distribution.as_str(), old.fips_enabled),
        ("rke2", false)
    );
    assert!(
        old.prepulled_images.is_empty() && !old.built_by.is_empty() && old.built_at.ends_with('Z')
    );
}

#[test]
fn states_are_kept_in_order() {
    let mini = Mini::new();
    assert_eq!(code(&mini.run(&["generalize"])), 4, "nothing was baked");
    assert_eq!(code(&mini.bake(&[])), 0);
    assert_eq!(code(&mini.run(&["generalize"])), 0);
    let again = mini.bake(&[]);
    assert_eq!(code(&again), 4, "a sealed tree is not baked");
    assert!(String::from_utf8_lossy(&again.stderr).contains("next:"));
    assert_eq!(
        code(&mini.run(&["generalize"])),
        4,
        "a closed seal stays closed"
    );
}

#[test]
fn what_was_left_out_is_told_by_verify() {
    let mini = Mini::new();
    assert_eq!(code(&mini.bake(&[])), 0);
    assert_eq!(
        code(&mini.run(&["generalize", "--phase", "scrub"])),
        2,
        "a part of an image is no image"
    );
    let skip = ["generalize", "--skip", "scrub:authorized-keys"];
    assert_eq!(code(&mini.run(&skip)), 0);
    let verdict = mini.run(&["verify", "--json"]);
    assert_eq!(
        (code(&verdict), drift(&json(&verdict))),
        (3, vec!["scrub:authorized-keys".to_owned()])
    );
}

#[test]
fn an_image_that_does_not_hold_is_not_sealed() {
    let mini = Mini::new();
    assert_eq!(code(&mini.bake(&[])), 0);
    // A path that nothing may remove: its own mount point would do, a directory where a file goes is simpler.
    std::fs::remove_file(mini.path().join("etc/machine-id")).unwrap();
    std::fs::create_dir(mini.path().join("etc/machine-id")).unwrap();
    let output = mini.run(&["generalize"]);
    assert_eq!(code(&output), 1);
    assert!(mini.text("etc/packer-build/seal.json").contains("building"));
    assert_ne!(code(&mini.run(&["verify", "--place", "image"])), 0);
}

#[test]
fn a_member_of_a_cluster_is_refused() {
    let mini = Mini::new();
    mini.put("var/lib/rancher/rke2/server/token", "K10");
    let output = mini.bake(&[]);
    assert_eq!(code(&output), 4);
    assert!(
        !mini.path().join("etc/packer-build").exists(),
        "nothing was touched"
    );
}

#[test]
fn variables_are_set_recorded_and_checked() {
    let mini = Mini::new();
    assert_eq!(code(&mini.bake(&["--set", "greeting=moin"])), 0);
    assert_eq!(mini.text("etc/motd"), "moin\n");
    let policy: Value = serde_json::from_str(&mini.text("etc/packer-build/policy.json")).unwrap();
    assert_eq!(policy["variables"]["greeting"]["value"], "moin");
    assert_eq!(code(&mini.bake(&["--set", "nothing=1"])), 2);
}

#[test]
fn killed_after_every_step_it_ends_in_the_same_tree() {
    let whole = sealed();
    let mini = Mini::new();
    let mut kills = 0;
    for verb in ["bake", "generalize"] {
        let mut limit = 1;
        loop {
            let last = limit.to_string();
            let output = if verb == "bake" {
                mini.bake(&["--die-after", &last])
            } else {
                mini.run(&["generalize", "--die-after", &last])
            };
            // With no steps left, every run begins at the first stage of the seal: each goes one further.
            if !String::from_utf8_lossy(&output.stderr).contains(" done ") {
                limit += 1;
            }
            let closed =
                verb == "generalize" && mini.text("etc/packer-build/seal.json").contains("closed");
            // Killed right after the seal was closed, nothing is left to do.
            if output.status.code() == Some(0) || closed {
                break;
            }
            assert_eq!(
                std::os::unix::process::ExitStatusExt::signal(&output.status),
                Some(9),
                "{}",
                String::from_utf8_lossy(&output.stderr)
            );
            kills += 1;
            assert!(kills < 500, "no progress");
        }
    }
    assert!(kills > 20, "only {kills} steps were interrupted");
    println!("killed {kills} times");
    let path = "etc/packer-build/image-manifest.json";
    assert_eq!(mini.text(path), whole.text(path));
    assert_eq!(code(&mini.run(&["verify"])), 0);
}
