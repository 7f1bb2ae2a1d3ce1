//! Modules that modprobe.d keeps from being loaded: by a command in place of loading, or by the blacklist.
//! It is separate because hardening guides write both, and modules-load.d obeys both.

use std::collections::BTreeMap;

use super::{Obstacle, Seen};
use crate::error::Result;
use crate::host::{FileKind, Root};

/// The first directory that has a name wins that name (modprobe.d(5)).
const DIRS: [&str; 5] = [
    "/etc/modprobe.d",
    "/run/modprobe.d",
    "/usr/local/lib/modprobe.d",
    "/usr/lib/modprobe.d",
    "/lib/modprobe.d",
];

/// Which of these modules are blocked, and by what.
pub(super) fn blocked(root: &Root, modules: &[String]) -> Result<Seen> {
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    for dir in DIRS {
        for name in root.list(dir)? {
            if name.as_bytes().ends_with(b".conf") {
                let path = format!("{dir}/{name}");
                names.entry(name).or_insert(path);
            }
        }
    }
    let mut seen = Seen::new();
    for path in names.values() {
        let meta = root.meta_followed(path)?;
        if meta.is_none_or(|meta| meta.kind != FileKind::File) {
            continue;
        }
        let bytes = root.read(path)?.unwrap_or_default();
        for (line, number) in String::from_utf8_lossy(&bytes).lines().zip(1usize..) {
            if let Some(module) = blocks(line, modules) {
                seen.obstacles.push(Obstacle {
                    of: module.to_owned(),
                    have: format!("`{}` in {path}:{number}", line.trim()),
                    runtime: false,
                });
            }
        }
    }
    Ok(seen)
}

/// The module that a line keeps from being loaded.
fn blocks<'m>(line: &str, modules: &'m [String]) -> Option<&'m str> {
    let plain = |name: &str| name.replace('-', "_");
    let mut words = line.split_whitespace();
    let command = words.next()?;
    let name = plain(words.next()?);
    let blocked = match command {
        "blacklist" => true,
        "install" => {
            let program = words.next().unwrap_or_default();
            let program = program.rsplit('/').next().unwrap_or_default();
            matches!(program, "true" | "false" | ":")
        }
        _ => false,
    };
    let found = modules.iter().find(|module| plain(module) == name);
    found.filter(|_| blocked).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_loads_nothing_blocks_and_one_that_loads_does_not() {
        let modules = ["br_netfilter".to_owned()];
        let table = [
            ("install br_netfilter /bin/true", true),
            ("  install br-netfilter /usr/bin/false # CIS", true),
            ("blacklist br_netfilter", true),
            (
                "install br_netfilter /sbin/modprobe --ignore-install br_netfilter",
                false,
            ),
            ("# install br_netfilter /bin/true", false),
            ("options br_netfilter x=1", false),
            ("install bridge /bin/true", false),
            ("install", false),
        ];
        for (line, want) in table {
            assert_eq!(blocks(line, &modules).is_some(), want, "{line}");
        }
    }
}
