//! Kind `image`: a container image in containerd's store, whole, unpacked and pinned.
//! It is separate because its store is one of its own, which kubelet reads and no package manager writes.

mod fields;
mod lists;
mod look;
mod pull;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::host::Host;
use crate::host::oci::{Name, Platform};
use crate::resource::image_store;
use crate::resource::schema::Field;
use crate::resource::{Claim, Diff, ENTRY, Fault, Kind, Phase, Place};
use crate::store::{Filler, Wanted};

/// What becomes of a bake when the image cannot be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// It fails, after all images were tried.
    #[default]
    Fail,
    /// It goes on; manifest and verify say that the image is not there, and why.
    Record,
}

/// A wanted container image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Image {
    /// What to fetch.
    #[serde(rename = "ref")]
    pub reference: String,
    /// The name under which the node asks for it.
    #[serde(rename = "as", default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// A tag alone is accepted.
    #[serde(default)]
    pub allow_tag: bool,
    /// What becomes of a bake that cannot have it.
    #[serde(default)]
    pub on_failure: OnFailure,
    /// How and whence it is fetched.
    #[serde(flatten)]
    pub way: Way,
}

/// How an image is fetched and where to; images that agree in it are fetched together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Way {
    /// containerd's root directory.
    #[serde(default = "image_store::store")]
    pub store: String,
    /// The containerd that is started on it; without one the staged one of RKE2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub containerd: Option<String>,
    /// The platform; without one this program's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// RKE2's file of mirrors and logins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registries: Option<String>,
    /// A docker config file with logins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_file: Option<String>,
    /// The registry has no TLS.
    #[serde(default)]
    pub plain_http: bool,
    /// The registry's certificate is not checked.
    #[serde(default)]
    pub insecure_tls: bool,
    /// Compressed layers stay in the store beside their files.
    #[serde(default = "fields::yes")]
    pub keep_layers: bool,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Seen {
    /// What its name stands for in the store.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// The containerd that filled the store last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filled_by: Option<Filler>,
    /// What keeps it from being whole; empty when nothing does.
    pub faults: Vec<String>,
    /// Why the last try to have it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// This very run has tried to have it.
    #[serde(skip)]
    pub tried: bool,
}

/// A step.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Fetch it, or what is missing of it.
    Pull(String),
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Pull(name) => write!(f, "pull {name}"),
        }
    }
}

impl Image {
    /// The image as the store takes it: under its own name, or under the one that the node asks for.
    fn wanted(&self) -> Result<Wanted> {
        let name = Name::parse(&self.reference)?;
        let also = self.alias.as_deref().map(Name::parse).transpose()?;
        Ok(Wanted {
            name,
            also: also.into_iter().collect(),
        })
    }

    fn platform(&self) -> Result<Platform> {
        image_store::platform(self.way.platform.as_deref())
    }
}

impl Kind for Image {
    const NAME: &'static str = "image";
    const PHASE: Phase = Phase::Images;
    const DOC: &'static str = "A container image in containerd's store: whole, unpacked, pinned.";
    const FIELDS: &'static [Field] = fields::FIELDS;
    const BATCH: bool = true;
    type Seen = Seen;
    type Action = Action;

    fn key(&self) -> String {
        self.alias.clone().unwrap_or_else(|| self.reference.clone())
    }

    fn faults(&self) -> Vec<Fault> {
        fields::faults(self)
    }

    fn claims(&self) -> Vec<Claim> {
        vec![Claim {
            fact: format!("image:{}", self.key()),
            value: self.reference.clone(),
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
        // A fresh bake tries again; after its own try, and later, the record stands.
        let over = seen.tried || place != Place::Build;
        if let (OnFailure::Record, Some(why), true) = (self.on_failure, &seen.failure, over) {
            diff.skip(
                ENTRY,
                format!("it could not be pulled ({why}), and on_failure = \"record\""),
            );
            return diff;
        }
        diff.differs(ENTRY, lacks, "whole, unpacked and pinned");
        if place == Place::Build && !seen.tried {
            diff.actions.push(Action::Pull(self.reference.clone()));
        }
        diff
    }

    fn apply(batch: &[(&Self, &Action)], host: &Host) -> Result<()> {
        let images: Vec<&Image> = batch.iter().map(|(image, _)| *image).collect();
        host.tried_images.set(true);
        pull::pull(&images, host)
    }
}

/// The error of images that could not be had, after all were tried and each was told.
fn failed(failed: usize, of: usize) -> Error {
    Error::host(format!("pull images: {failed} of {of} failed")).hint(format!(
        "each is told above and in {}; run the same bake again, it fetches only what is missing",
        lists::FAILURES
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(on_failure: OnFailure) -> Image {
        let mut image: Image =
            serde_json::from_str(r#"{"ref": "r.example/a:1", "allow_tag": true}"#).unwrap();
        image.on_failure = on_failure;
        image
    }

    fn seen(faults: &[&str], failure: Option<&str>, tried: bool) -> Seen {
        Seen {
            digest: None,
            filled_by: None,
            faults: faults.iter().map(|f| (*f).to_owned()).collect(),
            failure: failure.map(str::to_owned),
            tried,
        }
    }

    #[test]
    fn a_fault_is_a_difference_and_only_a_build_pulls() {
        let (fail, record) = (OnFailure::Fail, OnFailure::Record);
        // on_failure, faults, failure on record, tried now, place: differences, not applicable, actions
        let table = [
            (fail, vec![], None, false, Place::Build, (0, 0, 0)),
            (fail, vec!["x"], None, false, Place::Build, (1, 0, 1)),
            (fail, vec!["x"], Some("tls"), true, Place::Build, (1, 0, 0)),
            (fail, vec!["x"], Some("tls"), false, Place::Image, (1, 0, 0)),
            (fail, vec!["x"], None, false, Place::Node, (1, 0, 0)),
            (
                record,
                vec!["x"],
                Some("tls"),
                false,
                Place::Build,
                (1, 0, 1),
            ),
            (
                record,
                vec!["x"],
                Some("tls"),
                true,
                Place::Build,
                (0, 1, 0),
            ),
            (
                record,
                vec!["x"],
                Some("tls"),
                false,
                Place::Image,
                (0, 1, 0),
            ),
            (record, vec!["x"], None, false, Place::Image, (1, 0, 0)),
        ];
        for (on_failure, faults, failure, tried, place, want) in table {
            let found = seen(&faults, failure, tried);
            let diff = image(on_failure).diff(&found, place);
            let have = (
                diff.differences.len(),
                diff.not_applicable.len(),
                diff.actions.len(),
            );
            assert_eq!(have, want, "{on_failure:?} {found:?} {place:?}");
        }
    }
}
