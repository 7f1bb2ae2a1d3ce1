//! Modules of the kernels that are installed in a tree, by what depmod(8) wrote.
//! It is separate because the tree's kernel is often not the running one, and an image must boot with its own.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::Result;
use crate::host::Root;

/// For each module that no installed kernel has, the releases of all installed kernels.
/// Empty where no kernel is installed (a container's tree).
pub(super) fn lacking<'n>(
    root: &Root,
    names: impl Iterator<Item = &'n String>,
) -> Result<BTreeMap<String, Vec<String>>> {
    let mut open: BTreeMap<String, &String> = names.map(|name| (plain(name), name)).collect();
    let mut releases = Vec::new();
    for release in root.list("/lib/modules")? {
        let dir = format!("/lib/modules/{release}");
        // A directory without depmod's list is a leftover of a removed kernel.
        let Some(list) = text(root, &format!("{dir}/modules.dep"))? else {
            continue;
        };
        releases.push(release);
        let builtin = text(root, &format!("{dir}/modules.builtin"))?.unwrap_or_default();
        let known: BTreeSet<String> = list.lines().chain(builtin.lines()).map(stem).collect();
        open.retain(|name, _| !known.contains(name));
        if !open.is_empty() {
            let aliases = text(root, &format!("{dir}/modules.alias"))?.unwrap_or_default();
            let known: BTreeSet<String> = aliases.lines().filter_map(alias).collect();
            open.retain(|name, _| !known.contains(name));
        }
    }
    if releases.is_empty() {
        return Ok(BTreeMap::new());
    }
    let lacking = open.into_values();
    Ok(lacking
        .map(|name| (name.clone(), releases.clone()))
        .collect())
}

fn text(root: &Root, path: &str) -> Result<Option<String>> {
    let bytes = root.read(path)?;
    Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

/// Dashes and underscores are the same in a module's name (modprobe(8)).
fn plain(name: &str) -> String {
    name.replace('-', "_")
}

/// The module's name in a line such as `kernel/net/bridge/br_netfilter.ko.zst: …`.
fn stem(line: &str) -> String {
    let path = line.split(':').next().unwrap_or_default();
    let file = path.rsplit('/').next().unwrap_or_default();
    plain(file.split('.').next().unwrap_or_default())
}

/// The other name in a line such as `alias ip_conntrack nf_conntrack`.
fn alias(line: &str) -> Option<String> {
    line.strip_prefix("alias ")?.split(' ').next().map(plain)
}
