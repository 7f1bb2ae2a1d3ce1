//! How long each stage of cloud-init took and what went wrong, from the two files that it leaves.
//! It is separate from the kind that waits for it, because nothing is judged here and old and new versions differ.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How far it is, replaced at every stage.
pub const STATUS: &str = "/run/cloud-init/status.json";
/// How it ended; there when all stages are over.
pub const RESULT: &str = "/run/cloud-init/result.json";

/// Its stages by the names of their keys, in order.
const STAGES: [&str; 4] = ["init-local", "init", "modules-config", "modules-final"];

/// What cloud-init says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloudInit {
    /// All stages are over.
    pub finished: bool,
    /// Where the machine's data came from.
    pub datasource: Option<String>,
    /// How many errors it had.
    pub errors: u64,
    /// How many it recovered from, deprecations included.
    pub recoverable: u64,
    /// Its stages that are over.
    pub stages: Vec<Stage>,
}

/// One stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    /// cloud-init's name for it.
    pub name: String,
    /// How long it took, by the wall clock, in microseconds.
    pub micros: u64,
}

#[derive(Debug, Default, Deserialize)]
struct File {
    v1: BTreeMap<String, Value>,
}

/// Reads both files' bytes.
pub fn read(status: &[u8], result: Option<&[u8]>) -> Result<CloudInit, String> {
    let status = parse(STATUS, status)?;
    let result = result.map(|bytes| parse(RESULT, bytes)).transpose()?;
    let parts = STAGES.map(|name| (name, status.get(name)));
    let stages = parts.iter().filter_map(|(name, stage)| {
        Some(Stage {
            name: (*name).to_owned(),
            micros: took((*stage)?)?,
        })
    });
    let own = parts.iter().filter_map(|(_, stage)| *stage);
    let datasource = [result.as_ref(), Some(&status)]
        .into_iter()
        .flatten()
        .find_map(|file| file.get("datasource")?.as_str())
        .filter(|name| !name.is_empty());
    Ok(CloudInit {
        finished: result.is_some(),
        datasource: datasource.map(str::to_owned),
        errors: own.clone().map(|stage| count(stage.get("errors"))).sum(),
        recoverable: own
            .map(|stage| count(stage.get("recoverable_errors")))
            .sum(),
        stages: stages.collect(),
    })
}

fn parse(path: &str, bytes: &[u8]) -> Result<BTreeMap<String, Value>, String> {
    let file: Result<File, _> = serde_json::from_slice(bytes);
    file.map(|file| file.v1)
        .map_err(|error| format!("{path} is not what cloud-init writes: {error}"))
}

/// A step of the wall clock can make a stage end before it began: then nobody knows.
fn took(stage: &Value) -> Option<u64> {
    let start = stage.get("start")?.as_f64()?;
    let seconds = stage.get("finished")?.as_f64()? - start;
    let micros = std::time::Duration::try_from_secs_f64(seconds).ok()?;
    u64::try_from(micros.as_micros()).ok()
}

/// Entries of a list, or of all lists by severity.
fn count(errors: Option<&Value>) -> u64 {
    let entries = match errors {
        Some(Value::Array(list)) => list.len(),
        Some(Value::Object(levels)) => levels
            .values()
            .map(|list| list.as_array().map_or(0, Vec::len))
            .sum(),
        _ => 0,
    };
    entries as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_and_errors_are_those_of_the_files() {
        let status = br#"{"v1": {"datasource": "", "stage": null,
            "init-local": {"start": 100.25, "finished": 101.5, "errors": []},
            "init": {"start": 102.0, "finished": 101.0, "errors": ["x"], "recoverable_errors": {}},
            "modules-config": {"start": 103.0, "finished": null, "errors": []},
            "modules-final": {"recoverable_errors": {"WARNING": ["a"], "DEPRECATED": ["b", "c"]}}}}"#;
        let result = br#"{"v1": {"datasource": "DataSourceNoCloud", "errors": ["x"]}}"#;
        let found = read(status, Some(result)).unwrap();
        let stages: Vec<(&str, u64)> = found
            .stages
            .iter()
            .map(|stage| (stage.name.as_str(), stage.micros))
            .collect();
        assert_eq!(stages, [("init-local", 1_250_000)]);
        assert_eq!((found.errors, found.recoverable), (1, 3));
        assert_eq!(found.datasource.as_deref(), Some("DataSourceNoCloud"));
        assert!(found.finished);
        assert!(!read(status, None).unwrap().finished);
        for broken in ["", "[]", "{}", r#"{"v1": 1}"#] {
            let why = read(broken.as_bytes(), None).unwrap_err();
            assert!(why.starts_with(STATUS), "{why}");
        }
    }
}
