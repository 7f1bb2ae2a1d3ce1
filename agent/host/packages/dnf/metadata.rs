//! A digest of the repositories' metadata on disk.
//! It is separate because every bake asks for it, and it must cost no process.

use super::Dnf;
use crate::error::Result;
use crate::host::root::sha256;

/// dnf's cache: a directory a repository, named after it and a digest of its addresses.
const CACHE: &str = "/var/cache/dnf";

impl Dnf {
    /// Digest of each repository's index, which states the digests of all its other files; none when there is none.
    pub(super) fn repositories_digest(&self) -> Result<Option<String>> {
        let mut states = Vec::new();
        for name in self.root.list(CACHE)? {
            let index = format!("{CACHE}/{name}/repodata/repomd.xml");
            if let Some(digest) = self.root.digest(&index)? {
                states.push(format!("{name} {digest}"));
            }
        }
        states.sort();
        let digest = || sha256(states.join("\n").as_bytes());
        Ok((!states.is_empty()).then(digest))
    }
}
