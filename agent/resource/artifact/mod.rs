//! Kind `artifact`: RKE2 installed from the files of a release, each checked before anything is changed.
//! It is separate because its source is gone after the build: afterwards the receipt stands for it.

mod check;
mod images;
mod install;
mod judge;
mod layout;
mod receipt;
mod source;
mod sums;
mod version;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::host::Host;
use crate::resource::schema::{Check, Field, Type};
use crate::resource::{Claim, Diff, Difference, ENTRY, Fault, Kind, Phase, Place};
pub(crate) use layout::staged_version;
pub use receipt::{Installed, Receipt};
pub use source::Listing;
use version::is_version;
pub(crate) use version::stated;

/// What of a release is installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// The program, its scripts and its units.
    Binary,
    /// The image tarballs, where RKE2 imports them from.
    Images,
    /// containerd, kubelet and charts, where RKE2 would unpack them at its first start.
    Runtime,
}

impl Part {
    fn word(self) -> &'static str {
        match self {
            Part::Binary => "binary",
            Part::Images => "images",
            Part::Runtime => "runtime",
        }
    }
}

/// RKE2, as the files of a release have it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Artifact {
    /// Name for the id and the receipt.
    pub name: String,
    /// The directory with the release's files.
    pub dir: String,
    /// The version that they must be of.
    pub version: String,
    /// The architecture, as in the files' names.
    #[serde(default = "default_arch")]
    pub arch: String,
    /// SHA-256 of the list of sums; empty: it is not authenticated.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sums_sha256: String,
    /// What is installed; empty: nothing.
    #[serde(default = "default_parts")]
    pub parts: Vec<Part>,
    /// RKE2 is to remember what it has imported.
    #[serde(default)]
    pub cache: bool,
}

fn default_arch() -> String {
    "amd64".to_owned()
}

fn default_parts() -> Vec<Part> {
    vec![Part::Binary, Part::Images, Part::Runtime]
}

impl Artifact {
    /// The name of the list of sums.
    fn sums_name(&self) -> String {
        format!("sha256sum-{}.txt", self.arch)
    }

    /// The digest that the list of sums must have, where the policy gives one.
    fn pin(&self) -> Option<String> {
        let hex = self.sums_sha256.trim_start_matches("sha256:");
        (!hex.is_empty()).then(|| hex.to_ascii_lowercase())
    }
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Seen {
    /// What was installed, as the receipt has it.
    #[serde(flatten)]
    pub receipt: Option<Box<Receipt>>,
    /// The list of sums is the one that the policy pins.
    pub authenticated: bool,
    /// Every file was read, not only its size and time of change.
    pub read_all: bool,
    /// Why the receipt cannot be read.
    #[serde(skip)]
    pub unreadable: Option<String>,
    /// What the tree holds instead of what was installed.
    #[serde(skip)]
    pub damage: Vec<Difference>,
    /// Files beside those installed that RKE2 would use.
    #[serde(skip)]
    pub beside: Vec<String>,
    /// The file that RKE2's memory of imports is kept in is there.
    #[serde(skip)]
    pub cache: bool,
    /// The release's files, where they still are.
    #[serde(skip)]
    pub source: Option<Box<Listing>>,
}

/// A step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Checks all files, then puts them in place.
    Install {
        /// The directory with them.
        from: String,
        /// The version.
        version: String,
    },
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Action::Install { from, version } = self;
        write!(f, "check the files in {from} and install RKE2 {version}")
    }
}

