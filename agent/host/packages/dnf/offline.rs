//! Installing from a directory of package files when no repository can be had, signatures checked all the same.
//! It is separate because without metadata somebody must say which of the files are needed: that is worked out here.

use std::collections::{BTreeMap, BTreeSet};

use super::database::Row;
use super::run::dnf;
use super::{Dnf, QUERY, version};
use crate::error::{Error, Result};
use crate::host::packages::{Installed, PackageRequest};
use crate::host::{Cmd, Packages as _};

/// The question about package files, beside what is asked of the database.
const FORMAT: &str = "%{NAME}\\t%{EPOCHNUM}\\t%{VERSION}-%{RELEASE}\\t%{ARCH}\\t[%{PROVIDENAME} ]\\t[%{REQUIRENAME} ]\\t[%{FILENAMES} ]\\n";
/// Where dnf looks for repositories.
const REPOSITORIES: &str = "/etc/yum.repos.d";
/// The exec seam keeps no more of an answer.
const LIMIT: usize = 16 << 20;

/// A package file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct File {
    path: String,
    name: String,
    version: String,
    arch: String,
    provides: BTreeSet<String>,
    requires: Vec<String>,
}

/// The offline directories of all requests, each once.
pub(super) fn dirs(wanted: &[PackageRequest]) -> Vec<String> {
    let all: BTreeSet<String> = wanted.iter().filter_map(|p| p.offline.clone()).collect();
    all.into_iter().collect()
}

impl Dnf {
    /// Installs the wanted packages and what they need from package files alone.
    pub(super) fn install_offline(&self, wanted: &[PackageRequest], dirs: &[String]) -> Result<()> {
        let files = self.files(dirs)?;
        let chosen = closure(&files, wanted, &*self.installed()?)?;
        self.import_keys()?;
        let args = [
            "--disablerepo=*",
            "--setopt=excludepkgs=,",
            "--disableplugin=versionlock",
            "--",
        ];
        let args = args.map(str::to_owned).into_iter().chain(chosen);
        let output = self.transaction(&dnf("install", args), dirs)?;
        self.finished(&output)
    }

    /// Paths of the files that hold exactly these packages (name-version-release.arch).
    pub(super) fn files_of(&self, specs: &[String], dirs: &[String]) -> Result<Vec<String>> {
        let files = self.files(dirs)?;
        let find = |spec: &String| {
            let named = |f: &&File| format!("{}-{}.{}", f.name, f.version, f.arch) == *spec;
            let found = files.iter().find(named).map(|f| f.path.clone());
            found.ok_or_else(|| lacking(spec, dirs))
        };
        specs.iter().map(find).collect()
    }

    /// Trusts the local keys that the configured repositories name, as dnf does when it first installs from one.
    pub(super) fn import_keys(&self) -> Result<()> {
        let mut keys = BTreeSet::new();
        for name in self.root.list(REPOSITORIES)? {
            if name.ends_with(".repo") {
                let text = self.root.read_text(&format!("{REPOSITORIES}/{name}"))?;
                keys.extend(local_keys(&text.unwrap_or_default()));
            }
        }
        let mut there = Vec::new();
        for key in keys {
            if self.root.present(&key)? {
                there.push(key);
            }
        }
        if there.is_empty() {
            return Ok(());
        }
        let argv = ["rpmkeys", "--import", "--"].map(str::to_owned);
        let output = self.tried(&Cmd::new(argv.into_iter().chain(there)).timeout(QUERY))?;
        self.finished(&output)
    }

    /// All package files of the directories, in one process.
    fn files(&self, dirs: &[String]) -> Result<Vec<File>> {
        let mut paths = Vec::new();
        for dir in dirs {
            let names = self.root.list(dir)?;
            let rpms = names.iter().filter(|name| name.ends_with(".rpm"));
            paths.extend(rpms.map(|name| format!("{dir}/{name}")));
        }
        if paths.is_empty() {
            let text = format!("find package files: {} holds no .rpm", dirs.join(", "));
            return Err(Error::host(text)
                .hint("put the packages and all they need there, or give the network back"));
        }
        let argv = ["rpm", "-qp", "--nomanifest", "--qf", FORMAT, "--"].map(str::to_owned);
        let output = self
            .exec
            .run(&Cmd::new(argv.into_iter().chain(paths.iter().cloned())).timeout(QUERY))?;
        let text = output.text();
        let rows: Option<Vec<File>> = text
            .lines()
            .zip(&paths)
            .map(|(line, path)| File::of(line, path))
            .collect();
        match rows {
            Some(rows)
                if output.ok() && rows.len() == paths.len() && output.stdout.len() < LIMIT =>
            {
                Ok(rows)
            }
            _ => Err(self.unreadable(&paths, &output.errors())?),
        }
    }

