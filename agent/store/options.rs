//! What is wanted of the store, and how the work may be done.
//! It is separate because commands and policy build these values without knowing how a store is filled.

use crate::host::oci::{Name, Platform};

/// Bytes that may be buffered at a time where nobody says otherwise.
pub const MEMORY: u64 = 256 << 20;

/// One image that the store must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Where it comes from, and the name that it is found under.
    pub name: Name,
    /// More names that it is found under.
    pub also: Vec<Name>,
}

impl Wanted {
    /// An image under its own name alone.
    pub fn new(name: Name) -> Self {
        Self {
            name,
            also: Vec::new(),
        }
    }
}

/// How a store is filled.
#[derive(Debug, Clone)]
pub struct Options {
    /// What the images run on.
    pub platform: Platform,
    /// Layers that are worked on at a time; none: one a core.
    pub jobs: Option<usize>,
    /// Bytes that may be buffered at a time, whatever the images' sizes; the source's own buffers are not counted.
    pub memory: u64,
    /// Layers stay in the store beside their unpacked files: needed to export or serve images, not to run them.
    pub keep_layers: bool,
    /// A name without a digest is taken as what its tag stands for now.
    pub allow_tag: bool,
    /// Everything that is there is read again and compared, and mended where it differs.
    pub deep: bool,
    /// The number of the signal that asked to stop; asked between two layers.
    pub stop: fn() -> Option<i32>,
}

impl Options {
    /// The usual: pinned names only, layers kept, one worker a core, stopped by SIGTERM and SIGINT where they are watched.
    pub fn new(platform: Platform) -> Self {
        Self {
            platform,
            jobs: None,
            memory: MEMORY,
            keep_layers: true,
            allow_tag: false,
            deep: false,
            stop: crate::host::signals::asked,
        }
    }
}