impl Kind for Artifact {
    const NAME: &'static str = "artifact";
    const PHASE: Phase = Phase::Files;
    const DOC: &'static str =
        "RKE2 from the files of a release: every file there is checked before anything is changed.";
    const FIELDS: &'static [Field] = &[
        Field::required(
            "name",
            Type::Str(Check::Word),
            "A name for the id and the receipt.",
        ),
        Field::required(
            "dir",
            Type::Str(Check::AbsPath),
            "The directory with the release's files and their sha256sum-ARCH.txt; it may be gone after the build.",
        ),
        Field::required(
            "version",
            Type::Str(Check::NotEmpty),
            "The version that they must be of, such as v1.34.2+rke2r1.",
        ),
        Field::optional(
            "arch",
            Type::Enum(&["amd64", "arm64"]),
            "The architecture in the files' names. Default: amd64.",
        ),
        Field::optional(
            "sums_sha256",
            Type::Str(Check::Any),
            "SHA-256 that sha256sum-ARCH.txt must have. Default: none, and the manifest says authenticated: false.",
        ),
        Field::optional(
            "parts",
            Type::List(&Type::Enum(&["binary", "images", "runtime"])),
            "What is installed: binary (with units, not enabled), images (tarballs for RKE2 to import), runtime (containerd, kubelet and charts as RKE2 unpacks them). Default: all; none: the entry does not apply.",
        ),
        Field::optional(
            "cache",
            Type::Bool,
            "true: RKE2 remembers what it has imported (.cache.json). Default: false.",
        ),
    ];
    type Seen = Seen;
    type Action = Action;

    fn key(&self) -> String {
        self.name.clone()
    }

    fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        if !is_version(&self.version) {
            let message = format!("`version` cannot be {:?}", self.version);
            faults.push(Fault::new(
                "version",
                message,
                "right is a version of RKE2, such as \"v1.34.2+rke2r1\"",
            ));
        }
        if self.pin().is_some_and(|pin| !sums::is_sha256(&pin)) {
            let message = format!("`sums_sha256` cannot be {:?}", self.sums_sha256);
            faults.push(Fault::new(
                "sums_sha256",
                message,
                "right is what `sha256sum` prints of the list of sums: 64 hexadecimal digits",
            ));
        }
        faults
    }

    fn claims(&self) -> Vec<Claim> {
        vec![Claim {
            fact: "rke2".to_owned(),
            value: format!("{} {}", self.version, words(&self.parts)),
        }]
    }

    fn observe(&self, host: &Host) -> Result<Seen> {
        let read = receipt::read(&host.root, &self.name)?;
        let unreadable = read.as_ref().err().cloned();
        let receipt = read.ok().flatten();
        let mut seen = Seen {
            authenticated: receipt
                .as_ref()
                .is_some_and(|r| self.pin().as_ref() == Some(&r.sums_sha256)),
            read_all: host.deep,
            unreadable,
            damage: Vec::new(),
            beside: Vec::new(),
            cache: host.root.present(layout::CACHE)?,
            source: source::look(self, &host.root)?.map(Box::new),
            receipt: None,
        };
        if let Some(receipt) = receipt {
            seen.damage = receipt.compare(&host.root, host.deep)?;
            seen.beside = receipt.beside(&host.root)?;
            seen.receipt = Some(Box::new(receipt));
        }
        Ok(seen)
    }

    fn diff(&self, seen: &Seen, place: Place) -> Diff<Action> {
        let mut diff = Diff::default();
        if self.parts.is_empty() {
            match &seen.receipt {
                Some(receipt) => {
                    let have = format!("{} ({})", receipt.version, words(&receipt.parts));
                    diff.differs("RKE2", have, "no part of it");
                }
                None => diff.skip(ENTRY, "the policy asks for no part of it: `parts` is empty"),
            }
            return diff;
        }
        self.judge(seen, place, &mut diff);
        let mendable = !diff.differences.is_empty();
        let beside = seen.beside.iter();
        for path in beside.filter(|path| !judge::of_the_node(path, place)) {
            diff.differs(path, "present", "not there: the release has no such file");
        }
        if !mendable {
            return diff;
        }
        let Some(source) = &seen.source else {
            let want = "the release's files, to install from";
            diff.differs(&self.dir, "no file of an RKE2 release", want);
            return diff;
        };
        for fault in &source.faults {
            diff.differs(&self.dir, fault, "whole and named in the list of sums");
        }
        diff.actions.push(Action::Install {
            from: self.dir.clone(),
            version: self.version.clone(),
        });
        diff
    }

    fn apply(batch: &[(&Self, &Action)], host: &Host) -> Result<()> {
        for (artifact, _) in batch {
            install::install(artifact, host)?;
        }
        Ok(())
    }
}

/// Parts as words, in a fixed order.
fn words(parts: &[Part]) -> String {
    let mut parts = parts.to_vec();
    parts.sort_unstable();
    parts.dedup();
    let words: Vec<&str> = parts.into_iter().map(Part::word).collect();
    words.join(", ")
}

#[cfg(test)]
mod tests;
