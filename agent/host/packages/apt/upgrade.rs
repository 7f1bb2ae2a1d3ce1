//! New indexes, full upgrades, and what would be upgraded.
//! It is separate because an upgrade is judged by digests of what is on disk, not by asking apt each time.

use super::run::{apt_get, finished};
use super::{Apt, INSTALL, LISTS};
use crate::error::Result;
use crate::host::FileKind;
use crate::host::root::sha256;

impl Apt {
    /// Upgrades all that is not held, installing and removing what new versions depend on.
    pub(super) fn full_upgrade(&self) -> Result<()> {
        self.or_repair(|| self.tried(&apt_get("dist-upgrade", &[], INSTALL)))
    }

    /// What a full upgrade by the indexes on disk would do; apt works it out without a lock and changes nothing.
    pub(super) fn simulated_upgrade(&self) -> Result<Vec<String>> {
        let args = ["--simulate".to_owned()];
        let output = self.exec.run(&apt_get("dist-upgrade", &args, INSTALL))?;
        finished(&output)?;
        Ok(output.text().lines().filter_map(planned).collect())
    }

    /// Digest of the indexes: release files by their content, which states digests of all the others; those by
    /// name, size and time, because hashing them would cost every bake tens of megabytes.
    pub(super) fn lists_digest(&self) -> Result<Option<String>> {
        let mut states = Vec::new();
        for name in self.root.list(LISTS)? {
            let path = format!("{LISTS}/{name}");
            let Some(meta) = self.root.meta(&path)? else {
                continue;
            };
            if meta.kind != FileKind::File || name == "lock" {
                continue;
            }
            let content = if name.ends_with("Release") {
                self.root.digest(&path)?
            } else {
                None
            };
            let outside = || format!("{} {}", meta.size, meta.mtime);
            states.push(format!("{name} {}", content.unwrap_or_else(outside)));
        }
        let digest = || sha256(states.join("\n").as_bytes());
        Ok((!states.is_empty()).then(digest))
    }
}

/// `name version` of a line of a simulated run: `Inst NAME [OLD] (NEW SUITE [ARCH])` or `Remv NAME [OLD]`.
fn planned(line: &str) -> Option<String> {
    let mut words = line.split_ascii_whitespace();
    match (words.next()?, words.next()?) {
        ("Inst", name) => {
            let new = words.find_map(|word| word.strip_prefix('('))?;
            Some(format!("{name} {new}"))
        }
        ("Remv", name) => Some(format!("{name} removed")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_simulation_are_understood() {
        let table = [
            ("Inst tiny [1.0-1] (2.0-1 local [all])", Some("tiny 2.0-1")),
            ("Inst new (2.0-1 local [all]) []", Some("new 2.0-1")),
            ("Conf tiny (2.0-1 local [all])", None),
            ("Remv old [1]", Some("old removed")),
            ("Reading package lists...", None),
            ("Inst", None),
            ("", None),
        ];
        for (line, want) in table {
            assert_eq!(planned(line).as_deref(), want, "{line}");
        }
    }
}
