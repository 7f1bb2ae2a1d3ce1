//! How far cloud-init is, from its own files: status.json while it runs, result.json once it has finished.
//! It is separate because `cloud-init status --wait` has no deadline, and its exit codes changed with 23.4.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::diagnosis::clean;
use crate::error::{Context as _, Result};
use crate::host::Host;

pub(super) const STATUS: &str = "/run/cloud-init/status.json";
const RESULT: &str = "/run/cloud-init/result.json";
/// The last of its units, under this name in every version.
const LAST_UNIT: &str = "cloud-final.service";

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Seen {
    /// How far it is.
    pub state: State,
    /// Where the machine's data came from, once that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub datasource: Option<String>,
    /// Errors: `cloud-init status` exits with 1.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<String>,
    /// Errors that it recovered from: `cloud-init status` exits with 2 since 23.4.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub recoverable: Vec<String>,
}

/// How far it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// There is nothing to wait for, and why.
    NotApplicable(String),
    /// Not finished; the stage in words.
    Running(String),
    /// Finished, well or not.
    Finished,
}

/// status.json and result.json; the parts of the former are the stages.
#[derive(Debug, Default, Deserialize)]
struct File {
    v1: V1,
}

#[derive(Debug, Default, Deserialize)]
struct V1 {
    #[serde(default)]
    datasource: Option<String>,
    #[serde(default)]
    stage: Option<String>,
    #[serde(default)]
    errors: Vec<Value>,
    #[serde(default)]
    recoverable_errors: BTreeMap<String, Vec<Value>>,
    #[serde(flatten)]
    stages: BTreeMap<String, Value>,
}

/// One stage.
#[derive(Debug, Default, Deserialize)]
struct Stage {
    #[serde(default)]
    errors: Vec<Value>,
    #[serde(default)]
    recoverable_errors: BTreeMap<String, Vec<Value>>,
    #[serde(default)]
    start: Option<f64>,
    #[serde(default)]
    finished: Option<f64>,
}

/// Looks; never waits.
pub(super) fn look(host: &Host) -> Result<Seen> {
    if let Some(why) = nothing_to_wait_for(host)? {
        return Ok(Seen {
            state: State::NotApplicable(why),
            datasource: None,
            errors: Vec::new(),
            recoverable: Vec::new(),
        });
    }
    let status = read(host, STATUS)?.unwrap_or_default();
    // Written last, in one go: it is there when all stages are over.
    let result = read(host, RESULT)?;
    Ok(judge(&status, result.as_ref()))
}

/// Both are replaced by a rename, so what is there is whole.
fn read(host: &Host, path: &str) -> Result<Option<V1>> {
    let Some(text) = host.root.read_text(path)? else {
        return Ok(None);
    };
    let file: File = serde_json::from_str(&text)
        .context(|| format!("read {path}: it is not what cloud-init writes"))
        .map_err(|error| error.hint("see `cloud-init status --long`"))?;
    Ok(Some(file.v1))
}

/// Why there is nothing to wait for; the order is that of its own generator.
fn nothing_to_wait_for(host: &Host) -> Result<Option<String>> {
    let root = &host.root;
    let why = if !host.context.has_manager() {
        "there is no booted system here".to_owned()
    } else if !root.present("/usr/bin/cloud-init")? {
        "cloud-init is not installed".to_owned()
    } else if under_cloud_init(host)? {
        "this bake is run by cloud-init itself, which would wait for its own end".to_owned()
    } else if root.present("/etc/cloud/cloud-init.disabled")? {
        "cloud-init is disabled by /etc/cloud/cloud-init.disabled".to_owned()
    } else if host
        .kernel
        .command_line()?
        .split_whitespace()
        .any(|w| w == "cloud-init=disabled")
    {
        "cloud-init is disabled on the kernel's command line".to_owned()
    } else if root.present("/run/cloud-init/disabled")? {
        "cloud-init is disabled: its generator found no data source".to_owned()
    } else if root.present("/run/cloud-init/enabled")? || root.present(STATUS)? {
        return Ok(None);
    } else {
        let unit = host.units.state(LAST_UNIT)?;
        if unit.exists && unit.enablement == "enabled" {
            return Ok(None);
        }
        format!("{LAST_UNIT} is not enabled")
    };
    Ok(Some(why))
}

