//! The image's name and the reasons to bake it anew: each told, each able to be absent, none in a plain audit.
//! It is separate because these judge an image against the world around it, not against itself.

use nodeagent::host::Installed;
use nodeagent::manifest::Manifest;
use nodeagent::policy::Policy;
use nodeagent::verify::rebake::Asked;
use nodeagent::verify::{Status, Urgency};
use serde_json::{Value, json};

use super::{run, with};
use crate::offline::drift;
use crate::support::fake::fake_parts;
use crate::support::offline::{Mini, code, json, shipped};

const NAME: &str = "[variables.image_name]\ntype = \"string\"\ndefault = \"rke2-node-{k8s}-{date}\"\ndescription = \"d\"\n\
    [variables.rke2_version]\ntype = \"string\"\ndefault = \"v1.28.15+rke2r1\"\ndescription = \"d\"\n\
    [[file]]\npath = \"/etc/rule\"\ncontent = \"${rke2_version}\\n\"\ntemplate = true\nreason = \"r\"\n";
/// Longer than this project will last.
const NEVER: &str = "100000d";

/// A sealed tree with RKE2, and the policy folder of its bake.
fn sealed(set: &[&str]) -> (Mini, tempfile::TempDir) {
    let mini = Mini::new();
    mini.put(
        "var/lib/rancher/rke2/data/v1.28.15-rke2r1-92b1ca9704d2/bin/kubelet",
        "",
    );
    let dir = with(NAME);
    let mut args = vec!["bake"];
    args.extend(set.iter().flat_map(|set| ["--set", set]));
    assert_eq!(code(&run(&mini, &dir, &args)), 0);
    assert_eq!(code(&mini.run(&["generalize"])), 0);
    (mini, dir)
}

#[test]
fn the_name_is_made_of_pattern_and_manifest() {
    for (pattern, more, name) in [
        (
            "rke2-node-{k8s}-{date}",
            &[][..],
            "rke2-node-v1.28-20231114\n",
        ),
        (
            "rke2-rocky9-golden-v{N}",
            &["--number", "7"],
            "rke2-rocky9-golden-v7\n",
        ),
        (
            "rke2-rocky9-golden-{date}",
            &[],
            "rke2-rocky9-golden-20231114\n",
        ),
        (
            "rke2-rocky9-golden-rke2{version}",
            &[],
            "rke2-rocky9-golden-rke2v1.28.15\n",
        ),
    ] {
        let (mini, _dir) = sealed(&[&format!("image_name={pattern}")]);
        let mut args = vec!["manifest", "--image-name"];
        args.extend(more);
        let output = mini.run(&args);
        assert_eq!(
            (
                code(&output),
                String::from_utf8_lossy(&output.stdout).as_ref()
            ),
            (0, name)
        );
        if pattern.contains("{N}") {
            assert_eq!(
                code(&mini.run(&["manifest", "--image-name"])),
                2,
                "no number"
            );
        }
    }
}

#[test]
fn a_name_that_cannot_be_made_is_an_error_as_early_as_possible() {
    let mini = Mini::new();
    let dir = with(NAME);
    let bad = run(&mini, &dir, &["bake", "--set", "image_name=golden-{day}"]);
    let said = String::from_utf8_lossy(&bad.stderr);
    assert_eq!(code(&bad), 2);
    assert!(
        said.contains("there is no placeholder `{day}`") && said.contains("{k8s} (the Kubernetes"),
        "{said}"
    );
    assert!(
        !mini.path().join("etc/rule").exists(),
        "nothing was touched"
    );
    // RKE2 is asked for and not there.
    assert_eq!(code(&run(&mini, &dir, &["bake"])), 0);
    assert_eq!(code(&mini.run(&["generalize"])), 0);
    let output = mini.run(&["manifest", "--image-name"]);
    assert_eq!((code(&output), output.stdout.len()), (1, 0));
    assert!(String::from_utf8_lossy(&output.stderr).contains("the manifest states \"none\""));
}

#[test]
fn every_rke2_profile_names_its_images_as_its_source_does() {
    for (profile, pattern) in [
        ("rke2-rocky9", "rke2-rocky9-golden-{date}"),
        ("rke2-ubuntu2204", "rke2-node-{k8s}-{date}"),
        ("rke2-debian12", "rke2-node-{k8s}-{date}"),
    ] {
        assert_eq!(shipped(profile, &[]).variables["image_name"].value, pattern);
    }
}

/// Reasons to bake anew, as (id, urgency), of a verdict.
fn reasons(verdict: &Value) -> Vec<(String, String)> {
    let findings = verdict["findings"].as_array().unwrap();
    let drift = findings
        .iter()
        .filter(|f| f["status"] == "drift" && !f["urgency"].is_null());
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    drift
        .map(|f| (text(&f["id"]), text(&f["urgency"])))
        .collect()
}

