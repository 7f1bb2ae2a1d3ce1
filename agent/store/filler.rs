//! Which containerd filled a store: told, and noted beside the manifest.
//! It is separate because a store's databases only migrate forward: whoever runs an older containerd on a node must find
//! out why its store does not open.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Context as _, Result};
use crate::host::Root;
use crate::host::root::Attr;

/// Where it is noted, by the directory of each store.
pub const NOTED: &str = "/etc/packer-build/image-stores.json";

/// The containerd that filled a store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filler {
    /// The program, as the tree has it; none where one was running already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// Its version.
    pub version: String,
    /// It is RKE2's own, which the node will run.
    pub rke2: bool,
    /// Why it was this one.
    pub why: String,
}

impl fmt::Display for Filler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let own = if self.rke2 {
            "RKE2's own"
        } else {
            "not RKE2's"
        };
        let program = self.program.as_deref().unwrap_or("running already");
        write!(
            f,
            "containerd {} ({program}; {own}): {}",
            self.version, self.why
        )
    }
}

/// Which containerd filled each store; a note that cannot be read is none.
fn all(root: &Root) -> Result<BTreeMap<String, Filler>> {
    let bytes = root.read(NOTED)?.unwrap_or_default();
    Ok(serde_json::from_slice(&bytes).unwrap_or_default())
}

impl Filler {
    /// The containerd that filled a store last, where that was noted.
    pub fn of(root: &Root, store: &str) -> Result<Option<Self>> {
        Ok(all(root)?.remove(store))
    }

    /// Notes that it filled a store.
    pub fn note(&self, root: &Root, store: &str) -> Result<()> {
        let mut all = all(root)?;
        all.insert(store.to_owned(), self.clone());
        let mut bytes = serde_json::to_vec_pretty(&all).context(|| format!("write {NOTED}"))?;
        bytes.push(b'\n');
        root.make_dir("/etc/packer-build", Attr::root(0o755))?;
        root.write(NOTED, &bytes, Attr::root(0o644))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_store_has_a_note_of_its_own_and_the_last_one_counts() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("etc")).unwrap();
        let root = Root::open(dir.path()).unwrap();
        let filler = |version: &str| Filler {
            program: Some("/usr/bin/containerd".to_owned()),
            version: version.to_owned(),
            rke2: false,
            why: "it was given".to_owned(),
        };
        assert_eq!(Filler::of(&root, "/a").unwrap(), None);
        filler("1").note(&root, "/a").unwrap();
        filler("2").note(&root, "/b").unwrap();
        filler("3").note(&root, "/a").unwrap();
        assert_eq!(Filler::of(&root, "/a").unwrap(), Some(filler("3")));
        assert_eq!(Filler::of(&root, "/b").unwrap(), Some(filler("2")));
        let said = filler("2").to_string();
        assert_eq!(
            said,
            "containerd 2 (/usr/bin/containerd; not RKE2's): it was given"
        );
        root.write(NOTED, b"{", Attr::root(0o644)).unwrap();
        assert_eq!(Filler::of(&root, "/a").unwrap(), None);
    }
}
