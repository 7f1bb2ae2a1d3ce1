//! Running dnf: its options, new metadata where needed, trying again where that helps, then the offline directory.
//! It is separate because it is the only place that decides when a failure is final.

use std::collections::BTreeMap;
use std::time::Duration;

use super::fault::{self, Fault};
use super::{Dnf, hold};
use crate::error::{Error, Result};
use crate::host::packages::wait::retried;
use crate::host::packages::{Installed, PackageRequest};
use crate::host::{Cmd, Output, Packages as _, environment};

/// How long a transaction may take.
const INSTALL: Duration = Duration::from_secs(3600);

/// Options of every dnf. Weak dependencies stay as the system has them. Metadata on disk does not expire by itself:
/// `refresh` asks anew, and so does an install that finds no candidate. A repository that cannot be had is an error:
/// left out silently, it would bake other packages. Package files must be signed as those of repositories are.
const OPTIONS: &[&str] = &[
    "-y",
    "--color=never",
    "--setopt=best=1",
    "--setopt=skip_if_unavailable=0",
    "--setopt=*.metadata_expire=-1",
    "--setopt=localpkg_gpgcheck=1",
    "--setopt=exit_on_lock=1",
    "--setopt=retries=3",
    "--setopt=timeout=30",
];

/// A dnf command; nothing in it asks a question.
pub(super) fn dnf<S: Into<String>>(verb: &str, args: impl IntoIterator<Item = S>) -> Cmd {
    let head = ["dnf"].iter().chain(OPTIONS).copied().chain([verb]);
    let argv = head
        .map(str::to_owned)
        .chain(args.into_iter().map(Into::into));
    let mut cmd = Cmd::new(argv).env("LANG", "C.UTF-8").timeout(INSTALL);
    cmd.env.extend(environment::proxies());
    cmd
}

/// Arguments of `dnf install` for the wanted packages; `excludes` are the patterns in force.
pub(super) fn install_args(
    wanted: &[PackageRequest],
    installed: &BTreeMap<String, Installed>,
    excludes: &[String],
) -> Vec<String> {
    let mut args = Vec::new();
    // A held package is wanted otherwise now: for it alone the hold does not count.
    let held = |p: &PackageRequest| installed.get(&p.name).is_some_and(|now| now.held);
    let named = |p: &PackageRequest| hold::names(excludes, &p.name);
    if wanted.iter().any(|p| held(p) || named(p)) {
        let wants = |pattern: &&String| {
            wanted
                .iter()
                .any(|p| hold::names(std::slice::from_ref(*pattern), &p.name))
        };
        let rest = excludes.iter().filter(|pattern| !wants(pattern));
        let rest: Vec<&str> = rest.map(String::as_str).collect();
        // An empty first word clears what the configuration says.
        args.push(format!("--setopt=excludepkgs=,{}", rest.join(",")));
        args.push("--disableplugin=versionlock".to_owned());
    }
    args.push("--".to_owned());
    args.extend(wanted.iter().map(|package| match &package.version {
        Some(version) => nevr(&package.name, version),
        None => package.name.clone(),
    }));
    args
}

/// `name-version` as dnf takes it, also with an epoch.
pub(super) fn nevr(name: &str, version: &str) -> String {
    format!("{name}-{version}")
}

impl Dnf {
    /// Installs from the repositories, else from the offline directories.
    pub(super) fn install_all(&self, wanted: &[PackageRequest]) -> Result<()> {
        let args = install_args(wanted, &*self.installed()?, &self.held()?);
        let offline = super::offline::dirs(wanted);
        let output = self.online("install", &args, &offline)?;
        let fault = fault::classify(&output);
        let gone = matches!(fault, Fault::Network | Fault::Nowhere);
        if output.ok() || !gone || offline.is_empty() {
            return self.finished(&output);
        }
        let why = fault::meaning(&output);
        self.notes.warn(format!(
            "installing from {}, because the repositories cannot be had: {why}",
            offline.join(", ")
        ));
        self.install_offline(wanted, &offline)
    }

    /// Changes packages from the repositories, once more with new metadata where a candidate lacks.
    pub(super) fn online(&self, verb: &str, args: &[String], offline: &[String]) -> Result<Output> {
        let change = dnf(verb, args);
        let output = self.transaction(&change, offline)?;
        if output.ok() || fault::classify(&output) != Fault::Candidate {
            return Ok(output);
        }
        self.notes.warn(format!(
            "fetching new metadata: {}",
            fault::meaning(&output)
        ));
        let fetched = self.tried(&fetch())?;
        match fetched.ok() {
            true => self.transaction(&change, offline),
            false => Ok(fetched),
        }
    }

    /// Fetches the metadata of every repository.
    pub(super) fn update(&self) -> Result<()> {
        tracing::info!("fetching the repositories' metadata");
        self.finished(&self.tried(&fetch())?)
    }

    /// Upgrades all that is not held, by the metadata on disk.
    pub(super) fn full_upgrade(&self) -> Result<()> {
        let output = self.transaction(&dnf("upgrade", [""; 0]), &[])?;
        self.finished(&output)
    }

    /// What an upgrade would change, worked out from the metadata on disk alone.
    pub(super) fn newer(&self) -> Result<Vec<String>> {
        let format = "--qf=%{name} %{evr}";
        let ask = dnf(
            "repoquery",
            ["-q", "-C", "--upgrades", "--latest-limit=1", format],
        );
        let output = self.tried(&ask)?;
        self.finished(&output)?;
        let text = output.text();
        Ok(text
            .lines()
            .filter(|l| !l.is_empty())
            .map(str::to_owned)
            .collect())
    }

    /// Runs under the locks, and again after a pause for faults that pass.
    pub(super) fn tried(&self, cmd: &Cmd) -> Result<Output> {
        let run = || {
            self.wait_for_locks()?;
            let output = self.exec.run(cmd);
            self.forget();
            output
        };
        let passing = |output: &Output| {
            let passes = matches!(fault::classify(output), Fault::Lock | Fault::Network);
            (!output.ok() && passes).then(|| fault::meaning(output))
        };
        retried(&*self.clock, &self.notes, run, passing)
    }

    /// What a command that had to succeed said. A scriptlet that failed is a failure, also where rpm went on.
    pub(super) fn finished(&self, output: &Output) -> Result<()> {
        let failed = self.failed_scriptlets(output)?;
        if output.ok() && failed.is_empty() {
            return Ok(());
        }
        let next = fault::next_step(fault::classify(output));
        Err(Error::host(fault::meaning(output)).hint(next))
    }
}

fn fetch() -> Cmd {
    dnf("makecache", ["--refresh"])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(name: &str, version: Option<&str>) -> PackageRequest {
        PackageRequest {
            name: name.to_owned(),
            version: version.map(str::to_owned),
            offline: None,
        }
    }

    #[test]
    fn a_hold_is_lifted_for_what_is_wanted_alone() {
        let held = Installed {
            version: "1-1".into(),
            arch: "noarch".into(),
            held: true,
            complete: true,
        };
        let installed = BTreeMap::from([("h".to_owned(), held)]);
        let excludes = ["h".to_owned(), "kernel*".to_owned()];
        let table = [
            (vec![request("a", None)], "-- a"),
            (vec![request("a", Some("1:2-3"))], "-- a-1:2-3"),
            (
                vec![request("a", None), request("h", Some("2-1"))],
                "--setopt=excludepkgs=,kernel* --disableplugin=versionlock -- a h-2-1",
            ),
        ];
        for (wanted, want) in table {
            assert_eq!(install_args(&wanted, &installed, &excludes).join(" "), want);
        }
    }
}
