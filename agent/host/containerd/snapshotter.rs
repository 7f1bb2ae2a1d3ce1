//! Which snapshotter of containerd keeps the unpacked layers.
//! It is separate because records, labels and files of a store are named after it.

use std::fmt;

use crate::error::{Error, Result};

/// A snapshotter, by its name. The usual one is overlayfs: RKE2 and kubelet's nodes use it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshotter(String);

impl Default for Snapshotter {
    fn default() -> Self {
        Self(Self::OVERLAYFS.to_owned())
    }
}

impl fmt::Display for Snapshotter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Snapshotter {
    /// The usual one.
    const OVERLAYFS: &'static str = "overlayfs";

    /// A name as containerd has them: letters, digits, and `.`, `_`, `-` between them.
    pub fn parse(name: &str) -> Result<Self> {
        let part = |part: &str| !part.is_empty() && part.bytes().all(|c| c.is_ascii_alphanumeric());
        match name.len() <= 76 && name.split(['.', '_', '-']).all(part) {
            true => Ok(Self(name.to_owned())),
            false => Err(Error::usage(format!("{name:?} is no snapshotter's name"))
                .hint("a snapshotter is named like overlayfs or native")),
        }
    }

    /// Its name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether layers can be moved into it: it is overlayfs.
    pub fn is_overlayfs(&self) -> bool {
        self.0 == Self::OVERLAYFS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_are_taken() {
        for name in ["overlayfs", "native", "fuse-overlayfs", "a.b_c"] {
            assert_eq!(Snapshotter::parse(name).unwrap().as_str(), name);
        }
        for name in ["", "a/b", "-a", "a b", "a..b", &"x".repeat(77)] {
            assert!(Snapshotter::parse(name).is_err(), "{name}");
        }
        assert!(Snapshotter::default().is_overlayfs());
    }
}