#[test]
fn each_reason_to_bake_anew_is_told_by_itself_and_only_when_asked() {
    let (mini, dir) = sealed(&[]);
    let plain = mini.run(&["verify", "--json"]);
    assert_eq!((code(&plain), reasons(&json(&plain))), (0, vec![]));
    assert!(!String::from_utf8_lossy(&plain.stdout).contains("rebake"));
    let fresh = mini.run(&["verify", "--json", "--max-age", NEVER]);
    assert_eq!((code(&fresh), reasons(&json(&fresh))), (0, vec![]));
    // No repository metadata lies in the tree: what waits is not known, and that is said.
    let unknown = &json(&fresh)["findings"];
    let packages = unknown
        .as_array()
        .unwrap()
        .iter()
        .find(|f| f["id"] == "rebake:packages");
    assert_eq!(packages.unwrap()["status"], "could-not-check");

    let old = mini.run(&["verify", "--json", "--max-age", "30d"]);
    assert_eq!(code(&old), 3);
    assert_eq!(
        reasons(&json(&old)),
        [("rebake:age".to_owned(), "low".to_owned())]
    );
    let text = mini.run(&["verify", "--max-age", "4w"]);
    let text = String::from_utf8_lossy(&text.stdout);
    assert!(
        text.contains("rebake:age  (bake anew, urgency low)") && text.contains("at most 28 days"),
        "{text}"
    );

    let newer = run(
        &mini,
        &dir,
        &[
            "verify",
            "--json",
            "--max-age",
            NEVER,
            "--set",
            "rke2_version=v1.28.16+rke2r1",
        ],
    );
    let found = reasons(&json(&newer));
    let medium = |id: &str| (id.to_owned(), "medium".to_owned());
    // The version is a rule as well here: a file is made of it.
    assert_eq!(found, [medium("rebake:rke2"), medium("rebake:rules")]);
    let rules = &json(&newer)["findings"];
    let rules = rules
        .as_array()
        .unwrap()
        .iter()
        .find(|f| f["id"] == "rebake:rules")
        .unwrap();
    assert_eq!(
        rules["differences"],
        json!([{"what": "file:/etc/rule", "have": "as baked", "want": "changed"}])
    );
    assert!(drift(&json(&newer)).contains(&"file:/etc/rule".to_owned()));
}

#[test]
fn an_age_is_a_number_with_a_unit_and_needs_an_image() {
    let mini = Mini::new();
    let dir = with(NAME);
    for wrong in [
        "30",
        "d",
        "-1d",
        "3m",
        "30 d",
        "",
        "99999999999999999999w",
        "30ü",
    ] {
        assert_eq!(
            code(&run(&mini, &dir, &["verify", "--max-age", wrong])),
            2,
            "{wrong}"
        );
    }
    let unsealed = run(&mini, &dir, &["verify", "--max-age", "30d"]);
    assert_eq!(code(&unsealed), 2);
    assert!(String::from_utf8_lossy(&unsealed.stderr).contains("no sealed image here"));
}

#[test]
fn packages_that_wait_are_urgent_by_what_they_are() {
    let (mini, _dir) = sealed(&[]);
    let manifest: Manifest =
        serde_json::from_str(&mini.text("etc/packer-build/image-manifest.json")).unwrap();
    let baked = Policy::from_json(mini.text("etc/packer-build/policy.json").as_bytes()).unwrap();
    let asked = Asked {
        policy: &baked,
        baked: &baked,
        manifest: &manifest,
        now: 1_700_000_000,
        max_age: 1,
    };
    for (package, urgency) in [
        ("tree", Urgency::Low),
        ("openssl", Urgency::High),
        ("linux-image-amd64", Urgency::High),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let (host, fakes) = fake_parts(dir.path());
        let installed = Installed {
            version: "1".into(),
            arch: "amd64".into(),
            held: false,
            complete: true,
        };
        {
            let mut state = fakes.packages.edit();
            state.installed.insert(package.into(), installed);
            state.metadata = Some("indexes".into());
        }
        let of = || asked.findings(&host).pop().unwrap();
        assert_eq!(of().status, Status::Conforms, "nothing is newer");
        fakes.packages.offer(package, "2");
        let finding = of();
        assert_eq!(
            (finding.status, finding.urgency),
            (Status::Drift, Some(urgency)),
            "{package}"
        );
        assert_eq!(
            (
                finding.differences[0].what.as_str(),
                finding.differences[0].want.as_str()
            ),
            (package, "2")
        );
        fakes.packages.calls.fail_on("metadata_digest", 1);
        let unknown = of();
        assert_eq!(
            (unknown.status, unknown.required),
            (Status::CouldNotCheck, false)
        );
    }
}
