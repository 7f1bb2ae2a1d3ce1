//! Kind `upgrade`: every package at its newest, as far as the metadata on disk says.
//! It is separate from packages because it is judged by digests: asking what could be newer costs a network.

mod kernel;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Context as _, Result};
use crate::host::Host;
use crate::host::root::Attr;
use crate::resource::schema::{Field, Type};
use crate::resource::{Claim, Diff, ENTRY, Kind, Phase, Place};
use kernel::Kernels;

/// The digests after the last upgrade. It lies with the image's records, because the metadata themselves are
/// cleaned from an image.
const STAMP: &str = "/etc/packer-build/upgrade.json";

/// All packages are upgraded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Upgrade {
    /// Which packages; the only word is `all`.
    pub packages: String,
    /// false: nothing is upgraded and nothing judged.
    #[serde(default = "yes")]
    pub enabled: bool,
}

fn yes() -> bool {
    true
}

/// Digests of the package set and of the repository metadata.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Of the package set.
    pub packages: String,
    /// Of the metadata on disk; none when there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<String>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Seen {
    /// As it is now.
    pub now: State,
    /// As it was after the last upgrade.
    pub last: Option<State>,
    /// What is left of an interrupted transaction.
    pub interrupted: Option<String>,
    /// `--refresh`: the repositories are to be asked anew.
    pub asked: bool,
    /// Kernels; none where the running one is not this system's.
    pub kernels: Option<Kernels>,
}

/// A step.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Fetches metadata, upgrades, and remembers the digests.
    Upgrade,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "fetch new metadata and upgrade all packages")
    }
}

impl Kind for Upgrade {
    const NAME: &'static str = "upgrade";
    const PHASE: Phase = Phase::Upgrade;
    // Nodes are replaced, not upgraded; what was upgraded there is no business of the image.
    const PLACES: &'static [Place] = &[Place::Build, Place::Image];
    const DOC: &'static str =
        "All packages upgraded; holds until the package set or the repository metadata change.";
    const FIELDS: &'static [Field] = &[
        Field::required(
            "packages",
            Type::Enum(&["all"]),
            "all: every package that is not held.",
        ),
        Field::optional(
            "enabled",
            Type::Bool,
            "false: nothing is upgraded. Default: true.",
        ),
    ];
    type Seen = Seen;
    type Action = Action;

    fn key(&self) -> String {
        self.packages.clone()
    }

    fn claims(&self) -> Vec<Claim> {
        vec![Claim {
            fact: "upgrade".to_owned(),
            value: self.enabled.to_string(),
        }]
    }

    fn observe(&self, host: &Host) -> Result<Seen> {
        Ok(Seen {
            now: state(host)?,
            last: last(host)?,
            interrupted: host.packages.interrupted()?,
            asked: host.refresh.get(),
            kernels: kernel::look(host)?,
        })
    }

    fn diff(&self, seen: &Seen, place: Place) -> Diff<Action> {
        let mut diff = Diff::default();
        if !self.enabled {
            diff.skip(ENTRY, "switched off by the policy");
            return diff;
        }
        compare(seen, place, &mut diff);
        if place != Place::Build {
            return diff;
        }
        if let Some(left) = &seen.interrupted {
            diff.differs("package database", left, "every package configured");
        }
        if seen.asked {
            diff.differs("packages", "asked anew by --refresh", "upgraded");
        }
        if !diff.differences.is_empty() {
            diff.actions.push(Action::Upgrade);
        } else if let Some(kernels) = &seen.kernels {
            kernels.judge(&mut diff);
        }
        diff
    }

    fn apply(_batch: &[(&Self, &Action)], host: &Host) -> Result<()> {
        host.packages.repair()?;
        host.packages.refresh()?;
        host.packages.upgrade()?;
        let doing = || format!("remember the upgrade in {STAMP}");
        let text = serde_json::to_string_pretty(&state(host)?).context(doing)?;
        host.root.make_parent(STAMP)?;
        let text = format!("{text}\n");
        host.root.write(STAMP, text.as_bytes(), Attr::root(0o644))?;
        host.refresh.set(false);
        Ok(())
    }
}

/// Compares with the last upgrade as far as the place still knows: an image has no metadata any more.
fn compare(seen: &Seen, place: Place, diff: &mut Diff<Action>) {
    let Some(last) = &seen.last else {
        diff.differs("packages", "never upgraded by a bake", "upgraded");
        return;
    };
    if last.packages != seen.now.packages {
        diff.differs("package set", "changed", "as after the last upgrade");
    }
    if place != Place::Build {
        diff.skip(
            "metadata",
            "an image keeps none; the package set is compared",
        );
    } else if last.metadata != seen.now.metadata {
        let have = seen.now.metadata.as_ref().map_or("absent", |_| "changed");
        diff.differs("metadata", have, "as after the last upgrade");
    }
}

fn state(host: &Host) -> Result<State> {
    Ok(State {
        packages: host.packages.set_digest()?,
        metadata: host.packages.metadata_digest()?,
    })
}

/// What a torn or foreign file says counts as nothing: the upgrade is then made, and the file written anew.
fn last(host: &Host) -> Result<Option<State>> {
    let bytes = host.root.read(STAMP)?;
    Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
}
