//! RKE2 in an unbooted tree, from the release to the sealed image, by the real binary.
//! It is separate because the program that is installed really runs there and says which version it is.

use std::path::Path;

use crate::support::offline::{Mini, code, json};
use crate::support::tarball::{self, VERSION};

const KILLALL: &str = "usr/local/bin/rke2-killall.sh";

/// A tree with a release whose program says one version, and whose files are all of another.
fn tree(says: &str) -> Mini {
    let mini = Mini::new();
    // A program is only started in a tree that has them.
    for dir in ["proc", "sys", "dev", "run", "tmp"] {
        std::fs::create_dir_all(mini.path().join(dir)).unwrap();
    }
    tarball::running_release(&mini.path().join("tmp/rke2-artifacts"), says);
    mini
}

fn bake(mini: &Mini) -> serde_json::Value {
    let output = mini.bake_profile("rke2", &["--json"]);
    assert_eq!(code(&output), 0);
    json(&output)
}

/// Writes other bytes of the same number and puts the time of change back.
fn tamper(path: &Path) {
    let old = std::fs::metadata(path).unwrap();
    let bytes = vec![b'#'; usize::try_from(old.len()).unwrap()];
    std::fs::write(path, bytes).unwrap();
    let file = std::fs::File::options().write(true).open(path).unwrap();
    file.set_modified(old.modified().unwrap()).unwrap();
}

#[test]
fn the_sealed_image_holds_the_release_and_proves_it() {
    let mini = tree(VERSION);
    let first = bake(&mini);
    let steps = first["steps"].as_array().unwrap();
    let step = steps
        .iter()
        .find(|step| step["id"] == "artifact:rke2")
        .unwrap();
    let notes = step["notes"].to_string();
    assert!(
        notes.contains("not authenticated") && !notes.contains("was not asked"),
        "{notes}"
    );
    assert_eq!(
        bake(&mini)["steps"],
        serde_json::json!([]),
        "the second bake has nothing to do"
    );
    assert_eq!(code(&mini.run(&["generalize"])), 0);
    assert!(
        !mini.path().join("tmp/rke2-artifacts").exists(),
        "the clean-up has removed the release"
    );
    let manifest: serde_json::Value =
        serde_json::from_str(&mini.text("etc/packer-build/image-manifest.json")).unwrap();
    assert_eq!(manifest["kubernetes"]["version"], VERSION);
    let entry = &manifest["entries"]["artifact:rke2"];
    assert_eq!(entry["verdict"], "conforms");
    let observed = &entry["observed"];
    assert_eq!(
        (&observed["authenticated"], &observed["read_all"]),
        (&false.into(), &true.into())
    );
    assert_eq!(observed["version"], VERSION);
    assert!(observed["files"]["/usr/local/bin/rke2"]["sha256"].is_string());
    for unit in ["rke2-server", "rke2-agent"] {
        assert_eq!(
            manifest["entries"][format!("unit:{unit}.service")]["verdict"],
            "conforms"
        );
    }
    let image = ["verify", "--place", "image"];
    assert_eq!(code(&mini.run(&image)), 0);
    tamper(&mini.path().join(KILLALL));
    assert_eq!(code(&mini.run(&image)), 0, "size and time are as they were");
    let deep = mini.run(&["verify", "--place", "image", "--deep"]);
    assert_eq!(code(&deep), 3);
    assert!(String::from_utf8_lossy(&deep.stdout).contains(&format!("/{KILLALL}: sha256")));
}

#[test]
fn what_was_tampered_with_is_never_sealed() {
    let mini = tree(VERSION);
    bake(&mini);
    std::fs::remove_dir_all(mini.path().join("tmp/rke2-artifacts")).unwrap();
    tamper(&mini.path().join(KILLALL));
    let output = mini.run(&["generalize"]);
    assert_eq!(code(&output), 1);
    assert!(!mini.text("etc/packer-build/seal.json").contains("closed"));
}

#[test]
fn a_program_that_says_another_version_fails_the_bake() {
    let mini = tree("v1.34.2+rke2r1");
    let output = mini.bake_profile("rke2", &[]);
    assert_eq!(code(&output), 1);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        said.contains("version v1.34.2+rke2r1; the policy wants v1.28.15+rke2r1"),
        "{said}"
    );
    assert!(
        !mini
            .path()
            .join("etc/packer-build/artifact-rke2.json")
            .exists()
    );
}