/// Waiting from inside of one of its units would be for ever.
fn under_cloud_init(host: &Host) -> Result<bool> {
    let groups = host
        .root
        .read_text("/proc/self/cgroup")?
        .unwrap_or_default();
    let mut parts = groups.split(['/', '\n']);
    Ok(parts.any(|part| part.starts_with("cloud-") && part.ends_with(".service")))
}

fn judge(status: &V1, result: Option<&V1>) -> Seen {
    let stages: Vec<(&String, Stage)> = status
        .stages
        .iter()
        .filter_map(|(name, value)| Some((name, Stage::deserialize(value).ok()?)))
        .collect();
    let mut errors = strings(&result.unwrap_or(status).errors);
    let mut recoverable = levels(&result.unwrap_or(status).recoverable_errors);
    for (_, stage) in &stages {
        errors.extend(strings(&stage.errors));
        recoverable.extend(levels(&stage.recoverable_errors));
    }
    for list in [&mut errors, &mut recoverable] {
        list.sort();
        list.dedup();
    }
    let state = match (result, &status.stage) {
        (Some(_), _) => State::Finished,
        (None, Some(stage)) => State::Running(format!("stage {stage}")),
        (None, None) => {
            let begun = |s: &&(&String, Stage)| s.1.start.is_some();
            let mut done: Vec<_> = stages.iter().filter(begun).collect();
            done.sort_by(|a, b| {
                a.1.start
                    .unwrap_or(0.0)
                    .total_cmp(&b.1.start.unwrap_or(0.0))
            });
            State::Running(match done.last() {
                Some((name, stage)) if stage.finished.is_some() => format!("after stage {name}"),
                Some((name, _)) => format!("stage {name}"),
                None => "not started".to_owned(),
            })
        }
    };
    let datasource = result
        .and_then(|r| r.datasource.clone())
        .or_else(|| status.datasource.clone());
    Seen {
        state,
        datasource: datasource.filter(|d| !d.is_empty()).map(|d| clean(&d)),
        errors,
        recoverable,
    }
}

fn strings(values: &[Value]) -> Vec<String> {
    let text = |value: &Value| match value {
        Value::String(text) => clean(text),
        other => clean(&other.to_string()),
    };
    values.iter().map(text).collect()
}

fn levels(errors: &BTreeMap<String, Vec<Value>>) -> Vec<String> {
    let of = |(level, values): (&String, &Vec<Value>)| {
        let lines = strings(values).into_iter();
        lines
            .map(|line| format!("{level}: {line}"))
            .collect::<Vec<_>>()
    };
    errors.iter().flat_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v1(text: &str) -> V1 {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn the_state_follows_from_both_files_of_old_and_new_versions() {
        let table = [
            ("{}", None, State::Running("not started".into()), 0, 0),
            (
                r#"{"stage": "init", "init": {"start": 2.0, "finished": null, "errors": []}}"#,
                None,
                State::Running("stage init".into()),
                0,
                0,
            ),
            (
                r#"{"stage": null, "init-local": {"start": 1.0, "finished": 1.5}, "init": {"start": 2.0, "finished": 3.0}, "modules-config": {"start": null}}"#,
                None,
                State::Running("after stage init".into()),
                0,
                0,
            ),
            (
                r#"{"stage": "modules-final"}"#,
                Some(r#"{"datasource": "DataSourceNoCloud", "errors": []}"#),
                State::Finished,
                0,
                0,
            ),
            (
                r#"{"init": {"errors": ["x"]}}"#,
                Some(r#"{"errors": ["x", "y"]}"#),
                State::Finished,
                2,
                0,
            ),
            (
                r#"{"modules-final": {"recoverable_errors": {"WARNING": ["w"], "DEPRECATED": ["d"]}}}"#,
                Some(r#"{"errors": [], "recoverable_errors": {}}"#),
                State::Finished,
                0,
                2,
            ),
        ];
        for (status, result, state, errors, recoverable) in table {
            let result = result.map(v1);
            let seen = judge(&v1(status), result.as_ref());
            assert_eq!(
                (&seen.state, seen.errors.len(), seen.recoverable.len()),
                (&state, errors, recoverable),
                "{status}"
            );
        }
    }
}
