//! Transactions that were cut off: how they are noticed, and how they are finished.
//! It is separate because rpm itself knows no half-installed package: a killed transaction leaves old versions beside
//! new ones, scriptlets that never ran, and files under temporary names.
//!
//! Before each transaction a mark is written with the packages as they are; it is removed when dnf has returned. What
//! is installed beyond a mark that was left may lack its last scriptlets, so it is installed again.

use std::collections::BTreeSet;

use super::names::{brief, full_name, line, spec, spec_of, without_epoch};
use super::run::dnf;
use super::{Dnf, QUERY, fault};
use crate::error::{Error, Result};
use crate::host::root::Attr;
use crate::host::{Cmd, FileKind, Meta, Output, Packages as _};

/// The mark: a package a line as `NAME VERSION ARCH`, and offline directories after `# offline `.
const MARK: &str = "/var/lib/nodeagent/dnf-transaction";
const OFFLINE: &str = "# offline ";

/// Trees that packages have no files in.
const NOT_WALKED: &[&str] = &[
    "/proc",
    "/sys",
    "/dev",
    "/run",
    "/home",
    "/root",
    "/tmp",
    "/var/lib/containerd",
];

/// What a mark says.
struct Mark {
    before: BTreeSet<String>,
    offline: Vec<String>,
}

impl Dnf {
    /// What is left of an interrupted transaction.
    pub(super) fn left_over(&self) -> Result<Option<String>> {
        if self.root.present(MARK)? {
            let names = self.doubtful()?;
            return Ok(Some(match names.is_empty() {
                true => "dnf was interrupted".to_owned(),
                false => format!("dnf was interrupted; not certain: {}", brief(&names)),
            }));
        }
        let all = self.installed()?;
        let older: Vec<&String> = all
            .iter()
            .filter(|(_, p)| !p.complete)
            .map(|(k, _)| k)
            .collect();
        let names: Vec<String> = older.into_iter().cloned().collect();
        Ok((!names.is_empty()).then(|| format!("half upgraded: {}", brief(&names))))
    }

    /// Runs what changes packages, under a mark that stays when it is cut off.
    pub(super) fn transaction(&self, cmd: &Cmd, offline: &[String]) -> Result<Output> {
        let own = !self.root.present(MARK)?;
        if own {
            self.mark(&self.lines()?, offline)?;
        }
        let output = self.tried(cmd)?;
        // 128 and more: a signal ended it, as surely amid its work as our own death would have been.
        if own && output.code < 128 {
            self.root.remove(MARK)?;
        }
        Ok(output)
    }

    /// Scriptlets that failed although their package is in the database. They are marked, for the next run to repeat.
    pub(super) fn failed_scriptlets(&self, output: &Output) -> Result<Vec<fault::Scriptlet>> {
        let mut failed = fault::scriptlets(output);
        if failed.is_empty() {
            return Ok(failed);
        }
        let all = self.installed()?;
        let files: BTreeSet<String> = all.iter().map(|(key, p)| full_name(key, p)).collect();
        // A scriptlet of a package that went away changes nothing that is here.
        failed.retain(|scriptlet| files.contains(&without_epoch(&scriptlet.package)));
        if failed.is_empty() || self.root.present(MARK)? {
            return Ok(failed);
        }
        let bad = |line: &String| {
            failed
                .iter()
                .any(|s| spec_of(line) == without_epoch(&s.package))
        };
        let good: BTreeSet<String> = self
            .lines()?
            .into_iter()
            .filter(|line| !bad(line))
            .collect();
        self.mark(&good, &[])?;
        Ok(failed)
    }

    /// Removes older versions beside newer ones, installs again what is not certain, removes temporary files.
    pub(super) fn finish(&self) -> Result<()> {
        let mark = self.read_mark()?;
        let mut again: BTreeSet<String> = match &mark {
            Some(_) => self.doubtful()?.into_iter().collect(),
            None => BTreeSet::new(),
        };
        again.extend(self.remove_older()?);
        if !again.is_empty() {
            let again: Vec<String> = again.into_iter().collect();
            let offline = mark.as_ref().map(|m| m.offline.clone()).unwrap_or_default();
            self.install_again(&again, &offline)?;
        }
        if mark.is_some() {
            self.remove_temporary()?;
            self.root.remove(MARK)?;
        }
        match self.left_over()? {
            None => Ok(()),
            Some(left) => Err(Error::host(left).hint("look at dnf check and /var/log/dnf.log")),
        }
    }

