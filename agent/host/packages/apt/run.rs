//! Running apt-get: its options, new indexes where needed, and trying again where that helps.
//! It is separate because it is the only place that decides when a failure is final.

use std::collections::BTreeMap;
use std::time::Duration;

use super::fault::{self, Fault};
use super::{Apt, INSTALL, LISTS, SOURCES_DIR, SOURCES_LIST, sources};
use crate::error::{Error, Result};
use crate::host::packages::wait::retried;
use crate::host::packages::{Installed, PackageRequest};
use crate::host::{Cmd, Output, Packages as _, environment};

/// How long fetching the indexes may take.
const UPDATE: Duration = Duration::from_secs(900);

/// Options of every apt-get. Recommended packages are left out: an image holds what its policy names. PATH is given
/// because apt would otherwise set its own for dpkg, without the programs that stand before others in a tree.
/// An index that cannot be fetched is an error: silently old indexes would bake old packages.
const OPTIONS: &[&str] = &[
    "-y",
    "-q",
    "--no-install-recommends",
    "-o=Dpkg::Options::=--force-confdef",
    "-o=Dpkg::Options::=--force-confold",
    "-o=DPkg::Path=/run/nodeagent-child:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "-o=DPkg::Lock::Timeout=60",
    "-o=Dpkg::Use-Pty=0",
    "-o=APT::Update::Error-Mode=any",
    "-o=Acquire::http::Timeout=30",
    "-o=Acquire::https::Timeout=30",
];

/// Environment in which no maintainer script asks a question or restarts what it was not asked to.
pub(super) fn noninteractive(cmd: Cmd) -> Cmd {
    cmd.env("DEBIAN_FRONTEND", "noninteractive")
        .env("DEBIAN_PRIORITY", "critical")
        .env("APT_LISTCHANGES_FRONTEND", "none")
        .env("APT_LISTBUGS_FRONTEND", "none")
        .env("NEEDRESTART_MODE", "l")
        .env("UCF_FORCE_CONFFOLD", "1")
}

/// Arguments of `apt-get install` for the wanted packages.
pub(super) fn install_args(
    wanted: &[PackageRequest],
    installed: &BTreeMap<String, Installed>,
) -> Vec<String> {
    let mut args = Vec::new();
    if wanted.iter().any(|package| package.version.is_some()) {
        args.push("--allow-downgrades".to_owned());
    }
    let held = |p: &PackageRequest| installed.get(&p.name).is_some_and(|now| now.held);
    if wanted.iter().any(held) {
        args.push("--allow-change-held-packages".to_owned());
    }
    args.push("--".to_owned());
    args.extend(wanted.iter().map(|package| match &package.version {
        Some(version) => format!("{}={version}", package.name),
        None => package.name.clone(),
    }));
    args
}

pub(super) fn apt_get(verb: &str, args: &[String], limit: Duration) -> Cmd {
    let head = ["apt-get"].iter().chain(OPTIONS).copied().chain([verb]);
    let argv = head.map(str::to_owned).chain(args.iter().cloned());
    let mut cmd = noninteractive(Cmd::new(argv)).timeout(limit);
    cmd.env.extend(environment::proxies());
    cmd
}

impl Apt {
    /// Does what changes packages, once more after a repair where apt asks for that.
    pub(super) fn or_repair(&self, change: impl Fn() -> Result<Output>) -> Result<()> {
        finished(&self.repaired(change)?)
    }

    /// The same, with what apt said last.
    pub(super) fn repaired(&self, change: impl Fn() -> Result<Output>) -> Result<Output> {
        let output = change()?;
        if output.ok() || fault::classify(&output) != Fault::Interrupted {
            return Ok(output);
        }
        self.repair()?;
        change()
    }

    /// Unpacks and configures packages again.
    pub(super) fn reinstall(&self, names: &[String]) -> Result<()> {
        let head = ["--reinstall", "--fix-broken", "--"].map(str::to_owned);
        let args: Vec<String> = head.into_iter().chain(names.iter().cloned()).collect();
        finished(&self.install_with_lists(&args)?)
    }

