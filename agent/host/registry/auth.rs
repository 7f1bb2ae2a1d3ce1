//! Logins for registries, read from a docker config file: `{"auths": {"HOST": {"auth": "…"}}}`.
//! It is separate because they are secrets: they are read from a file, never from argv, and never shown.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use oci_distribution::secrets::RegistryAuth;
use serde::Deserialize;

use crate::error::{Context as _, Error, Result};

/// Names that docker's file has for one and the same registry.
const DOCKER_HUB: [&str; 4] = [
    "docker.io",
    "index.docker.io",
    "registry-1.docker.io",
    "registry.hub.docker.com",
];

/// Logins by registry.
#[derive(Clone, Default)]
pub(super) struct Logins {
    by_host: BTreeMap<String, RegistryAuth>,
}

impl fmt::Debug for Logins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.by_host.keys()).finish()
    }
}

#[derive(Deserialize)]
struct Config {
    #[serde(default)]
    auths: BTreeMap<String, Login>,
}

#[derive(Deserialize)]
struct Login {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    registrytoken: Option<String>,
}

impl Logins {
    /// Reads a file's content. What it says of a login is never part of an error.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self> {
        // serde_json's own message can quote the value that it stumbled over.
        let config: Config = serde_json::from_slice(bytes).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            Error::usage(format!("line {line}, column {column} is not as expected"))
                .hint("the format is that of ~/.docker/config.json: {\"auths\": {\"HOST\": {\"auth\": \"…\"}}}")
        })?;
        let mut by_host = BTreeMap::new();
        for (host, login) in config.auths {
            if let Some(auth) = login.read().context(|| format!("the login of {host}"))? {
                by_host.insert(bare(&host), auth);
            }
        }
        Ok(Self { by_host })
    }

    /// The login of a registry.
    pub(super) fn of(&self, host: &str) -> RegistryAuth {
        let found = self.by_host.get(&bare(host)).cloned();
        found.unwrap_or(RegistryAuth::Anonymous)
    }
}

impl Login {
    /// None where the file keeps it elsewhere, in a credential helper.
    fn read(self) -> Result<Option<RegistryAuth>> {
        if let Some(token) = self.registrytoken {
            return Ok(Some(RegistryAuth::Bearer(token)));
        }
        if let (Some(name), Some(password)) = (self.username, self.password) {
            return Ok(Some(RegistryAuth::Basic(name, password)));
        }
        let Some(auth) = self.auth.filter(|auth| !auth.is_empty()) else {
            return Ok(None);
        };
        let wrong = || {
            Error::usage("`auth` is not base64 of NAME:PASSWORD").hint(
                "`docker login`, `podman login --authfile` and `skopeo login --authfile` write it",
            )
        };
        let bytes = STANDARD.decode(auth).map_err(|_| wrong())?;
        let text = String::from_utf8(bytes).map_err(|_| wrong())?;
        let (name, password) = text.split_once(':').ok_or_else(wrong)?;
        Ok(Some(RegistryAuth::Basic(
            name.to_owned(),
            password.to_owned(),
        )))
    }
}

/// `https://index.docker.io/v1/` and `docker.io` are one registry.
fn bare(host: &str) -> String {
    let host = host.trim_start_matches("https://");
    let host = host.trim_start_matches("http://");
    let host = host.split('/').next().unwrap_or_default();
    if DOCKER_HUB.contains(&host) {
        return "docker.io".to_owned();
    }
    host.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins_are_found_by_any_of_the_registrys_names() {
        let file = br#"{"credsStore": "x", "auths": {
            "https://index.docker.io/v1/": {"auth": "YTpi"},
            "r.example:5000": {"username": "u", "password": "p:q"},
            "t.example": {"registrytoken": "t"}, "helped.example": {}}}"#;
        let logins = Logins::parse(file).unwrap();
        let basic = |a: &str, b: &str| RegistryAuth::Basic(a.to_owned(), b.to_owned());
        let table = [
            ("docker.io", basic("a", "b")),
            ("index.docker.io", basic("a", "b")),
            ("r.example:5000", basic("u", "p:q")),
            ("r.example", RegistryAuth::Anonymous),
            ("t.example", RegistryAuth::Bearer("t".to_owned())),
            ("helped.example", RegistryAuth::Anonymous),
        ];
        for (host, want) in table {
            assert!(logins.of(host) == want, "{host}");
        }
        assert!(!format!("{logins:?}").contains("p:q"));
    }

    #[test]
    fn a_broken_file_is_refused_without_a_word_of_its_secrets() {
        let table = [
            r#"{"auths": {"r.example": {"auth": 12345678}}}"#,
            r#"{"auths": {"r.example": {"auth": "c2VjcmV0"}}}"#,
            r#"{"auths": {"r.example": {"auth": "%secret%"}}}"#,
            r#"{"auths": ["secret"]}"#,
            "secret",
        ];
        for text in table {
            let error = Logins::parse(text.as_bytes()).unwrap_err();
            let said = error.one_line() + error.next_step().unwrap();
            assert!(!said.contains("secret") && !said.contains("1234"), "{said}");
        }
    }
}
