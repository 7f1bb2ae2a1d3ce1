//! The image manifest: what the image is, from one observation at the seal, in canonical bytes.
//! It is separate because others read it: auditors, cluster wizards and CI, with the schema 1.0 of old or with ours.

pub mod build;
pub mod canonical;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::observe::inventory::Inventory;
use crate::policy::Exception;

/// The manifest. The fields up to `prepulled_images` are those of schema 1.0 and keep their names and meaning.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Always `1.0`: further fields are added, none is changed.
    pub schema_version: String,
    /// The tool that built the image.
    pub built_by: String,
    /// When it was sealed, RFC 3339 UTC; SOURCE_DATE_EPOCH when set.
    pub built_at: String,
    /// The operating system.
    pub os: Os,
    /// The Kubernetes distribution.
    pub kubernetes: Kubernetes,
    /// Kernel and OpenSSL were seen in FIPS mode.
    pub fips_enabled: bool,
    /// References of the container images in the store.
    pub prepulled_images: Vec<String>,
    /// The tool and the policy.
    pub nodeagent: Tool,
    /// Every entry of the policy: what was observed, and whether it conforms at place `image`.
    pub entries: BTreeMap<String, EntryFact>,
    /// What no entry names.
    pub inventory: Inventory,
    /// Accepted findings.
    pub exceptions: Vec<Exception>,
}

/// The operating system.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Os {
    /// PRETTY_NAME of os-release.
    pub pretty_name: String,
    /// Release of the kernel of the default boot entry; `none` where the image has no kernel.
    pub kernel: String,
}

/// The Kubernetes distribution.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Kubernetes {
    /// `rke2`.
    pub distribution: String,
    /// The installed version; `none` where it is not installed.
    pub version: String,
}

/// The tool and the policy that made the image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tool {
    /// Version of this tool.
    pub version: String,
    /// Profile.
    pub profile: String,
    /// Whether the profile was booted on its own OS.
    pub proven: bool,
    /// SHA-256 of policy.json.
    pub policy_digest: String,
}

/// One entry as observed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EntryFact {
    /// Kind of the entry.
    pub kind: String,
    /// Verdict at place `image`: `conforms`, `drift`, `reboot-needed`, `could-not-check`, `not-applicable` or `other-place`.
    pub verdict: String,
    /// The observation.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub observed: Value,
    /// Why it could not be observed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Manifest {
    /// Canonical bytes: sorted keys, two-space indent, final newline. The same manifest always has the same bytes.
    pub fn bytes(&self) -> crate::error::Result<Vec<u8>> {
        canonical::bytes(self)
    }
}