    /// Fetches what a broken dependency lacks: what dpkg cannot configure may wait for a package never unpacked.
    pub(super) fn fix_broken(&self) -> Result<()> {
        finished(&self.install_with_lists(&["--fix-broken".to_owned()])?)
    }

    /// Installs, with new indexes first where a source has none, and once more with new ones where a candidate lacks.
    pub(super) fn install_with_lists(&self, args: &[String]) -> Result<Output> {
        let install = apt_get("install", args, INSTALL);
        let fresh = !self.has_lists()?;
        if fresh {
            let updated = self.updated()?;
            if !updated.ok() {
                return Ok(updated);
            }
        }
        let output = self.tried(&install)?;
        if output.ok() || fresh || fault::classify(&output) != Fault::Candidate {
            return Ok(output);
        }
        self.notes.warn(format!(
            "fetching new package indexes: {}",
            fault::meaning(&output)
        ));
        let updated = self.updated()?;
        if !updated.ok() {
            return Ok(updated);
        }
        self.tried(&install)
    }

    /// Runs a command that takes dpkg's lock and must succeed.
    pub(super) fn locked(&self, cmd: &Cmd) -> Result<()> {
        finished(&self.tried(cmd)?)
    }

    /// Fetches the indexes of every source.
    pub(super) fn update(&self) -> Result<()> {
        finished(&self.updated()?)
    }

    fn updated(&self) -> Result<Output> {
        tracing::info!("fetching package indexes");
        self.tried(&apt_get("update", &[], UPDATE))
    }

    /// Whether every configured source was ever fetched, told by what is on disk.
    fn has_lists(&self) -> Result<bool> {
        let lists = self.root.list(LISTS)?;
        let mut files = vec![SOURCES_LIST.to_owned()];
        let parts = self.root.list(SOURCES_DIR)?.into_iter();
        let known = |name: &String| name.ends_with(".list") || name.ends_with(".sources");
        files.extend(
            parts
                .filter(known)
                .map(|name| format!("{SOURCES_DIR}/{name}")),
        );
        for file in &files {
            let bytes = self.root.read(file)?.unwrap_or_default();
            let text = String::from_utf8_lossy(&bytes);
            let missing = |prefix: &String| !lists.iter().any(|name| name.starts_with(prefix));
            if sources::prefixes(file, &text).iter().any(missing) {
                return Ok(false);
            }
        }
        Ok(lists.iter().any(|name| name.contains("_Packages")))
    }

    /// Runs under the locks, and again after a pause for faults that pass.
    pub(super) fn tried(&self, cmd: &Cmd) -> Result<Output> {
        let run = || {
            self.wait_for_locks()?;
            self.exec.run(cmd)
        };
        let passing = |output: &Output| {
            let passes = matches!(fault::classify(output), Fault::Lock | Fault::Network);
            (!output.ok() && passes).then(|| fault::meaning(output))
        };
        retried(&*self.clock, &self.notes, run, passing)
    }
}

/// What a command that had to succeed said.
pub(super) fn finished(output: &Output) -> Result<()> {
    if output.ok() {
        return Ok(());
    }
    let next = fault::next_step(fault::classify(output));
    Err(Error::host(fault::meaning(output)).hint(next))
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
    fn dangerous_options_come_only_with_their_need() {
        let held = Installed {
            version: "1".into(),
            arch: "amd64".into(),
            held: true,
            complete: true,
        };
        let installed = BTreeMap::from([("h".to_owned(), held)]);
        let table = [
            (vec![request("a", None)], "-- a"),
            (
                vec![request("a", Some("1:2"))],
                "--allow-downgrades -- a=1:2",
            ),
            (
                vec![request("a", None), request("h", None)],
                "--allow-change-held-packages -- a h",
            ),
        ];
        for (wanted, want) in table {
            assert_eq!(install_args(&wanted, &installed).join(" "), want);
        }
    }
}
