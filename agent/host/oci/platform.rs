//! Platforms: which of an index's images is meant, and whether a configuration is of it.
//! It is separate because the match is strict here, where other tools fall back to what might run.

use std::fmt;

use super::bad;
use crate::error::Result;

/// Operating system, architecture and its variant, in Go's words: `linux/amd64`, `linux/arm/v7`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Platform {
    /// `linux`.
    pub os: String,
    /// `amd64`.
    pub architecture: String,
    /// `v7`, where the architecture has variants.
    pub variant: Option<String>,
}

impl Platform {
    /// Reads `OS/ARCHITECTURE` or `OS/ARCHITECTURE/VARIANT`.
    pub fn parse(text: &str) -> Result<Self> {
        let word =
            |part: &&str| !part.is_empty() && part.bytes().all(|c| c.is_ascii_alphanumeric());
        let parts: Vec<&str> = text.split('/').collect();
        if !parts.iter().all(word) {
            return Err(bad(format!(
                "read the platform {text:?}: it is not like linux/amd64"
            )));
        }
        match parts.as_slice() {
            [os, architecture] => Ok(Self::new(os, architecture, None)),
            [os, architecture, variant] => Ok(Self::new(os, architecture, Some(variant))),
            _ => Err(bad(format!(
                "read the platform {text:?}: it is not like linux/amd64"
            ))),
        }
    }

    /// A platform with what its architecture leaves out put in: arm64 is v8, amd64 is v1.
    pub fn new(os: &str, architecture: &str, variant: Option<&str>) -> Self {
        let implied = matches!(
            (architecture, variant),
            ("arm64", Some("v8" | "8")) | ("amd64", Some("v1"))
        );
        Self {
            os: os.to_owned(),
            architecture: architecture.to_owned(),
            variant: variant
                .filter(|v| !implied && !v.is_empty())
                .map(str::to_owned),
        }
    }

    /// The platform that this program was built for.
    pub fn own() -> Self {
        let architecture = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        };
        Self::new(std::env::consts::OS, architecture, None)
    }

    /// Whether an image of that platform is the one meant: everything equal, nothing close enough.
    pub fn is(&self, other: &Platform) -> bool {
        self == other
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        self.variant.iter().try_for_each(|v| write!(f, "/{v}"))
    }
}

#[cfg(test)]
mod tests {
    use super::Platform;

    #[test]
    fn platforms_are_equal_or_not() {
        let of = |text: &str| Platform::parse(text).unwrap();
        assert!(of("linux/arm64").is(&of("linux/arm64/v8")));
        assert!(of("linux/amd64").is(&of("linux/amd64/v1")));
        for other in [
            "linux/arm64",
            "linux/amd64/v3",
            "windows/amd64",
            "linux/386",
        ] {
            assert!(!of("linux/amd64").is(&of(other)), "{other}");
        }
        assert!(!of("linux/arm/v7").is(&of("linux/arm/v6")));
        assert_eq!(of("linux/arm/v7").to_string(), "linux/arm/v7");
        for bad in ["", "linux", "linux/", "linux/amd64/v1/x", "linux/am d64"] {
            assert!(Platform::parse(bad).is_err(), "{bad}");
        }
    }
}
