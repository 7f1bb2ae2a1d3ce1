//! Kind `image-archive`: the images of an archive, such as RKE2's releases have, in containerd's store before the first boot.
//! It is separate because an archive says itself which images it holds; kind `image` names each, and asks a registry.

mod fields;
mod import;
mod look;
mod receipt;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::host::Host;
use crate::host::oci::Platform;
use crate::resource::image_store;
use crate::resource::schema::Field;
use crate::resource::{Claim, Diff, ENTRY, Fault, Kind, Phase, Place};
use crate::store::Filler;
pub use receipt::Receipt;

/// A wanted archive of images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImageArchive {
    /// Where it lies.
    pub path: String,
    /// SHA-256 that it must have; empty: it is not pinned.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sha256: String,
    /// Only these images of it; empty: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<String>,
    /// The platform; without one this program's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// containerd's root directory.
    #[serde(default = "image_store::store")]
    pub store: String,
    /// The containerd that is started on it; without one the staged one of RKE2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub containerd: Option<String>,
    /// RKE2 is to know that it was imported.
    #[serde(default)]
    pub cache: bool,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Seen {
    /// What was imported, as the receipt has it.
    #[serde(flatten)]
    pub receipt: Option<Box<Receipt>>,
    /// The containerd that filled the store last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filled_by: Option<Filler>,
    /// What keeps its images from being there; empty when nothing does.
    pub faults: Vec<String>,
    /// The archive is there to import from.
    #[serde(skip)]
    pub archive: bool,
}

/// A step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Checks the archive and puts its images in the store.
    Import(String),
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Action::Import(path) = self;
        write!(f, "import the images of {path}")
    }
}

impl ImageArchive {
    fn platform(&self) -> Result<Platform> {
        image_store::platform(self.platform.as_deref())
    }

    /// The digest that the archive must have, in hex.
    fn pin(&self) -> Option<&str> {
        let hex = self.sha256.trim_start_matches("sha256:");
        (!hex.is_empty()).then_some(hex)
    }
}

impl Kind for ImageArchive {
    const NAME: &'static str = "image-archive";
    const PHASE: Phase = Phase::Images;
    const DOC: &'static str =
        "The images of an archive in containerd's store: whole, unpacked, pinned.";
    const FIELDS: &'static [Field] = fields::FIELDS;
    type Seen = Seen;
    type Action = Action;

    fn key(&self) -> String {
        self.path.clone()
    }

    fn faults(&self) -> Vec<Fault> {
        fields::faults(self)
    }

    fn claims(&self) -> Vec<Claim> {
        vec![Claim {
            fact: format!("image-archive:{}", self.path),
            value: self.store.clone(),
        }]
    }

    fn observe(&self, host: &Host) -> Result<Seen> {
        look::look(self, host)
    }

    fn diff(&self, seen: &Seen, place: Place) -> Diff<Action> {
        let mut diff = Diff::default();
        let Some(lacks) = image_store::told(&seen.faults) else {
            return diff;
        };
        diff.differs(ENTRY, lacks, "its images whole, unpacked and pinned");
        if place == Place::Build {
            match seen.archive {
                true => diff.actions.push(Action::Import(self.path.clone())),
                false => diff.differs(&self.path, "absent", "the archive, to import from"),
            }
        }
        diff
    }

    fn apply(batch: &[(&Self, &Action)], host: &Host) -> Result<()> {
        let mut archives = batch.iter();
        archives.try_for_each(|(archive, _)| import::import(archive, host))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_build_that_has_the_archive_imports() {
        let archive: ImageArchive = serde_json::from_str(r#"{"path": "/a.tar"}"#).unwrap();
        // faults, archive there, place: differences, actions
        let table = [
            (0, true, Place::Build, (0, 0)),
            (0, false, Place::Image, (0, 0)),
            (1, true, Place::Build, (1, 1)),
            (2, true, Place::Build, (1, 1)),
            (1, false, Place::Build, (2, 0)),
            (1, true, Place::Image, (1, 0)),
            (1, false, Place::Node, (1, 0)),
        ];
        for (faults, there, place, want) in table {
            let seen = Seen {
                receipt: None,
                filled_by: None,
                faults: vec!["x".to_owned(); faults],
                archive: there,
            };
            let diff = archive.diff(&seen, place);
            let have = (diff.differences.len(), diff.actions.len());
            assert_eq!(have, want, "{faults} {there} {place:?}");
        }
    }

    #[test]
    fn what_cannot_be_a_platform_or_a_digest_is_refused() {
        let table = [
            (r#"{"path": "/a.tar"}"#, 0),
            (r#"{"path": "/a.tar", "sha256": "abc"}"#, 1),
            (r#"{"path": "/a.tar", "platform": "amd64"}"#, 1),
        ];
        for (text, want) in table {
            let archive: ImageArchive = serde_json::from_str(text).unwrap();
            assert_eq!(archive.faults().len(), want, "{text}");
        }
        let hex = "0a".repeat(32);
        let text = format!(r#"{{"path": "/a", "sha256": "sha256:{hex}"}}"#);
        let archive: ImageArchive = serde_json::from_str(&text).unwrap();
        assert!(archive.faults().is_empty() && archive.pin() == Some(&hex));
    }
}
