//! The symlinks of a tree's search path, read in one go.
//! It is separate because what is enabled is asked of hundreds of units, and each reading takes a thousand system calls.

use std::collections::BTreeSet;

use super::Offline;
use super::find::CONFIG;
use crate::error::Result;
use crate::host::systemd::name::{base, template_of};

/// The symlinks of one directory of the search path.
#[derive(Debug, Default)]
pub(super) struct Dir {
    /// Every name in it.
    pub(super) names: Vec<String>,
    /// Names of the links in its `.wants`, `.requires` and `.upholds`.
    pub(super) wants: Vec<String>,
    /// Its own links: name and target.
    pub(super) own: Vec<(String, String)>,
}

/// Those of the whole search path, in its order.
#[derive(Debug, Default)]
pub(super) struct Links(pub(super) Vec<(String, Dir)>);

impl Offline {
    pub(super) fn read_links(&self) -> Result<Links> {
        let read = |dir: &String| Ok((dir.clone(), self.links_of(dir)?));
        self.search
            .iter()
            .map(read)
            .collect::<Result<_>>()
            .map(Links)
    }

    fn links_of(&self, dir: &str) -> Result<Dir> {
        let mut found = Dir {
            names: self.root.list(dir)?,
            ..Dir::default()
        };
        for name in &found.names {
            let path = format!("{dir}/{name}");
            if let Some(target) = self.root.read_link(&path)? {
                found.own.push((name.clone(), target));
            }
            let ends = [".wants", ".requires", ".upholds"];
            if !ends.iter().any(|end| name.ends_with(end)) {
                continue;
            }
            for link in self.root.list(&path)? {
                if self.root.read_link(&format!("{path}/{link}"))?.is_some() {
                    found.wants.push(link);
                }
            }
        }
        Ok(found)
    }
}

impl Links {
    /// Names that may be of an enabled unit: a link of the administrator's directory has it or leads to it, or it is an
    /// alias. All others cost a search and are not.
    pub(super) fn candidates(&self) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        for (dir, links) in &self.0 {
            names.extend(links.own.iter().map(|(name, _)| name.clone()));
            if dir != CONFIG {
                continue;
            }
            for link in &links.wants {
                names.insert(link.clone());
                names.extend(template_of(link));
            }
            let targets = links.own.iter().map(|(_, target)| base(target).to_owned());
            names.extend(targets);
        }
        names
    }
}