    /// Which of the files cannot be read: rpm passes over it without a word when others are asked for with it.
    fn unreadable(&self, paths: &[String], said: &str) -> Result<Error> {
        for path in paths {
            let alone = ["rpm", "-qp", "--nomanifest", "--", path];
            if !self.exec.run(&Cmd::new(alone).timeout(QUERY))?.ok() {
                return Ok(
                    Error::host(format!("read the package file {path}: it is no package"))
                        .hint("remove or replace it"),
                );
            }
        }
        Ok(Error::host(format!(
            "read the package files: {}",
            said.trim()
        )))
    }
}

impl File {
    fn of(line: &str, path: &str) -> Option<Self> {
        let row = Row::of(line)?;
        let words = |text: &str| {
            text.split_ascii_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        let mut more = line.split('\t').skip(4);
        let (provides, requires, names) = (more.next()?, more.next()?, more.next()?);
        Some(Self {
            path: path.to_owned(),
            name: row.name.to_owned(),
            arch: row.arch.to_owned(),
            provides: words(provides).into_iter().chain(words(names)).collect(),
            // A rich dependency such as `(a if b)` names all that may be needed.
            requires: words(requires)
                .iter()
                .map(|word| word.trim_matches(['(', ')']).to_owned())
                .collect(),
            version: row.version,
        })
    }
}

fn lacking(what: &str, dirs: &[String]) -> Error {
    Error::host(format!(
        "find a package file for {what} in {}",
        dirs.join(", ")
    ))
    .hint("put it there, with all it needs")
}

/// Paths of the newest fitting file of each wanted package and of all it needs that the files can give. dnf then
/// judges whether that is enough: what is installed already is known to it alone.
fn closure(
    files: &[File],
    wanted: &[PackageRequest],
    installed: &BTreeMap<String, Installed>,
) -> Result<Vec<String>> {
    let newest = |fits: &dyn Fn(&File) -> bool| {
        let fitting = files.iter().filter(|file| fits(file));
        fitting.max_by(|a, b| version::compare(&a.version, &b.version))
    };
    let mut open = Vec::new();
    for want in wanted {
        let version_fits = |file: &File| {
            let exact = want.version.as_deref();
            exact.is_none_or(|exact| version::compare(&file.version, exact).is_eq())
        };
        let found = newest(&|file| file.name == want.name && version_fits(file));
        let spec = match &want.version {
            Some(version) => format!("{} {version}", want.name),
            None => want.name.clone(),
        };
        open.push(found.ok_or_else(|| lacking(&spec, &dirs(wanted)))?);
    }
    let mut chosen: BTreeMap<&str, &File> = BTreeMap::new();
    while let Some(file) = open.pop() {
        if chosen.contains_key(file.name.as_str()) {
            continue;
        }
        chosen.insert(&file.name, file);
        for need in &file.requires {
            let givers: BTreeSet<&str> = files
                .iter()
                .filter(|f| f.provides.contains(need))
                .map(|f| f.name.as_str())
                .collect();
            // What is installed in that version or a newer one stays: a file never takes a package back.
            let newer = |file: &&File| {
                let now = installed.get(&file.name);
                now.is_none_or(|now| version::compare(&file.version, &now.version).is_gt())
            };
            open.extend(
                givers
                    .into_iter()
                    .filter_map(|name| newest(&|file| file.name == name))
                    .filter(newer),
            );
        }
    }
    Ok(chosen.values().map(|file| file.path.clone()).collect())
}

/// Local key files of enabled repositories that check signatures.
fn local_keys(repo: &str) -> Vec<String> {
    let mut keys = Vec::new();
    let mut section: Vec<String> = Vec::new();
    let mut counts = true;
    for line in repo.lines().chain(["[end]"]) {
        let line = line.trim();
        if line.starts_with('[') {
            if counts {
                keys.append(&mut section);
            }
            section.clear();
            counts = true;
            continue;
        }
        let (key, value) = line.split_once('=').unwrap_or(("", line));
        let off = matches!(
            value.trim().to_ascii_lowercase().as_str(),
            "0" | "no" | "false" | "off"
        );
        match key.trim() {
            "enabled" | "gpgcheck" if off => counts = false,
            "gpgkey" | "" => {
                let words = value.split([',', ' ', '\t']);
                section.extend(
                    words
                        .filter_map(|word| word.strip_prefix("file://"))
                        .map(str::to_owned),
                );
            }
            _ => {}
        }
    }
    keys
}

#[cfg(test)]
mod tests;
