//! An image's configuration: what it runs on, and what its layers are when unpacked.
//! It is separate because the chain of layers, by which snapshots are named, is computed from it.

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::{Digest, Platform, bad};
use crate::error::Result;

/// What is read of a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageConfig {
    /// What it runs on.
    pub platform: Platform,
    /// The digest of each layer's tar, the lowest first.
    pub diff_ids: Vec<Digest>,
}

#[derive(Deserialize)]
struct Shape {
    os: String,
    architecture: String,
    #[serde(default)]
    variant: Option<String>,
    rootfs: RootFs,
}

#[derive(Deserialize)]
struct RootFs {
    #[serde(default)]
    diff_ids: Vec<Digest>,
}

impl ImageConfig {
    /// Reads a configuration.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let shape: Shape = serde_json::from_slice(bytes)
            .map_err(|error| bad("read an image's configuration").because(error))?;
        Ok(Self {
            platform: Platform::new(&shape.os, &shape.architecture, shape.variant.as_deref()),
            diff_ids: shape.rootfs.diff_ids,
        })
    }
}

/// The name of the snapshot after each layer (OCI image specification, config.md, «Layer ChainID»).
pub fn chain_ids(diff_ids: &[Digest]) -> Vec<Digest> {
    let mut chain: Vec<Digest> = Vec::with_capacity(diff_ids.len());
    for diff in diff_ids {
        let next = match chain.last() {
            None => diff.clone(),
            Some(below) => {
                let hash = Sha256::digest(format!("{below} {diff}").as_bytes());
                Digest::from_hash(&hash.into())
            }
        };
        chain.push(next);
    }
    chain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_is_the_digest_of_what_lies_below_and_the_layer() {
        let a = Digest::of(b"a");
        let b = Digest::of(b"b");
        let chain = chain_ids(&[a.clone(), b.clone()]);
        assert_eq!(chain[0], a);
        assert_eq!(chain[1], Digest::of(format!("{a} {b}").as_bytes()));
        assert!(chain_ids(&[]).is_empty());
    }

    #[test]
    fn a_configuration_without_a_platform_is_refused() {
        let good =
            br#"{"os":"linux","architecture":"amd64","rootfs":{"type":"layers","diff_ids":[]}}"#;
        assert_eq!(
            ImageConfig::parse(good).unwrap().platform.to_string(),
            "linux/amd64"
        );
        for bad in [
            "{}",
            r#"{"os":"linux"}"#,
            r#"{"os":"linux","architecture":"a"}"#,
        ] {
            assert!(ImageConfig::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
