//! Finding a unit's file in a tree: the search path, aliases, links out of it, masks and drop-ins.
//! It is separate because state and every change begin with it.

use std::collections::BTreeMap;

use super::Offline;
use super::install::Install;
use crate::error::{Error, Result};
use crate::host::FileKind;
use crate::host::systemd::name::{Form, Name, base, template_of, valid};

/// More symlinks in a row are taken for a loop.
const LINKS: usize = 64;

/// Where administrators' unit files lie, and where enabling makes its symlinks.
pub(super) const CONFIG: &str = "/etc/systemd/system";

/// The search path up to the vendor's directory, highest priority first (systemd.unit(5)).
const BEFORE_VENDOR: &[&str] = &[
    "/etc/systemd/system.control",
    "/run/systemd/system.control",
    "/run/systemd/transient",
    "/run/systemd/generator.early",
    CONFIG,
    "/etc/systemd/system.attached",
    "/run/systemd/system",
    "/run/systemd/system.attached",
    "/run/systemd/generator",
    "/usr/local/lib/systemd/system",
];

/// A unit that was found.
#[derive(Debug, Clone)]
pub(super) struct Found {
    /// Its name, after aliases.
    pub(super) name: String,
    /// Its file in the tree, after aliases and links.
    pub(super) path: String,
    /// It is masked; then nothing of it was read.
    pub(super) masked: bool,
    /// Its [Install] section with those of drop-ins.
    pub(super) install: Install,
    /// An alias in the administrator's directory was followed: enabling refuses that.
    pub(super) through_config: bool,
}

/// What lies at one path of the search path.
enum Step {
    File(String),
    Masked(String),
    /// Another name to look for.
    Alias(String),
    /// A link to a file that does not exist.
    Dangling,
}

impl Offline {
    /// The whole search path. Merged-usr trees reach one vendor directory by two names: links then use the one
    /// that the tree's own links use, as its own systemctl would.
    pub(super) fn search_path(&self) -> Result<Vec<String>> {
        let (short, long) = ("/lib/systemd/system", "/usr/lib/systemd/system");
        let split = self.root.resolve(short)?.is_none_or(|path| path == short);
        let vendor: &[&str] = match (split, self.links_use_short()?) {
            (true, _) => &[short, long],
            (false, true) => &[short],
            (false, false) => &[long],
        };
        let all = BEFORE_VENDOR.iter().chain(vendor);
        let late = std::iter::once(&"/run/systemd/generator.late");
        Ok(all.chain(late).map(|dir| (*dir).to_owned()).collect())
    }

    fn links_use_short(&self) -> Result<bool> {
        for dir in [
            "multi-user.target.wants",
            "getty.target.wants",
            "timers.target.wants",
            "sysinit.target.wants",
        ] {
            let dir = format!("{CONFIG}/{dir}");
            for name in self.root.list(&dir)? {
                let target = self.root.read_link(&format!("{dir}/{name}"))?;
                if let Some(target) = target {
                    return Ok(target.starts_with("/lib/"));
                }
            }
        }
        Ok(false)
    }

    /// Looks for a unit; none when it has no file, or an alias leads nowhere.
    pub(super) fn find(&self, unit: &str) -> Result<Option<Found>> {
        self.trace(unit, &mut Vec::new())
    }

    /// Looks for a unit and tells every name met on the way: the one asked for, aliases, the last.
    pub(super) fn trace(&self, unit: &str, names: &mut Vec<String>) -> Result<Option<Found>> {
        if !valid(unit) {
            return Err(Error::host(format!(
                "look for unit {unit}: it is not a valid unit name"
            )));
        }
        let mut name = unit.to_owned();
        names.push(name.clone());
        let mut through_config = false;
        for _ in 0..LINKS {
            let Some(at) = self.first(&name)? else {
                return Ok(None);
            };
            let in_config = at.starts_with(&format!("{CONFIG}/"));
            let (path, masked) = match self.follow(&name, at)? {
                Step::Alias(next) => {
                    through_config |= in_config;
                    names.push(next.clone());
                    name = next;
                    continue;
                }
                Step::Dangling => return Ok(None),
                Step::File(path) => (path, false),
                Step::Masked(path) => (path, true),
            };
            let install = if masked {
                Install::default()
            } else {
                self.install(&name, &path)?
            };
            return Ok(Some(Found {
                name,
                path,
                masked,
                install,
                through_config,
            }));
        }
        Err(Error::host(format!(
            "look for unit {unit}: its symlinks form a loop"
        )))
    }

    /// The first path of the search path that has the name, else its template.
    fn first(&self, name: &str) -> Result<Option<String>> {
        for name in std::iter::once(name.to_owned()).chain(template_of(name)) {
            for dir in &self.search {
                let path = format!("{dir}/{name}");
                if self.root.present(&path)? {
                    return Ok(Some(path));
                }
            }
        }
        Ok(None)
    }

