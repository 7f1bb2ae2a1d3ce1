//! Calls nodeagent, in a machine or on the host, and keeps every report it gives.
//! Separate so that stages read reports by field name and a failure shows the agent's own words.

use crate::support::machine::{self as rig, Result, nspawn::Machine, pool, run};
use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

/// The profile the demo bakes.
pub(crate) const PROFILE: &str = "rke2-debian12";
/// What this build sets: its own account, and where the files of RKE2's release lie.
pub(crate) const SETTINGS: [&str; 4] = [
    "--set",
    "build_account=packer",
    "--set",
    "rke2_artifacts=/var/tmp/rke2-artifacts",
];
/// Where the binary is put in the build machine; the bake itself installs it.
pub(crate) const UPLOADED: &str = "/run/nodeagent-upload/nodeagent";
/// Where the bake has installed it.
pub(crate) const INSTALLED: &str = "/usr/bin/nodeagent";

const LIMIT: Duration = Duration::from_mins(15);

/// One call's exit code and its JSON report.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) exit: i32,
    pub(crate) json: Value,
    what: String,
}

/// Keeps reports and logs below `out`, numbered in the order they came.
#[derive(Debug)]
pub(crate) struct Caller {
    out: PathBuf,
}

impl Caller {
    /// Prepares an empty directory for reports.
    pub(crate) fn new(out: PathBuf) -> Result<Self> {
        rig::cache::remove(&out)?;
        std::fs::create_dir_all(&out).map_err(|e| rig::doing("creating", &out, &e))?;
        Ok(Self { out })
    }

    /// Calls nodeagent in a machine.
    pub(crate) fn machine(&self, machine: &Machine, name: &str, argv: &[&str]) -> Result<Report> {
        self.call(&mut machine.command(argv), name, argv)
    }

    /// Calls nodeagent on the host.
    pub(crate) fn host(&self, binary: &Path, name: &str, args: &[&str]) -> Result<Report> {
        self.call(Command::new(binary).args(args), name, args)
    }

    fn call(&self, command: &mut Command, name: &str, argv: &[&str]) -> Result<Report> {
        let done = run::run(command, LIMIT)?;
        for (ending, text) in [("json", &done.stdout), ("log", &done.stderr)] {
            let path = self.out.join(format!("{name}.{ending}"));
            std::fs::write(&path, text).map_err(|e| rig::doing("writing", &path, &e))?;
        }
        let what = argv.join(" ");
        let json = serde_json::from_str(&done.stdout).map_err(|e| {
            let (out, err) = (run::tail(&done.stdout, 5), run::tail(&done.stderr, 20));
            format!(
                "{what}: exit {}; its report is not JSON: {e}\n{out}\n{err}",
                done.code
            )
        })?;
        Ok(Report {
            exit: done.code,
            json,
            what,
        })
    }
}

impl Report {
    /// Insists on an exit code; otherwise tells what the report says.
    pub(crate) fn expect_exit(self, exit: i32) -> Result<Self> {
        if self.exit == exit {
            return Ok(self);
        }
        let failed = self.json.get("failed").and_then(Value::as_array);
        let lines = failed
            .into_iter()
            .flatten()
            .map(|failure| format!("\n  {failure}"));
        let mut said: String = lines.collect();
        if said.is_empty() {
            said = self.json.to_string().chars().take(2000).collect();
        }
        Err(format!(
            "{}: exit {}, not {exit}:{said}",
            self.what, self.exit
        ))
    }

    /// A whole number of the report.
    pub(crate) fn number(&self, field: &str) -> Result<u64> {
        self.json
            .get(field)
            .and_then(Value::as_u64)
            .ok_or_else(|| self.lacks(field))
    }

    /// A number of seconds of the report.
    pub(crate) fn seconds(&self, field: &str) -> Result<f64> {
        self.json
            .get(field)
            .and_then(Value::as_f64)
            .ok_or_else(|| self.lacks(field))
    }

    /// The ids of a verdict's findings that are neither fine nor excepted.
    pub(crate) fn findings(&self) -> Vec<String> {
        let all = self.json.get("findings").and_then(Value::as_array);
        let bad = |finding: &&Value| {
            let status = finding
                .get("status")
                .and_then(Value::as_str)
                .unwrap_or_default();
            !matches!(status, "conforms" | "not-applicable" | "excepted")
        };
        let bad = all.into_iter().flatten().filter(bad);
        bad.filter_map(|finding| finding.get("id")?.as_str().map(str::to_owned))
            .collect()
    }

    /// How many facts a verdict found as they should be.
    pub(crate) fn conforming(&self) -> Result<u64> {
        let count = self
            .json
            .pointer("/counts/conforms")
            .and_then(Value::as_u64);
        count.ok_or_else(|| self.lacks("counts.conforms"))
    }

    fn lacks(&self, field: &str) -> String {
        format!("{}: its report lacks {field:?}", self.what)
    }
}

/// The packages the profile wants, from the merged policy; what machines may then install.
pub(crate) fn wanted_packages(caller: &Caller, binary: &Path) -> Result<Vec<String>> {
    let args = ["policy", "show", "--profile", PROFILE, "--json"];
    let report = caller.host(binary, "policy", &args)?.expect_exit(0)?;
    let names = pool::wanted(&report.json);
    if names.is_empty() {
        return Err(report.lacks("entries"));
    }
    Ok(names)
}
