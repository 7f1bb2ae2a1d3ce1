//! Logins for registries, read from a docker config file: `{"auths": {"HOST": {"auth": "…"}}}`.
//! It is separate because they are secrets: they are read from a file, never from argv, and never shown.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::error::{Context as _, Error, Result};

/// Names that docker's file has for one and the same registry.
const DOCKER_HUB: [&str; 4] = [
    "docker.io",
    "index.docker.io",
    "registry-1.docker.io",
    "registry.hub.docker.com",
];

/// How one registry is logged in to.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) enum Login {
    /// Without a login.
    #[default]
    Anonymous,
    /// Name and password; Harbor's robot accounts (`robot$name`) are such, too.
    Basic(String, String),
    /// A refresh token, for which the token endpoint gives access tokens.
    Identity(String),
    /// An access token that is sent as it is.
    Bearer(String),
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Login::Anonymous => "Anonymous",
            Login::Basic(..) => "Basic",
            Login::Identity(_) => "Identity",
            Login::Bearer(_) => "Bearer",
        })
    }
}

impl Login {
    /// `Basic …`, as a header holds it.
    pub(super) fn basic(name: &str, password: &str) -> String {
        format!("Basic {}", STANDARD.encode(format!("{name}:{password}")))
    }
}

/// A login as files write it; the most special of what is there counts.
#[derive(Default, Deserialize)]
pub(super) struct Written {
    /// Base64 of `NAME:PASSWORD`.
    pub(super) auth: Option<String>,
    /// Its parts.
    pub(super) username: Option<String>,
    /// Its parts.
    pub(super) password: Option<String>,
    /// A refresh token: `identitytoken` for docker, `identity_token` for RKE2.
    #[serde(alias = "identity_token")]
    pub(super) identitytoken: Option<String>,
    /// An access token: `registrytoken` for docker, `token` for RKE2.
    #[serde(alias = "token")]
    pub(super) registrytoken: Option<String>,
}

impl Written {
    /// None where the file keeps it elsewhere, in a credential helper.
    pub(super) fn read(self) -> Result<Option<Login>> {
        let filled = |value: Option<String>| value.filter(|text| !text.is_empty());
        if let Some(token) = filled(self.registrytoken) {
            return Ok(Some(Login::Bearer(token)));
        }
        if let Some(token) = filled(self.identitytoken) {
            return Ok(Some(Login::Identity(token)));
        }
        if let (Some(name), Some(password)) = (self.username, self.password) {
            return Ok(Some(Login::Basic(name, password)));
        }
        let Some(auth) = filled(self.auth) else {
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
        // docker pads the password with zero bytes when it is short.
        let password = password.trim_end_matches('\0');
        Ok(Some(Login::Basic(name.to_owned(), password.to_owned())))
    }
}

/// Logins by registry.
#[derive(Clone, Default)]
pub(super) struct Logins {
    by_host: BTreeMap<String, Login>,
}

impl fmt::Debug for Logins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.by_host.keys()).finish()
    }
}

#[derive(Deserialize)]
struct Config {
    #[serde(default)]
    auths: BTreeMap<String, Written>,
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
    pub(super) fn of(&self, host: &str) -> Login {
        let found = self.by_host.get(&bare(host)).cloned();
        found.unwrap_or_default()
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
            "h.example": {"auth": "cm9ib3QkY2k6cw=="},
            "i.example": {"auth": "PHRva2VuPjo=", "identitytoken": "i"},
            "t.example": {"registrytoken": "t"}, "helped.example": {}}}"#;
        let logins = Logins::parse(file).unwrap();
        let basic = |a: &str, b: &str| Login::Basic(a.to_owned(), b.to_owned());
        let table = [
            ("docker.io", basic("a", "b")),
            ("index.docker.io", basic("a", "b")),
            ("registry-1.docker.io", basic("a", "b")),
            ("r.example:5000", basic("u", "p:q")),
            ("r.example", Login::Anonymous),
            ("h.example", basic("robot$ci", "s")),
            ("i.example", Login::Identity("i".to_owned())),
            ("t.example", Login::Bearer("t".to_owned())),
            ("helped.example", Login::Anonymous),
        ];
        for (host, want) in table {
            assert!(logins.of(host) == want, "{host}");
        }
        assert!(!format!("{logins:?}{:?}", logins.of("r.example:5000")).contains("p:q"));
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
