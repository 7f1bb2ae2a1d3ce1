//! The report of a node: what image it is, whether its identity was proved, when its boot reached what.
//! It is separate because others read it: journald, Prometheus, Kubernetes, people at a console, a site's inventory.

pub mod boot;
pub mod cloud_init;
pub mod config;
pub mod gather;
pub mod journal;
pub mod keep;
pub mod lines;
pub mod machine;
pub mod nfd;
pub mod prometheus;
pub mod sinks;
pub mod verdict;

use serde::{Deserialize, Serialize};

/// Where the last report of this boot lies.
pub const RESULT: &str = "/run/nodeagent/report.json";
/// The JSON Schema of [`Report`].
pub const SCHEMA: &str = include_str!("schema.json");

/// The document that every sink gets its part of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Version of this format: 1.
    pub schema: u32,
    /// When it was made, RFC 3339 UTC.
    pub time: String,
    /// Name of the host.
    pub host: String,
    /// The kernel's random identifier of this boot.
    pub boot_id: String,
    /// Digest of the machine-id, the same function on every image ([`machine`]).
    pub machine: Option<String>,
    /// The image.
    pub image: Image,
    /// What the gate said.
    pub verdict: verdict::Verdict,
    /// When the boot reached what.
    pub boot: boot::Boot,
    /// What cloud-init says of itself.
    pub cloud_init: Option<cloud_init::CloudInit>,
    /// What could not be told, and why.
    pub missing: Vec<Missing>,
}

/// The image that this node was made from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// Its name, by the policy's pattern.
    pub name: Option<String>,
    /// `sha256:` and the digest of the image manifest.
    pub manifest: Option<String>,
    /// State of the seal: `none`, `building`, `pending`, `closed` or `broken`.
    pub seal: String,
    /// The manifest is the one that was sealed.
    pub as_sealed: Option<bool>,
    /// When it was sealed, RFC 3339 UTC.
    pub built_at: Option<String>,
    /// Seconds from then to the report.
    pub age_seconds: Option<u64>,
    /// Profile of the policy.
    pub profile: Option<String>,
    /// Version of the Kubernetes distribution.
    pub kubernetes: Option<String>,
    /// Name of the operating system.
    pub os: Option<String>,
    /// Release of the kernel of the default boot entry.
    pub kernel: Option<String>,
    /// Kernel and OpenSSL were seen in FIPS mode.
    pub fips: Option<bool>,
    /// Version of the tool that made it.
    pub tool: Option<String>,
}

/// Something that could not be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// The field.
    pub what: String,
    /// Why.
    pub why: String,
}
