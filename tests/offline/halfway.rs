//! States that a power cut leaves in the middle of sealing, and evidence that somebody put beside a closed seal.
//! It is separate because no verb makes these states on purpose: they are put together by hand here.

use serde_json::Value;

use super::{drift, sealed};
use crate::support::offline::{Mini, code, json};

const SEAL: &str = "etc/packer-build/seal.json";
const RECORD: &str = "etc/packer-build/bake-record.json";
const BUILDING: &str = r#"{"schema":1,"state":"building","tool":"0.1.0"}"#;

/// Salt, tombstones and the verbs of the runs.
fn evidence(mini: &Mini) -> (Value, Value, Vec<String>) {
    let record: Value = serde_json::from_str(&mini.text(RECORD)).unwrap();
    let runs = record["runs"].as_array().unwrap();
    let verbs = runs
        .iter()
        .map(|run| run["verb"].as_str().unwrap().to_owned())
        .collect();
    (record["salt"].clone(), record["tombstones"].clone(), verbs)
}

#[test]
fn cut_off_between_journal_and_seal_the_next_run_loses_no_evidence() {
    for again in [&["generalize"][..], &["bake", "generalize"]] {
        let mini = sealed();
        let (salt, tombstones, verbs) = evidence(&mini);
        assert!(tombstones.as_array().unwrap().len() > 3);
        mini.put(SEAL, BUILDING);
        for verb in again {
            let output = if *verb == "bake" {
                mini.bake(&[])
            } else {
                mini.run(&[*verb])
            };
            assert_eq!(code(&output), 0);
        }
        let now = evidence(&mini);
        assert_eq!((&now.0, &now.1), (&salt, &tombstones), "{again:?}");
        assert_eq!(
            now.2,
            [verbs, again.iter().map(|v| (*v).to_owned()).collect()].concat()
        );
        assert_eq!(code(&mini.run(&["verify"])), 0);
    }
}

#[test]
fn what_generalize_left_out_is_left_out_by_the_run_that_closes_its_seal() {
    let mini = Mini::new();
    assert_eq!(code(&mini.bake(&[])), 0);
    mini.put("etc/nginx/site.key", "-----BEGIN RSA PRIVATE KEY-----\n");
    let skip = ["generalize", "--skip", "forbidden:secrets"];
    assert_eq!(code(&mini.run(&["generalize"])), 1, "it is not forbidden");
    assert_eq!(code(&mini.run(&skip)), 0);
    let closed = mini.text(SEAL);
    assert!(closed.contains("\"closed\""), "{closed}");
    mini.put(SEAL, &closed.replace("\"closed\"", "\"pending\""));
    assert_eq!(code(&mini.run(&["generalize"])), 0);
    assert!(mini.text(SEAL).contains("\"closed\""));
    let record: Value = serde_json::from_str(&mini.text(RECORD)).unwrap();
    let last = record["runs"].as_array().unwrap().last().unwrap();
    assert_eq!(last["skip"], serde_json::json!(["forbidden:secrets"]));
}

#[test]
fn a_journal_beside_a_closed_seal_is_no_evidence() {
    let mini = sealed();
    // Of another salt and without tombstones: with it every identifier would be "made anew".
    mini.put(
        "var/lib/nodeagent/journal.jsonl",
        "{\"event\":\"salt\",\"salt\":\"00\"}\n{\"event\":\"tombstone\",\"kind\":\"machine-id\",\"digest\":\"00\"}\n",
    );
    mini.put("etc/machine-id", "0123456789abcdef0123456789abcdef\n");
    let verdict = mini.run(&["verify", "--place", "node", "--json"]);
    assert!(code(&verdict) != 0);
    assert!(drift(&json(&verdict)).contains(&"identity:machine-id".to_owned()));
}
