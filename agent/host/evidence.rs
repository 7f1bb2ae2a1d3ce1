//! Keyed digests of identifiers that were baked and removed: what a node's identity must differ from.
//! It is separate because observing (here) and recording (above) share it and the value itself must never be kept.

use std::io::Read as _;

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::error::{Context as _, Result};

/// 32 random bytes in hex, for a salt.
pub fn random_hex() -> Result<String> {
    let doing = || "read 32 bytes from /dev/urandom";
    let mut bytes = [0u8; 32];
    let mut source = std::fs::File::open("/dev/urandom").context(doing)?;
    source.read_exact(&mut bytes).context(doing)?;
    Ok(super::root::hex(&bytes))
}

/// One removed identifier, as a keyed digest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Tombstone {
    /// What it identified: `machine-id`, `ssh-host-key`, ….
    pub kind: String,
    /// HMAC-SHA-256 of the identifier under the record's salt, in hex.
    pub digest: String,
}

/// Salt and tombstones of this image's build.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evidence {
    /// The salt, in hex; none before a bake has begun, and none where the record is lost.
    pub salt: Option<String>,
    /// What was removed so far.
    pub tombstones: Vec<Tombstone>,
}

impl Evidence {
    /// The tombstone that `value` has under this build's salt; none without a salt.
    pub fn tombstone(&self, kind: &str, value: &[u8]) -> Option<Tombstone> {
        let salt = self.salt.as_ref()?;
        let mut mac = Hmac::<Sha256>::new_from_slice(salt.as_bytes()).ok()?;
        mac.update(kind.as_bytes());
        mac.update(&[0]);
        mac.update(value);
        let digest = crate::host::root::hex(&mac.finalize().into_bytes());
        Some(Tombstone {
            kind: kind.to_owned(),
            digest,
        })
    }

    /// All tombstones of one kind.
    pub fn of_kind(&self, kind: &str) -> Vec<&Tombstone> {
        self.tombstones.iter().filter(|t| t.kind == kind).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_depends_on_salt_kind_and_value() {
        let a = Evidence {
            salt: Some("01".into()),
            tombstones: vec![],
        };
        let b = Evidence {
            salt: Some("02".into()),
            tombstones: vec![],
        };
        let base = a.tombstone("machine-id", b"x").unwrap();
        assert_eq!(base, a.tombstone("machine-id", b"x").unwrap());
        assert_ne!(base, b.tombstone("machine-id", b"x").unwrap());
        assert_ne!(
            base.digest,
            a.tombstone("ssh-host-key", b"x").unwrap().digest
        );
        assert_ne!(base, a.tombstone("machine-id", b"y").unwrap());
        assert_eq!(Evidence::default().tombstone("machine-id", b"x"), None);
    }
}
