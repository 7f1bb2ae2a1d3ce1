//! Names of images, whole: `docker.io/library/busybox:1.36@sha256:…`.
//! They are separate because the store is keyed by name: kubelet finds an image only under the exact, whole one.

use std::fmt;

use oci_distribution::Reference;

use super::Digest;
use crate::error::{Error, Result};

/// An image's name with every default put in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name {
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

impl Name {
    /// Reads a name; `busybox` becomes `docker.io/library/busybox:latest`.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = || format!("read {text:?} as an image's name");
        let reference = Reference::try_from(text).map_err(|error| {
            Error::usage(wrong())
                .because(error)
                .hint("write it as registry/repository:tag@sha256:digest")
        })?;
        // It takes `Linux/a` for a repository of Docker's, which no registry has: capitals are for hosts alone.
        if reference
            .repository()
            .contains(|c: char| c.is_ascii_uppercase())
        {
            return Err(Error::usage(wrong())
                .because("a repository's name has no capitals")
                .hint("write it as registry/repository:tag@sha256:digest"));
        }
        let digest = match reference.digest() {
            Some(digest) => Some(Digest::parse(digest)?),
            None => None,
        };
        // The parser puts in `latest` where there is neither; beside a digest only a tag that was written counts.
        let tag = reference.tag().map(str::to_owned);
        Ok(Self {
            registry: reference.registry().to_owned(),
            repository: reference.repository().to_owned(),
            tag,
            digest,
        })
    }

    /// `docker.io`, `harbor.example:8443`.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// `library/busybox`.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest that it is pinned to.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// The same name, pinned.
    #[must_use]
    pub fn pinned(mut self, digest: Digest) -> Self {
        self.digest = Some(digest);
        self
    }

    /// Registry and repository.
    pub fn base(&self) -> String {
        format!("{}/{}", self.registry, self.repository)
    }

    /// The record that a pod asks for by tag.
    pub fn tagged(&self) -> Option<String> {
        let tag = self.tag.as_ref()?;
        Some(format!("{}:{tag}", self.base()))
    }

    /// The record that a pod asks for by digest, for the digest that the name resolved to.
    pub fn digested(&self, digest: &Digest) -> String {
        format!("{}@{digest}", self.base())
    }

    /// What a registry is asked for: the digest where there is one, the tag otherwise.
    pub fn version(&self) -> &str {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => digest.as_str(),
            (None, Some(tag)) => tag,
            (None, None) => "latest",
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.base())?;
        self.tag.iter().try_for_each(|tag| write!(f, ":{tag}"))?;
        self.digest
            .iter()
            .try_for_each(|digest| write!(f, "@{digest}"))
    }
}

#[cfg(test)]
mod tests {
    use super::Name;

    #[test]
    fn names_are_whole() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let table = [
            ("busybox", "docker.io/library/busybox:latest".to_owned()),
            ("k8s/pause:3.9", "docker.io/k8s/pause:3.9".to_owned()),
            ("r.example:5000/a/b:1", "r.example:5000/a/b:1".to_owned()),
            (
                &*format!("r.example/a@{digest}"),
                format!("r.example/a@{digest}"),
            ),
            (
                &*format!("r.example/a:1@{digest}"),
                format!("r.example/a:1@{digest}"),
            ),
        ];
        for (text, whole) in table {
            assert_eq!(Name::parse(text).unwrap().to_string(), whole);
        }
        let name = Name::parse(&format!("r.example/a:1@{digest}")).unwrap();
        assert_eq!(name.tagged().unwrap(), "r.example/a:1");
        assert_eq!(name.version(), digest);
        let bad = [
            "",
            "r.example/UPPER",
            "Upper/a",
            "r.example/a@sha256:abc",
            "a b",
        ];
        for bad in bad {
            assert!(Name::parse(bad).is_err(), "{bad}");
        }
    }
}
