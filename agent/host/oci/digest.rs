//! A SHA-256 digest as images write it.
//! It is separate because it becomes a file's name: only what was parsed here may.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::bad;
use crate::error::{Error, Result};
use crate::host::root::{hex, sha256};

/// `sha256:` and 64 lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(String);

/// Begins every digest that is accepted.
const PREFIX: &str = "sha256:";

impl Digest {
    /// Reads a digest; other algorithms and spellings are errors.
    pub fn parse(text: &str) -> Result<Self> {
        let digit = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
        match text.strip_prefix(PREFIX) {
            Some(body) if body.len() == 64 && body.bytes().all(digit) => Ok(Self(text.to_owned())),
            _ => Err(bad(format!(
                "read the digest {:?}: it is no SHA-256 digest",
                text.chars().take(80).collect::<String>()
            ))),
        }
    }

    /// The digest of bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(format!("{PREFIX}{}", sha256(bytes)))
    }

    /// The digest that a finished hash has.
    pub fn from_hash(hash: &[u8; 32]) -> Self {
        Self(format!("{PREFIX}{}", hex(hash)))
    }

    /// `sha256:…`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The 64 digits.
    pub fn hex(&self) -> &str {
        self.0.strip_prefix(PREFIX).unwrap_or_default()
    }

    /// The first 12 digits, for people.
    pub fn short(&self) -> &str {
        self.hex().get(..12).unwrap_or_default()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Digest {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        Self::parse(&text)
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.0
    }
}

#[cfg(test)]
mod tests {
    use super::Digest;

    #[test]
    fn only_a_whole_lower_case_digest_is_taken() {
        let good = format!("sha256:{}", "0a".repeat(32));
        assert_eq!(Digest::parse(&good).unwrap().hex().len(), 64);
        for bad in [
            good.to_uppercase(),
            good.replace("sha256", "sha512"),
            good[..70].to_owned(),
            format!("{good}0"),
            good.replace('a', "g"),
            format!("sha256:../../../{}", "0".repeat(55)),
            String::new(),
        ] {
            assert!(Digest::parse(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_digest_of_nothing_is_the_known_one() {
        let known = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Digest::of(b"").as_str(), known);
        assert_eq!(Digest::of(b"").short(), "e3b0c44298fc");
    }
}
