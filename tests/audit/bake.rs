//! Bakes that fail, only list, or run on a node: what they say and what they leave.
//! It is separate because these change the tree, and the audits beside it only look.

use std::process::Output;

use super::{remove, run, with};
use crate::support::offline::{Mini, code, json, policy};

#[test]
fn json_stays_json_when_a_verb_fails_or_only_lists() {
    let mini = Mini::new();
    for args in [
        &["--list", "--json"][..],
        &["--list", "--json", "--phase", "files"],
    ] {
        let list = json(&mini.bake(args));
        let ids: Vec<&str> = list
            .as_array()
            .unwrap()
            .iter()
            .map(|l| l["id"].as_str().unwrap())
            .collect();
        assert!(
            ids.contains(&"file:/etc/motd") && !ids.contains(&"scrub:machine-id"),
            "{ids:?}"
        );
    }
    assert!(
        !mini.path().join("var/lib/nodeagent").exists(),
        "a list changes nothing"
    );
    assert_eq!(code(&mini.bake(&["--list", "--phase", "images"])), 5);
    assert_eq!(code(&mini.bake(&[])), 0);
    let list = mini.run(&["generalize", "--list"]);
    let text = String::from_utf8_lossy(&list.stdout).into_owned();
    // generalize makes everything so that holds in an image, not only what it removes.
    assert!(
        text.contains("scrub:machine-id") && text.contains("file:/etc/motd"),
        "{text}"
    );
    // A directory where a file shall be: generalize cannot repair it.
    remove(&mini, "etc/motd");
    std::fs::create_dir_all(mini.path().join("etc/motd/full")).unwrap();
    let output = mini.run(&["generalize", "--json"]);
    assert_eq!(code(&output), 1);
    let report = json(&output);
    assert_eq!(
        (&report["state"], &report["manifest"]),
        (&"building".into(), &serde_json::Value::Null)
    );
    assert_eq!(report["failed"][0]["id"], "file:/etc/motd");
}

#[test]
fn a_node_bakes_its_own_entries_after_its_stamp() {
    let dir = with(
        "[[file]]\npath = \"/etc/node.conf\"\ncontent = \"a\\n\"\nplace = [\"node\"]\nreason = \"r\"\n",
    );
    let mini = Mini::new();
    let bake = |args: &[&str]| run(&mini, &dir, args);
    assert_eq!(code(&bake(&["bake"])), 0);
    assert_eq!(code(&bake(&["bake", "--place", "node"])), 4, "not sealed");
    assert_eq!(code(&mini.run(&["generalize"])), 0);
    assert!(!mini.path().join("etc/node.conf").exists());
    let node = ["bake", "--place", "node", "--phase", "files", "--json"];
    let refused = mini.run(&node);
    assert_eq!(code(&refused), 4, "not stamped");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("not passed its first boot"));
    assert!(
        !mini
            .path()
            .join("var/lib/nodeagent/node-journal.jsonl")
            .exists()
    );
    mini.put(
        "var/lib/nodeagent/firstboot.json",
        "{\"schema\":1,\"machine\":\"x\",\"instance\":null,\"host_keys\":[],\"at\":1}",
    );
    let record = mini.text("etc/packer-build/bake-record.json");
    let seal = mini.text("etc/packer-build/seal.json");
    mini.put("etc/motd", "drifted\n");
    let output = mini.run(&node);
    assert_eq!(code(&output), 0);
    assert_eq!(
        (
            json(&output)["place"].as_str(),
            json(&output)["changes"].as_u64()
        ),
        (Some("node"), Some(2))
    );
    assert_eq!(
        (mini.text("etc/motd"), mini.text("etc/node.conf")),
        ("hello\n".into(), "a\n".into())
    );
    assert_eq!(json(&mini.run(&node))["changes"], 0);
    assert!(
        mini.text(nodeagent::record::NODE_JOURNAL.trim_start_matches('/'))
            .contains("file:/etc/motd")
    );
    assert!(
        !mini
            .text(nodeagent::record::NODE_JOURNAL.trim_start_matches('/'))
            .contains("salt")
    );
    assert!(!mini.path().join("var/lib/nodeagent/journal.jsonl").exists());
    assert_eq!(mini.text("etc/packer-build/bake-record.json"), record);
    assert_eq!(mini.text("etc/packer-build/seal.json"), seal);
    let both = mini.run(&["bake", "--place", "node", "--build-machine"]);
    assert_eq!(code(&both), 2);
}

/// Runs a shell script in a mount namespace of its own.
fn in_own_mounts(script: &str) -> Output {
    std::process::Command::new("unshare")
        .args(["-m", "sh", "-ec", script])
        .output()
        .unwrap()
}

#[test]
fn a_full_or_read_only_tree_is_told_and_bakes_once_it_is_mended() {
    let mini = Mini::new();
    let dir = tempfile::tempdir().unwrap();
    let (tree, at, policy) = (mini.path().display(), dir.path().display(), policy());
    let bake = format!(
        "{} --root {at} bake --profile mini --policy {}",
        env!("CARGO_BIN_EXE_nodeagent"),
        policy.display()
    );
    let script = format!(
        "mount -t tmpfs -o size=1m,mode=755 full {at}; cp -a {tree}/. {at}/
         echo == full; {bake} && exit 9; find {at}/usr/bin
         mount -o remount,ro {at}; echo == read-only; {bake} && exit 9
         mount -o remount,rw,size=600m {at}; echo == mended; {bake}; cat {at}/etc/motd"
    );
    let output = in_own_mounts(&format!("({script}) 2>&1"));
    assert_eq!(code(&output), 0);
    let text = String::from_utf8_lossy(&output.stdout);
    let (full, rest) = text.split_once("== read-only").unwrap();
    let (read_only, mended) = rest.split_once("== mended").unwrap();
    assert!(
        full.contains("/usr/bin/nodeagent") && full.contains("No space left"),
        "{full}"
    );
    assert!(full.contains("next: free some space"), "{full}");
    assert!(
        !full.contains(&format!("{at}/usr/bin/")),
        "a half-written file is left: {full}"
    );
    assert!(
        read_only.contains("/var/lib/nodeagent/lock") && read_only.contains("Read-only"),
        "{read_only}"
    );
    assert!(
        read_only.contains("next: mount it for writing"),
        "{read_only}"
    );
    assert!(
        mended.contains("0 failed") && mended.ends_with("hello\n"),
        "{mended}"
    );
}