    /// Follows symlinks from one path until a file, a mask or another unit name.
    fn follow(&self, name: &str, mut path: String) -> Result<Step> {
        for _ in 0..LINKS {
            let Some(meta) = self.root.meta(&path)? else {
                return Ok(Step::Dangling);
            };
            match meta.kind {
                FileKind::File if meta.size == 0 => return Ok(Step::Masked(path)),
                FileKind::File => return Ok(Step::File(path)),
                FileKind::Directory | FileKind::Other => {
                    return Err(Error::host(format!(
                        "read {path}: it is a {}, not a unit file",
                        meta.kind
                    )));
                }
                FileKind::Symlink => {}
            }
            let target = self.link_target(&path)?;
            if self.is_null(&target)? {
                return Ok(Step::Masked(path));
            }
            if self.in_search_path(&target)
                && let Some(alias) = alias_of(name, base(&target))
            {
                return Ok(Step::Alias(alias));
            }
            path = target;
        }
        Err(Error::host(format!(
            "look for unit {name}: its symlinks form a loop"
        )))
    }

    /// Where a symlink leads, as an absolute path of the tree with its directory resolved; one step only.
    pub(super) fn link_target(&self, path: &str) -> Result<String> {
        let target = self.root.read_link(path)?.unwrap_or_default();
        let dir = path.rsplit_once('/').map_or("", |(dir, _)| dir);
        let joined = if target.starts_with('/') {
            target
        } else {
            format!("{dir}/{target}")
        };
        let (parent, last) = joined.rsplit_once('/').unwrap_or(("", &joined));
        if self.search.iter().any(|known| known == parent) || matches!(last, "" | "." | "..") {
            return Ok(joined);
        }
        let parent = self
            .root
            .resolve(if parent.is_empty() { "/" } else { parent })?;
        Ok(match parent {
            Some(parent) => format!("{}/{last}", parent.trim_end_matches('/')),
            None => joined,
        })
    }

    /// Whether a path masks what links to it: /dev/null, though a tree may have none, or an empty file.
    pub(super) fn is_null(&self, path: &str) -> Result<bool> {
        if path == "/dev/null" {
            return Ok(true);
        }
        let meta = self.root.meta_followed(path)?;
        Ok(meta.is_some_and(|meta| meta.kind == FileKind::File && meta.size == 0))
    }

    /// Whether a path's directory is on the search path, by whichever of its names.
    pub(super) fn in_search_path(&self, path: &str) -> bool {
        let dir = path.rsplit_once('/').map_or("", |(dir, _)| dir);
        let short = dir.strip_prefix("/usr").unwrap_or(dir);
        self.search.iter().any(|known| {
            known == dir
                || (known.strip_prefix("/usr").unwrap_or(known) == short
                    && short.starts_with("/lib/"))
        })
    }

    fn install(&self, name: &str, path: &str) -> Result<Install> {
        let mut install = Install::default();
        let read = |path: &str| -> Result<String> {
            let bytes = self.root.read(path)?.unwrap_or_default();
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        install.merge(&read(path)?);
        for (_, drop_in) in self.drop_ins(name)? {
            if !self.is_null(&self.chase(&drop_in)?)? {
                install.merge(&read(&drop_in)?);
            }
        }
        if !Name::of(name).is_some_and(|name| name.has_aliases()) {
            install.alias.clear();
        }
        Ok(install)
    }

    /// Drop-ins by file name: one of higher priority hides those of the same name.
    fn drop_ins(&self, name: &str) -> Result<BTreeMap<String, String>> {
        let mut found = BTreeMap::new();
        for name in std::iter::once(name.to_owned()).chain(template_of(name)) {
            for dir in &self.search {
                let dir = format!("{dir}/{name}.d");
                for file in self.root.list(&dir)? {
                    if file.ends_with(".conf") {
                        let path = format!("{dir}/{file}");
                        found.entry(file).or_insert(path);
                    }
                }
            }
        }
        Ok(found)
    }

    /// Where a path leads through all its symlinks; what is missing at the end stays as it is written.
    pub(super) fn chase(&self, path: &str) -> Result<String> {
        let mut path = path.to_owned();
        for _ in 0..LINKS {
            if self.root.read_link(&path)?.is_none() {
                return Ok(path);
            }
            path = self.link_target(&path)?;
        }
        Err(Error::host(format!(
            "follow {path}: its symlinks form a loop"
        )))
    }
}

/// The other unit name that a link to `target` gives `name`; none when it is the same unit's own file.
fn alias_of(name: &str, target: &str) -> Option<String> {
    if target == name {
        return None;
    }
    let (own, other) = (Name::of(name)?, Name::of(target)?);
    let filled = match (own.form(), other.form(), own.instance) {
        (Form::Instance, Form::Template, Some(instance)) => other.with_instance(instance),
        _ => target.to_owned(),
    };
    (filled != name).then_some(filled)
}
