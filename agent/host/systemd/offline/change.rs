//! Enabling, disabling and masking by symlinks, as systemctl does it.
//! It is separate from reading because each change is a list of symlinks that can be compared with systemctl's.

use std::collections::BTreeSet;

use super::Offline;
use super::find::{CONFIG, Found};
use super::install::expand;
use crate::error::{Context as _, Error, Result};
use crate::host::FileKind;
use crate::host::root::Attr;
use crate::host::systemd::name::{Form, Name, base, template_of, valid};

impl Offline {
    /// Makes the symlinks of a unit's `[Install]` section and of the units it names by Also=.
    pub(super) fn enable(&self, unit: &str) -> Result<()> {
        let doing = || format!("enable {unit}");
        let found = self.need(unit).context(doing)?;
        if found.masked {
            return Err(Error::host(format!("{}: it is masked", doing()))
                .hint(format!("unmask {unit} first")));
        }
        if found.through_config {
            return Err(Error::host(format!(
                "{}: it is only another name of {}",
                doing(),
                found.name
            ))
            .hint(format!("name {} in the policy", found.name)));
        }
        if !found.install.has_rules() && found.install.also.is_empty() {
            return Err(
                Error::host(format!("{}: its file has no [Install] section", doing())).hint(
                    "it is started by other units; take it out of the policy or give it a drop-in",
                ),
            );
        }
        self.link_all(&found).context(doing)?;
        for other in self.also(&found)? {
            // As systemctl does: a unit named by Also= that is missing or masked is passed over.
            if let Ok(Some(other)) = self.find(&other)
                && !other.masked
            {
                self.link_all(&other).context(doing)?;
            }
        }
        Ok(())
    }

    /// Removes all symlinks in the administrator's directory that name the unit or lead to it.
    pub(super) fn disable(&self, unit: &str) -> Result<()> {
        let doing = || format!("disable {unit}");
        // A unit that is missing has links too: those of a package that was removed.
        let mut names = Vec::new();
        let found = self.trace(unit, &mut names)?;
        let also = match &found {
            Some(found) if found.masked => return Ok(()),
            Some(found) => self.also(found)?,
            None => Vec::new(),
        };
        for other in also {
            let mut more = Vec::new();
            // What cannot be read is at least known by its name.
            if !matches!(self.trace(&other, &mut more), Ok(Some(found)) if found.masked) {
                names.append(&mut more);
            }
        }
        let names: BTreeSet<String> = names.into_iter().collect();
        self.remove_links(names).context(doing)
    }

    /// Puts /dev/null over the unit, be there a file or not.
    pub(super) fn mask(&self, unit: &str) -> Result<()> {
        self.link("/dev/null", &format!("{CONFIG}/{unit}"))
            .context(|| format!("mask {unit}"))
    }

    /// Takes the mask away, and links that lead to it.
    pub(super) fn unmask(&self, unit: &str) -> Result<()> {
        let path = format!("{CONFIG}/{unit}");
        if !self.root.present(&path)? || !self.is_null(&self.chase(&path)?)? {
            return Ok(());
        }
        self.root.remove(&path)?;
        self.remove_links(BTreeSet::from([path]))
            .context(|| format!("unmask {unit}"))
    }

    fn need(&self, unit: &str) -> Result<Found> {
        self.find(unit)?.ok_or_else(|| {
            Error::host(format!("find {unit}: the tree has no such unit")).hint(
                "units come with packages: check that the package that brings it is in the policy",
            )
        })
    }

    /// Names in Also=, and in Also= of those, without the unit itself.
    fn also(&self, unit: &Found) -> Result<Vec<String>> {
        let mut seen: BTreeSet<String> = BTreeSet::from([unit.name.clone()]);
        let mut found = Vec::new();
        let mut open = vec![unit.clone()];
        while let Some(next) = open.pop() {
            for word in &next.install.also {
                let name = expand(word, &next.name, next.install.default_instance.as_deref())?;
                if !valid(&name) || !seen.insert(name.clone()) {
                    continue;
                }
                if let Ok(Some(other)) = self.find(&name) {
                    open.push(other);
                }
                found.push(name);
            }
        }
        Ok(found)
    }

    fn link_all(&self, unit: &Found) -> Result<()> {
        if !self.in_search_path(&unit.path) {
            self.link(&unit.path, &format!("{CONFIG}/{}", unit.name))?;
        }
        let default = unit.install.default_instance.as_deref();
        for alias in &unit.install.alias {
            let alias = expand(alias, &unit.name, default)?;
            if let Some(name) = alias_link(&alias, &unit.name)? {
                self.link(&unit.path, &format!("{CONFIG}/{name}"))?;
            }
        }
        for (list, suffix) in [
            (&unit.install.wanted_by, "wants"),
            (&unit.install.required_by, "requires"),
            (&unit.install.upheld_by, "upholds"),
        ] {
            self.link_dependents(unit, list, suffix)?;
        }
        Ok(())
    }

