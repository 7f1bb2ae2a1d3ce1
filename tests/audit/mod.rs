//! Audits as an auditor who distrusts them: evidence removed, parts left out, facts that cannot be looked at.
//! It is separate because each case is something that once read as "fine" and was not looked at.

mod bake;
mod documented;
mod lifecycle;

use std::process::Output;

use nodeagent::resource::Phase;

use crate::offline::{drift, sealed};
use crate::support::offline::{Mini, code, command, json, policy};

fn remove(mini: &Mini, path: &str) {
    std::fs::remove_file(mini.path().join(path)).unwrap();
}

#[test]
fn an_image_without_its_seal_is_no_build_machine() {
    let mini = sealed();
    remove(&mini, "etc/packer-build/seal.json");
    mini.put("etc/machine-id", "0123456789abcdef0123456789abcdef\n");
    let output = mini.run(&["verify", "--json"]);
    assert_eq!(code(&output), 3);
    assert_eq!(json(&output)["place"], "image");
    let found = drift(&json(&output));
    for id in ["seal:state", "scrub:machine-id"] {
        assert!(found.contains(&id.to_owned()), "{id}: {found:?}");
    }
    // A stamp says node, with or without a seal.
    mini.put(
        "var/lib/nodeagent/firstboot.json",
        "{\"schema\":1,\"machine\":\"x\",\"instance\":null,\"host_keys\":[],\"at\":1}",
    );
    remove(&mini, "etc/packer-build/image-manifest.json");
    let output = mini.run(&["verify", "--json"]);
    assert_eq!(json(&output)["place"], "node");
    assert_eq!(code(&output), 1);
}

#[test]
fn a_sealed_policy_that_is_missing_fails_the_audit() {
    let mini = sealed();
    remove(&mini, "etc/packer-build/policy.json");
    let output = mini.run(&["verify"]);
    assert_eq!(code(&output), 1);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("policy.json: it was sealed and is missing"),
        "{said}"
    );
}

#[test]
fn a_manifest_that_was_edited_is_not_printed() {
    let mini = sealed();
    let path = "etc/packer-build/image-manifest.json";
    let text = mini.text(path);
    assert_eq!(mini.run(&["manifest", "--json"]).stdout, text.as_bytes());
    mini.put(path, &text.replace("Debian", "Dabian"));
    for args in [&["manifest"][..], &["manifest", "--json"]] {
        let output = mini.run(args);
        assert_eq!(code(&output), 1);
        assert!(output.stdout.is_empty());
    }
    remove(&mini, "etc/packer-build/seal.json");
    let output = mini.run(&["manifest"]);
    assert_eq!(code(&output), 0);
    assert!(String::from_utf8_lossy(&output.stderr).contains("belongs to no seal"));
}

#[test]
fn what_an_audit_left_out_is_told() {
    let mini = sealed();
    let output = mini.run(&["verify", "--json"]);
    assert_eq!(json(&output)["left_out"], serde_json::json!([]));
    let output = mini.run(&["verify", "--json", "--skip", "unit"]);
    assert_eq!(json(&output)["left_out"], serde_json::json!(["unit"]));
    let output = mini.run(&["verify", "--phase", "kernel"]);
    assert_eq!(code(&output), 0);
    let text = String::from_utf8_lossy(&output.stdout);
    let phases = Phase::ALL.iter().filter(|phase| **phase != Phase::Kernel);
    let phases: String = phases.map(|p| format!("phase {}, ", p.word())).collect();
    let told = format!("not looked at: {phases}seal and inventory\n");
    assert!(text.contains(&told), "{text}");
}

/// A folder with one more fragment in the profile `mini`.
fn with(fragment: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for inner in ["90-mini.toml", "profiles/mini.toml"] {
        let mut text = std::fs::read_to_string(policy().join(inner)).unwrap();
        if inner.starts_with("profiles") {
            text = text.replace("\"90-mini.toml\"", "\"90-mini.toml\", \"95-more.toml\"");
            std::fs::create_dir(dir.path().join("profiles")).unwrap();
        }
        std::fs::write(dir.path().join(inner), text).unwrap();
    }
    let text = format!("schema = 1\n{fragment}");
    std::fs::write(dir.path().join("95-more.toml"), text).unwrap();
    dir
}

fn run(mini: &Mini, dir: &tempfile::TempDir, args: &[&str]) -> Output {
    let folder = dir.path().to_str().unwrap();
    let mut all = args.to_vec();
    all.extend(["--profile", "mini", "--policy", folder]);
    mini.run(&all)
}