    /// Installed now and not before the mark, as name-version-release.arch.
    fn doubtful(&self) -> Result<Vec<String>> {
        let Some(mark) = self.read_mark()? else {
            return Ok(Vec::new());
        };
        let all = self.installed()?;
        let newer = all.iter().filter(|(key, package)| {
            let newest = package.complete;
            newest && !mark.before.contains(&line(key, package))
        });
        Ok(newer.map(|(key, package)| spec(key, package)).collect())
    }

    /// Takes older versions out as the transaction would have; their newer ones, which may lack scriptlets, are given.
    fn remove_older(&self) -> Result<Vec<String>> {
        let all = self.installed()?;
        let older = all.iter().filter(|(_, package)| !package.complete);
        let specs: Vec<String> = older
            .clone()
            .map(|(key, package)| spec(key, package))
            .collect();
        if specs.is_empty() {
            return Ok(Vec::new());
        }
        let newer = older.filter_map(|(key, _)| {
            let newest = key.split('=').next()?;
            Some(spec(newest, all.get(newest)?))
        });
        let newer: Vec<String> = newer.collect();
        // Without its dependencies: those are met by the newer version, which is there.
        let argv = ["rpm", "-e", "--nodeps", "--allmatches", "--"].map(str::to_owned);
        let erase = Cmd::new(argv.into_iter().chain(specs)).timeout(QUERY * 5);
        self.finished(&self.tried(&erase)?)?;
        Ok(newer)
    }

    fn install_again(&self, specs: &[String], offline: &[String]) -> Result<()> {
        let args: Vec<String> = std::iter::once("--".to_owned())
            .chain(specs.iter().cloned())
            .collect();
        let output = self.online("reinstall", &args, offline)?;
        let gone = matches!(
            fault::classify(&output),
            fault::Fault::Network | fault::Fault::Nowhere | fault::Fault::Candidate
        );
        if output.ok() || !gone || offline.is_empty() {
            return self.finished(&output);
        }
        self.notes.warn(format!(
            "installing again from {}: {}",
            offline.join(", "),
            fault::meaning(&output)
        ));
        let files = self.files_of(specs, offline)?;
        let argv = ["--disablerepo=*".to_owned(), "--".to_owned()];
        self.import_keys()?;
        let output = self.tried(&dnf("reinstall", argv.into_iter().chain(files)))?;
        self.finished(&output)
    }

    /// Files that rpm had unpacked and not yet given their names: `NAME;HEX`, eight digits of the transaction's time.
    fn remove_temporary(&self) -> Result<()> {
        let mut found = Vec::new();
        self.root.walk(&mut |path: &str, meta: &Meta| {
            if matches!(meta.kind, FileKind::File | FileKind::Symlink) && is_temporary(path) {
                found.push(path.to_owned());
            }
            !NOT_WALKED.contains(&path)
        })?;
        for path in &found {
            self.root.remove(path)?;
        }
        if !found.is_empty() {
            self.notes.warn(format!(
                "removed {} files that rpm had half unpacked",
                found.len()
            ));
        }
        Ok(())
    }

    fn lines(&self) -> Result<BTreeSet<String>> {
        Ok(self
            .installed()?
            .iter()
            .map(|(key, p)| line(key, p))
            .collect())
    }

    fn mark(&self, lines: &BTreeSet<String>, offline: &[String]) -> Result<()> {
        let dirs = offline.iter().map(|dir| format!("{OFFLINE}{dir}\n"));
        let text: String = dirs
            .chain(lines.iter().map(|line| format!("{line}\n")))
            .collect();
        self.root.make_parent(MARK)?;
        self.root.write(MARK, text.as_bytes(), Attr::root(0o600))
    }

    fn read_mark(&self) -> Result<Option<Mark>> {
        let Some(text) = self.root.read_text(MARK)? else {
            return Ok(None);
        };
        let offline = text.lines().filter_map(|l| l.strip_prefix(OFFLINE));
        let before = text.lines().filter(|l| !l.starts_with('#'));
        Ok(Some(Mark {
            offline: offline.map(str::to_owned).collect(),
            before: before.map(str::to_owned).collect(),
        }))
    }
}

fn is_temporary(path: &str) -> bool {
    let Some((_, id)) = path.rsplit_once(';') else {
        return false;
    };
    id.len() == 8
        && id
            .bytes()
            .all(|c| c.is_ascii_digit() || (b'a'..=b'f').contains(&c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn temporary_names_are_rpms_and_no_others() {
        let table = [
            ("/usr/bin/a;6558f0aa", true),
            ("/usr/bin/a;6558F0AA", false),
            ("/usr/bin/a;6558f0a", false),
            ("/usr/bin/a;6558f0aag", false),
            ("/usr/bin/a", false),
        ];
        for (path, want) in table {
            assert_eq!(is_temporary(path), want, "{path}");
        }
    }
}
