//! Kind `image`: a container image in containerd's store.
//! It is separate because its store is one of its own; this version validates the entry and says that it cannot look.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::host::Host;
use crate::resource::schema::{Check, Field, Type};
use crate::resource::{Claim, Diff, Fault, Kind, Phase, Place};

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
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Seen {}

/// A step.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {}

impl fmt::Display for Action {
    fn fmt(&self, _f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

impl Kind for Image {
    const NAME: &'static str = "image";
    const PHASE: Phase = Phase::Images;
    const DOC: &'static str = "A container image in containerd's store.";
    const FIELDS: &'static [Field] = &[
        Field::required(
            "ref",
            Type::Str(Check::ImageRef),
            "The image to fetch: registry/name:tag@digest.",
        ),
        Field::optional(
            "as",
            Type::Str(Check::ImageRef),
            "The name under which the node asks for it. Default: ref.",
        ),
        Field::optional(
            "allow_tag",
            Type::Bool,
            "true: a reference without digest is accepted and pinned later. Default: false.",
        ),
    ];
    type Seen = Seen;
    type Action = Action;

    fn key(&self) -> String {
        self.alias.clone().unwrap_or_else(|| self.reference.clone())
    }

    fn faults(&self) -> Vec<Fault> {
        if self.allow_tag || self.reference.contains("@sha256:") {
            return Vec::new();
        }
        let message = "an image needs a digest: what a tag names can change";
        let help = "write ref = \"…@sha256:…\" (`skopeo inspect` prints it), or allow_tag = true";
        vec![Fault::new("ref", message, help)]
    }

    fn claims(&self) -> Vec<Claim> {
        vec![Claim {
            fact: format!("image:{}", self.key()),
            value: self.reference.clone(),
        }]
    }

    fn observe(&self, _host: &Host) -> Result<Seen> {
        Err(Error::host(format!(
            "look for the image {}: this version of nodeagent has no container store and cannot look into one",
            self.key()
        ))
        .hint("leave images out with --skip image; they stand in the policy for a version that pulls them"))
    }

    fn diff(&self, _seen: &Seen, _place: Place) -> Diff<Action> {
        Diff::default()
    }

    fn apply(_batch: &[(&Self, &Action)], _host: &Host) -> Result<()> {
        // diff never gives an action: what cannot be looked at is not changed either.
        Err(Error::host(
            "pull images: this version of nodeagent has no container store",
        ))
    }
}
