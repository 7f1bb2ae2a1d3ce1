//! Places and phases: where an expectation holds, and when it is worked on.
//! They are separate because policies, plans and output name them too, without knowing any kind.

use serde::{Deserialize, Serialize};

/// Where an expectation holds, told by evidence: no seal, sealed and unbooted, sealed and stamped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// The build machine, before the seal.
    Build,
    /// The sealed image, not yet booted.
    Image,
    /// A node made from the image.
    Node,
}

impl Place {
    /// All places.
    pub const ALL: &'static [Place] = &[Place::Build, Place::Image, Place::Node];

    /// The word used in policies and output.
    pub fn word(self) -> &'static str {
        match self {
            Place::Build => "build",
            Place::Image => "image",
            Place::Node => "node",
        }
    }
}

/// Order of work: units, users and directories come with packages, so packages go first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// The machine's own first boot, which must be over before anything is changed.
    Boot,
    /// Certificates that sources of packages and images are trusted by.
    Trust,
    /// Package sources.
    Repositories,
    /// Packages.
    Packages,
    /// The upgrade of all packages; after those that are asked for, so that its digest holds them.
    Upgrade,
    /// System accounts: files may belong to them.
    Accounts,
    /// Directories, files, and paths that must not exist.
    Files,
    /// Modules, sysctls, swap.
    Kernel,
    /// Units.
    Units,
    /// Container images.
    Images,
    /// Site scripts.
    Scripts,
    /// What must not be cloned.
    Scrub,
    /// SELinux labels of all that was placed or cleaned before.
    Labels,
    /// Identity proofs; nothing is changed here.
    Identity,
}

impl Phase {
    /// All phases, in order.
    pub const ALL: &'static [Phase] = &[
        Phase::Boot,
        Phase::Trust,
        Phase::Repositories,
        Phase::Packages,
        Phase::Upgrade,
        Phase::Accounts,
        Phase::Files,
        Phase::Kernel,
        Phase::Units,
        Phase::Images,
        Phase::Scripts,
        Phase::Scrub,
        Phase::Labels,
        Phase::Identity,
    ];

    /// The word used by `--phase` and in output.
    pub fn word(self) -> &'static str {
        match self {
            Phase::Boot => "boot",
            Phase::Trust => "trust",
            Phase::Repositories => "repositories",
            Phase::Packages => "packages",
            Phase::Upgrade => "upgrade",
            Phase::Accounts => "accounts",
            Phase::Files => "files",
            Phase::Kernel => "kernel",
            Phase::Units => "units",
            Phase::Images => "images",
            Phase::Scripts => "scripts",
            Phase::Scrub => "scrub",
            Phase::Labels => "labels",
            Phase::Identity => "identity",
        }
    }
}