    fn link_dependents(&self, unit: &Found, list: &[String], suffix: &str) -> Result<()> {
        let default = unit.install.default_instance.as_deref();
        let template = Name::of(&unit.name).filter(|name| name.form() == Form::Template);
        let own = match (template, default) {
            (Some(name), Some(default)) => name.with_instance(default),
            _ => unit.name.clone(),
        };
        for dependent in list {
            let dependent = expand(dependent, &unit.name, default)?;
            let form = Name::of(&dependent).map(|name| name.form());
            let fits = match form {
                None => false,
                // A template without an instance can only be wanted by something that has one.
                Some(form) => template.is_none() || default.is_some() || form != Form::Plain,
            };
            if !fits {
                return Err(Error::host(format!(
                    "link {own} to {dependent}: the names do not fit"
                ))
                .hint("name an instance of the template in the policy"));
            }
            self.link(&unit.path, &format!("{CONFIG}/{dependent}.{suffix}/{own}"))?;
        }
        Ok(())
    }

    /// Makes or replaces a symlink; one that leads to the same file stays.
    fn link(&self, target: &str, path: &str) -> Result<()> {
        let (dir, _) = path.rsplit_once('/').unwrap_or(("/", path));
        self.root.make_dir(dir, Attr::root(0o755))?;
        match self.root.meta(path)? {
            None => {}
            Some(meta) if meta.kind == FileKind::Symlink => {
                let same = |a: Option<String>| a.as_deref() == Some(target);
                if same(self.root.read_link(path)?) || self.leads_to(path, target)? {
                    return Ok(());
                }
            }
            Some(meta) => {
                return Err(Error::host(format!(
                    "link {path} to {target}: a {} is there",
                    meta.kind
                ))
                .hint(format!("remove {path}, it would be lost")));
            }
        }
        self.root.symlink(target, path)
    }

    fn leads_to(&self, path: &str, target: &str) -> Result<bool> {
        let inode = |path: &str| -> Result<_> {
            Ok(self
                .root
                .meta_followed(path)?
                .map(|meta| (meta.device, meta.inode)))
        };
        let (a, b) = (inode(path)?, inode(target)?);
        Ok(a.is_some() && a == b)
    }

    /// Removes links by name or by where they lead, then links to what was removed, until none is left.
    fn remove_links(&self, mut marked: BTreeSet<String>) -> Result<()> {
        loop {
            let before = marked.len();
            self.remove_links_in(CONFIG, &mut marked)?;
            if marked.len() == before {
                return Ok(());
            }
        }
    }

    fn remove_links_in(&self, dir: &str, marked: &mut BTreeSet<String>) -> Result<()> {
        for name in self.root.list(dir)? {
            let path = format!("{dir}/{name}");
            let kind = self.root.meta(&path)?.map(|meta| meta.kind);
            if kind == Some(FileKind::Directory) {
                self.remove_links_in(&path, marked)?;
                if self.root.list(&path)?.is_empty() && !marked.is_empty() {
                    self.remove_if_emptied(&path, marked)?;
                }
                continue;
            }
            if kind != Some(FileKind::Symlink) || !valid(&name) {
                continue;
            }
            if self.is_marked(&name, &path, marked) {
                self.root.remove(&path)?;
                marked.insert(path);
            }
        }
        Ok(())
    }

    fn is_marked(&self, name: &str, path: &str, marked: &BTreeSet<String>) -> bool {
        if marked.contains(name) || template_of(name).is_some_and(|t| marked.contains(&t)) {
            return true;
        }
        // A loop of links belongs to no unit.
        self.chase(path)
            .is_ok_and(|target| marked.contains(&target) || marked.contains(base(&target)))
    }

    /// Removes a directory that this very change emptied; one that was empty before stays.
    fn remove_if_emptied(&self, dir: &str, marked: &BTreeSet<String>) -> Result<()> {
        let inside = format!("{dir}/");
        if marked.iter().any(|path| path.starts_with(&inside)) {
            self.root.remove(dir)
        } else {
            Ok(())
        }
    }
}

/// The link in the administrator's directory that an Alias= asks for; none when it is the unit's own name.
fn alias_link(alias: &str, unit: &str) -> Result<Option<String>> {
    let unfit = || Error::host(format!("give {unit} the name {alias}: the two do not fit"));
    let own = Name::of(unit).ok_or_else(unfit)?;
    if let Some((dir, link)) = alias.rsplit_once('/') {
        // An old way to write WantedBy= and RequiredBy=.
        let dependent = dir
            .strip_suffix(".wants")
            .or_else(|| dir.strip_suffix(".requires"));
        let fits = dependent.is_some_and(valid)
            && (link == unit || template_of(link).is_some_and(|template| template == unit));
        return if fits {
            Ok(Some(alias.to_owned()))
        } else {
            Err(unfit())
        };
    }
    let name = Name::of(alias).ok_or_else(unfit)?;
    let filled = match (name.form(), own.form(), own.instance) {
        (Form::Template, Form::Instance, Some(instance)) => name.with_instance(instance),
        _ => alias.to_owned(),
    };
    if filled == unit {
        return Ok(None);
    }
    let fits = Name::of(&filled).is_some_and(|name| name.may_alias(&own));
    if fits { Ok(Some(filled)) } else { Err(unfit()) }
}
