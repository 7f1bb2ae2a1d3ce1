//! The receipt: what was installed, file by file with its digest; and whether the tree still holds just that.
//! It is separate because the release's files are gone after the build, and the image must answer for itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Part;
use super::layout::{DATA, IMAGES, is_half};
use crate::error::{Context as _, Result};
use crate::host::archive::Packing;
use crate::host::root::Attr;
use crate::host::{FileKind, Root};
use crate::resource::Difference;

/// Where receipts lie, beside the manifest.
const DIR: &str = "/etc/packer-build";

/// One installed file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Installed {
    /// SHA-256 of its content, in hex.
    pub sha256: String,
    /// Bytes.
    pub size: u64,
    /// Mode, as four octal digits; owner and group are root.
    pub mode: String,
    /// Time of change that it was given, in seconds since 1970.
    pub mtime: i64,
}

/// What was installed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Version of this format: 1.
    pub schema: u32,
    /// The version of RKE2.
    pub version: String,
    /// Where the binary lies.
    pub prefix: String,
    /// The parts.
    pub parts: Vec<Part>,
    /// SHA-256 of the list of sums that all of it was checked with.
    pub sums_sha256: String,
    /// SHA-256 of the release's files that it was made of, by name.
    pub artifacts: BTreeMap<String, String>,
    /// The files, by path.
    pub files: BTreeMap<String, Installed>,
}

/// The receipt's path.
pub(super) fn path(name: &str) -> String {
    format!("{DIR}/artifact-{name}.json")
}

/// Reads the receipt; the inner error says why there is one that cannot be read.
pub(super) fn read(
    root: &Root,
    name: &str,
) -> Result<std::result::Result<Option<Receipt>, String>> {
    let Some(bytes) = root.read(&path(name))? else {
        return Ok(Ok(None));
    };
    Ok(match serde_json::from_slice::<Receipt>(&bytes) {
        Ok(receipt) if receipt.schema == 1 => Ok(Some(receipt)),
        Ok(receipt) => Err(format!("of the unknown schema {}", receipt.schema)),
        Err(error) => Err(format!("unreadable: {error}")),
    })
}

/// Writes the receipt; the last step of an installation.
pub(super) fn write(root: &Root, name: &str, receipt: &Receipt) -> Result<()> {
    let path = path(name);
    let mut bytes = serde_json::to_vec_pretty(receipt).context(|| format!("write {path}"))?;
    bytes.push(b'\n');
    root.make_dir(DIR, Attr::root(0o755))?;
    root.write(&path, &bytes, Attr::root(0o644))
}

impl Receipt {
    /// What the tree holds instead. `deep` reads every file; otherwise one whose size and time of change are those
    /// of the receipt is taken as it was, and only the others are read.
    pub(super) fn compare(&self, root: &Root, deep: bool) -> Result<Vec<Difference>> {
        let mut found = Vec::new();
        for (path, want) in &self.files {
            let mut differs = |have: String, want: String| {
                found.push(Difference {
                    what: path.clone(),
                    have,
                    want,
                });
            };
            let Some(meta) = root.meta(path)? else {
                differs("absent".to_owned(), "present".to_owned());
                continue;
            };
            if meta.kind != FileKind::File {
                differs(format!("a {}", meta.kind), "a file".to_owned());
                continue;
            }
            if (meta.mode_text(), meta.uid, meta.gid) != (want.mode.clone(), 0, 0) {
                let have = format!("{} {}:{}", meta.mode_text(), meta.uid, meta.gid);
                differs(have, format!("{} 0:0", want.mode));
            }
            let same = meta.size == want.size && meta.mtime == want.mtime && !deep;
            if !same {
                let have = root.digest(path)?.unwrap_or_default();
                if have != want.sha256 {
                    differs(format!("sha256 {have}"), format!("sha256 {}", want.sha256));
                }
            }
        }
        Ok(found)
    }

    /// Files where RKE2 looks for its own that are not among those installed: image archives, and programs and
    /// charts of the staged runtime.
    pub(super) fn beside(&self, root: &Root) -> Result<Vec<String>> {
        let mut found = Vec::new();
        for name in root.list(IMAGES)? {
            let archive = Packing::of_name(&name).is_some() || other_archive(&name);
            if (archive && !name.starts_with('.')) || is_half(&name) {
                found.push(format!("{IMAGES}/{name}"));
            }
        }
        // Where no runtime was staged, RKE2 does it itself on the node.
        let staged = if self.parts.contains(&Part::Runtime) {
            root.list(DATA)?
        } else {
            Vec::new()
        };
        for staged in staged {
            let dir = format!("{DATA}/{staged}");
            if !self.holds(&dir) {
                found.push(dir);
                continue;
            }
            for part in ["bin", "charts"] {
                let dir = format!("{DATA}/{staged}/{part}");
                let names = root.list(&dir)?;
                found.extend(names.into_iter().map(|name| format!("{dir}/{name}")));
            }
        }
        found.retain(|path| !self.holds(path));
        Ok(found)
    }

    /// Whether a path is an installed file or leads to one.
    fn holds(&self, path: &str) -> bool {
        let below = format!("{path}/");
        let mut files = self.files.keys();
        files.any(|known| known == path || known.starts_with(&below))
    }
}

/// Archives that RKE2 imports beside those that its releases have.
fn other_archive(name: &str) -> bool {
    let ends = [".tar.lz4", ".tar.bz2", ".tbz"];
    ends.iter()
        .any(|end| name.as_bytes().ends_with(end.as_bytes()))
}
