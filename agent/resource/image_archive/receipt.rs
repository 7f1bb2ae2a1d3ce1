//! The receipt of an import: which archive it was, and which images came of it.
//! It is separate because the archive is gone after the build, and unpacking it again to learn its list takes longer than
//! everything else that a second bake does.

use serde::{Deserialize, Serialize};

use super::ImageArchive;
use crate::error::{Context as _, Result};
use crate::host::Root;
use crate::host::oci::Name;
use crate::host::root::{Attr, sha256};
use crate::store::Wanted;

/// Where receipts lie, beside the manifest.
const DIR: &str = "/etc/packer-build";

/// Version of the format.
const SCHEMA: u32 = 1;

/// What was imported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Version of this format: 1.
    pub schema: u32,
    /// The archive's path.
    pub path: String,
    /// SHA-256 of the archive, in hex.
    pub sha256: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its time of change, in seconds since 1970.
    pub mtime: i64,
    /// The platform.
    pub platform: String,
    /// The images that the policy asked for; none: all.
    pub only: Vec<String>,
    /// The images that came of it: the names of each, pinned.
    pub images: Vec<Vec<String>>,
}

fn path(archive: &str) -> String {
    let hex = sha256(archive.as_bytes());
    format!(
        "{DIR}/image-archive-{}.json",
        hex.get(..12).unwrap_or_default()
    )
}

/// Reads the receipt; one that cannot be read, or is of another choice of images, is none.
pub(super) fn read(root: &Root, archive: &ImageArchive) -> Result<Option<Receipt>> {
    let Some(bytes) = root.read(&path(&archive.path))? else {
        return Ok(None);
    };
    let receipt = serde_json::from_slice::<Receipt>(&bytes).ok();
    let platform = archive.platform()?.to_string();
    Ok(receipt.filter(|receipt| {
        receipt.schema == SCHEMA
            && receipt.path == archive.path
            && receipt.platform == platform
            && receipt.only == archive.images
            && receipt.wanted().is_ok()
    }))
}

/// Writes the receipt; the last step of an import.
pub(super) fn write(root: &Root, receipt: &Receipt) -> Result<()> {
    let path = path(&receipt.path);
    let mut bytes = serde_json::to_vec_pretty(receipt).context(|| format!("write {path}"))?;
    bytes.push(b'\n');
    root.make_dir(DIR, Attr::root(0o755))?;
    root.write(&path, &bytes, Attr::root(0o644))
}

impl Receipt {
    /// The receipt of an import.
    pub(super) fn new(archive: &ImageArchive, wanted: &[Wanted]) -> Result<Self> {
        let names = |wanted: &Wanted| {
            let names = [&wanted.name].into_iter().chain(&wanted.also);
            names.map(ToString::to_string).collect()
        };
        Ok(Self {
            schema: SCHEMA,
            path: archive.path.clone(),
            sha256: String::new(),
            size: 0,
            mtime: 0,
            platform: archive.platform()?.to_string(),
            only: archive.images.clone(),
            images: wanted.iter().map(names).collect(),
        })
    }

    /// The images as a store takes them.
    pub(super) fn wanted(&self) -> Result<Vec<Wanted>> {
        let mut all = Vec::new();
        for names in &self.images {
            let mut names = names.iter().map(|name| Name::parse(name));
            if let Some(first) = names.next() {
                all.push(Wanted {
                    name: first?,
                    also: names.collect::<Result<_>>()?,
                });
            }
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_of_something_else_is_none() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("etc")).unwrap();
        let root = Root::open(dir.path()).unwrap();
        let text = r#"{"path": "/a.tar", "platform": "linux/amd64"}"#;
        let archive: ImageArchive = serde_json::from_str(text).unwrap();
        assert_eq!(read(&root, &archive).unwrap(), None);
        let own = Receipt::new(&archive, &[]).unwrap();
        let changes: [fn(&mut Receipt); 4] = [
            |receipt| receipt.schema += 1,
            |receipt| receipt.platform = "linux/arm64".to_owned(),
            |receipt| receipt.only = vec!["r.example/a:1".to_owned()],
            |receipt| receipt.images = vec![vec!["no name:".to_owned()]],
        ];
        for change in changes {
            write(&root, &own).unwrap();
            assert_eq!(read(&root, &archive).unwrap().as_ref(), Some(&own));
            let mut other = own.clone();
            change(&mut other);
            write(&root, &other).unwrap();
            assert_eq!(read(&root, &archive).unwrap(), None, "{other:?}");
        }
        root.write(&path("/a.tar"), b"{", Attr::root(0o644))
            .unwrap();
        assert_eq!(read(&root, &archive).unwrap(), None);
    }
}
