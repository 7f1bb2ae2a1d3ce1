//! Files of a store that a power cut or a failing disk tore: `image check` names each, and the next pull mends it.
//! It is separate because files are broken behind containerd's back here, which itself never reads them again.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::Stage;
use crate::support::generations::Generation;
use crate::support::images::Variant;
use crate::support::machine::run::{Done, run};

/// How a file is broken.
#[derive(Clone, Copy)]
enum Tear {
    /// Its second half is gone.
    Half,
    /// One byte is another.
    Byte,
}

impl Tear {
    fn at(self, path: &Path) {
        let mut bytes = std::fs::read(path).unwrap();
        let middle = bytes.len() / 2;
        match self {
            Tear::Half => bytes.truncate(middle),
            Tear::Byte => bytes[middle] ^= 1,
        }
        std::fs::write(path, bytes).unwrap();
    }
}

/// What is broken, how, and whether only who reads everything sees it.
type Row = (&'static str, fn(&Variant) -> &str, Tear, bool);

const TABLE: [Row; 6] = [
    ("layer", |v| &v.layers[0].blob.digest, Tear::Half, false),
    ("layer", |v| &v.layers[0].blob.digest, Tear::Byte, true),
    ("configuration", |v| &v.config.digest, Tear::Half, false),
    ("configuration", |v| &v.config.digest, Tear::Byte, false),
    ("manifest", |v| &v.manifest.digest, Tear::Half, false),
    ("manifest", |v| &v.manifest.digest, Tear::Byte, false),
];

fn check(stage: &Stage, more: &[&str]) -> Done {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nodeagent"));
    command.args(["image", "check", "--json", "--platform", "linux/amd64"]);
    command.arg("--store").arg(stage.store()).args(more);
    run(&mut command, Duration::from_secs(120)).unwrap()
}

fn whole(stage: &Stage) {
    let done = check(stage, &["--deep"]);
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
}

fn blob(stage: &Stage, digest: &str) -> PathBuf {
    let hex = digest.trim_start_matches("sha256:");
    let blobs = "io.containerd.content.v1.content/blobs/sha256";
    stage.store().join(blobs).join(hex)
}

#[test]
fn a_torn_blob_is_named_by_the_check_and_mended_by_the_next_pull() {
    for generation in Generation::ALL {
        let stage = Stage::filled(generation);
        whole(&stage);
        for (what, of, tear, deep) in TABLE {
            let digest = of(stage.image("k8s/base").variant("linux/amd64"));
            let path = blob(&stage, digest);
            let before = std::fs::read(&path).unwrap();
            tear.at(&path);
            let more: &[&str] = if deep { &["--deep"] } else { &[] };
            if deep {
                assert_eq!(check(&stage, &[]).code, 0, "its size is right");
            }
            let found = check(&stage, more);
            assert_eq!(found.code, 3, "{what}: {}{}", found.stdout, found.stderr);
            let page: Value = serde_json::from_str(&found.stdout).unwrap();
            let faults = page["faults"].as_array().unwrap();
            let names = |fault: &Value| fault["fault"].as_str().unwrap().contains(digest);
            assert!(faults.iter().any(names), "{what}: {page:#}");

            let done = stage.pull_with(more);
            assert_eq!(done.code, 0, "{what}: {}{}", done.stdout, done.stderr);
            assert!(std::fs::read(&path).unwrap() == before, "{what}");
            whole(&stage);
        }
    }
}