#[test]
fn an_image_could_not_be_checked_and_says_so_to_a_person() {
    let mini = Mini::new();
    let dir = with(
        "[[image]]\nref = \"registry.example/x:1.0\"\nallow_tag = true\nstore = \"/srv/store\"\nreason = \"r\"\n",
    );
    // A store whose records cannot be read is not an empty one.
    mini.put("srv/store/io.containerd.metadata.v1.bolt/meta.db", "torn");
    // 1 wins over 3: a change is pending as well.
    let plan = run(&mini, &dir, &["plan"]);
    assert_eq!(code(&plan), 1);
    let text = String::from_utf8_lossy(&plan.stdout);
    assert!(
        text.contains("meta.db") && text.contains("1 could not be checked"),
        "{text}"
    );
    assert_eq!(code(&run(&mini, &dir, &["bake"])), 1);
    assert_eq!(code(&run(&mini, &dir, &["bake", "--skip", "image"])), 0);
    assert_eq!(code(&run(&mini, &dir, &["plan"])), 1);
    let verdict = run(&mini, &dir, &["verify", "--json"]);
    assert_eq!(code(&verdict), 1);
    assert_eq!(json(&verdict)["counts"]["could_not_check"], 1);
    let alone = run(&mini, &dir, &["verify", "--phase", "images", "--json"]);
    assert_eq!((code(&alone), json(&alone)["exit"].as_u64()), (1, Some(1)));
}

#[test]
fn plan_and_verify_end_with_the_same_codes() {
    let mini = Mini::new();
    mini.put(
        "usr/lib/systemd/system/other.service",
        "[Service]\nExecStart=/bin/true\n",
    );
    let dir = with("[[unit]]\nname = \"other.service\"\nactive = \"started\"\nreason = \"r\"\n");
    let plan = |args: &[&str]| code(&run(&mini, &dir, args));
    assert_eq!(plan(&["plan"]), 3);
    assert_eq!(plan(&["plan", "--phase", "images"]), 5);
    assert_eq!(code(&run(&mini, &dir, &["bake"])), 0);
    let after = run(&mini, &dir, &["plan", "--json"]);
    assert_eq!(
        (code(&after), json(&after)["changes"].as_u64()),
        (0, Some(0))
    );
    // Whether a unit runs cannot be seen in a tree: it is not counted among what conforms.
    assert_eq!(json(&after)["counts"]["not_applicable"], 1);
    assert_eq!(plan(&["verify"]), 0);
    mini.put("etc/motd", "x");
    assert_eq!((plan(&["plan"]), plan(&["verify"])), (3, 3));
}

#[test]
fn an_exception_is_shown_and_an_expired_one_covers_nothing() {
    for (expires, exit, word) in [
        ("2099-01-01", 0, "accepted by ops until 2099-01-01: known"),
        (
            "2020-01-01",
            3,
            "no longer accepted: was by ops until 2020-01-01",
        ),
    ] {
        let mini = Mini::new();
        let dir = with(&format!(
            "[[exception]]\nid = \"file:/etc/motd\"\nreason = \"known\"\nowner = \"ops\"\nexpires = \"{expires}\"\n"
        ));
        assert_eq!(code(&run(&mini, &dir, &["bake"])), 0);
        mini.put("etc/motd", "other\n");
        let output = run(&mini, &dir, &["verify"]);
        assert_eq!(code(&output), exit);
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains(word), "{text}");
        let output = run(&mini, &dir, &["verify", "--json"]);
        assert_eq!(json(&output)["findings"][0]["exception"]["owner"], "ops");
    }
}

#[test]
fn a_policy_is_shown_with_every_value_resolved() {
    let folder = policy();
    let args = [
        "policy",
        "show",
        "--profile",
        "mini",
        "--set",
        "greeting=moin",
        "--policy",
    ];
    let output = command(&args).arg(folder).arg("--json").output().unwrap();
    assert_eq!(code(&output), 0);
    let shown = json(&output);
    assert_eq!(shown["variables"]["greeting"]["value"], "moin");
    let motd = shown["entries"]
        .as_array()
        .unwrap()
        .iter()
        .find(|e| e["id"] == "file:/etc/motd")
        .unwrap();
    assert_eq!(motd["content"], "moin\n");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(!text.contains("${"), "an unresolved variable");
}
