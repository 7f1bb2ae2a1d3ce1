//! RKE2's registries.yaml: mirrors with rewrites, and TLS and logins by host.
//! It is separate because the file belongs to RKE2: what it means is what RKE2 and k3s make of it.
//!
//! Sources: rancher/wharfie pkg/registries/types.go (the format), k3s pkg/agent/containerd/config.go (its meaning),
//! RKE2's documentation, "Private registry configuration".

use std::collections::BTreeMap;
use std::path::PathBuf;

use regex::Regex;
use serde::Deserialize;
use serde_json::Value;

use super::auth::{Login, Written};
use super::yaml;
use crate::error::{Context as _, Error, Result};

/// What the file says.
#[derive(Debug, Default)]
pub(super) struct Registries {
    mirrors: BTreeMap<String, Mirror>,
    configs: BTreeMap<String, Config>,
}

/// Where a registry's images are had instead.
#[derive(Debug, Default)]
pub(super) struct Mirror {
    /// Endpoints in their order, as they are written.
    pub(super) endpoints: Vec<String>,
    /// Patterns and what becomes of a repository's name that matches.
    pub(super) rewrites: Vec<(Regex, String)>,
}

/// How a host is reached.
#[derive(Debug, Default)]
pub(super) struct Config {
    /// The login; never of "*", which no node sends to anybody.
    pub(super) login: Option<Login>,
    /// Files and switches of TLS.
    pub(super) tls: Tls,
}

/// Files and switches of TLS. They are read when a host is first spoken to: hosts that are not needed may name
/// files that only a node has.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub(super) struct Tls {
    /// Authorities that are trusted beside the system's.
    pub(super) ca_file: Option<PathBuf>,
    /// The certificate that is shown to the registry.
    pub(super) cert_file: Option<PathBuf>,
    /// Its key.
    pub(super) key_file: Option<PathBuf>,
    /// Whoever answers is believed.
    #[serde(default, rename = "insecure_skip_verify", deserialize_with = "truth")]
    pub(super) insecure: bool,
}

#[derive(Deserialize)]
struct FileShape {
    mirrors: Option<BTreeMap<String, Option<MirrorShape>>>,
    configs: Option<BTreeMap<String, Option<ConfigShape>>>,
}

#[derive(Deserialize)]
struct MirrorShape {
    #[serde(alias = "endpoints")]
    endpoint: Option<Vec<String>>,
    #[serde(alias = "rewrites")]
    rewrite: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
struct ConfigShape {
    auth: Option<Written>,
    tls: Option<Tls>,
}

impl Registries {
    /// Reads the file's content. No word of a login is part of an error.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self> {
        let text = std::str::from_utf8(bytes).map_err(|_| Error::usage("it is not UTF-8"))?;
        let value = match yaml::parse(text)? {
            Value::Null => return Ok(Self::default()),
            value => value,
        };
        // serde_json's message can quote the value that it stumbled over.
        let shape: FileShape = serde_json::from_value(value).map_err(|_| {
            Error::usage("it has not the shape of RKE2's registries.yaml").hint(
                "mirrors: {HOST: {endpoint: [URL], rewrite: {REGEX: TEXT}}}, configs: {HOST: {auth: …, tls: …}}",
            )
        })?;
        let mut this = Self::default();
        for (host, mirror) in shape.mirrors.unwrap_or_default() {
            let mirror = match mirror {
                Some(shape) => shape
                    .read()
                    .context(|| format!("the mirrors of {host:?}"))?,
                None => Mirror::default(),
            };
            this.mirrors.insert(host, mirror);
        }
        for (host, config) in shape.configs.unwrap_or_default() {
            if let Some(shape) = config {
                let config = shape.read(&host);
                let config = config.context(|| format!("the configuration of {host:?}"))?;
                this.configs.insert(host, config);
            }
        }
        Ok(this)
    }

    /// The mirrors of a registry, and the configuration of its own endpoint: an entry of its own hides "*" whole.
    pub(super) fn of(&self, registry: &str) -> (Option<&Mirror>, Option<&Config>) {
        let mirror = self.mirrors.get(registry);
        let config = self.config(registry);
        let own = mirror.is_some_and(|mirror| !mirror.endpoints.is_empty())
            || config.is_some_and(Config::says_something);
        match own {
            true => (mirror, config),
            false => (self.mirrors.get("*"), self.configs.get("*")),
        }
    }

    /// The configuration of an endpoint's host; docker.io's may be under the name of the host that serves it.
    pub(super) fn config(&self, host: &str) -> Option<&Config> {
        let other = match host {
            "docker.io" => self.configs.get("registry-1.docker.io"),
            "registry-1.docker.io" => self.configs.get("docker.io"),
            _ => None,
        };
        match host {
            "docker.io" => other.or_else(|| self.configs.get(host)),
            _ => self.configs.get(host).or(other),
        }
    }
}

impl MirrorShape {
    fn read(self) -> Result<Mirror> {
        let mut rewrites = Vec::new();
        for (pattern, replacement) in self.rewrite.unwrap_or_default() {
            let regex = Regex::new(&pattern).map_err(|error| {
                Error::usage(format!("{pattern:?} is no regular expression"))
                    .because(error)
                    .hint("write it as Go's regexp package reads it")
            })?;
            rewrites.push((regex, replacement));
        }
        Ok(Mirror {
            endpoints: self.endpoint.unwrap_or_default(),
            rewrites,
        })
    }
}

impl Mirror {
    /// The repository's name at the mirror: the first pattern that changes it counts, as in containerd's fork of k3s.
    /// Where several would, Go takes any; here it is the first by alphabet.
    pub(super) fn rewritten(&self, repository: &str) -> String {
        let changed = self.rewrites.iter().map(|(regex, replacement)| {
            // Go's `$1`, `${1}`, `$name` and `$$` are also this library's, the longest name included.
            regex.replace_all(repository, replacement.as_str())
        });
        let changed = changed.into_iter().find(|text| text != repository);
        changed.map_or_else(|| repository.to_owned(), String::from)
    }
}

impl ConfigShape {
    fn read(self, host: &str) -> Result<Config> {
        let login = match self.auth {
            Some(written) => written.read()?,
            None => None,
        };
        if host == "*" && login.is_some() {
            tracing::warn!(
                "registries.yaml: the login of \"*\" is not used: a node does not send it to anybody either"
            );
        }
        let tls = self.tls.unwrap_or_default();
        if tls.cert_file.is_some() != tls.key_file.is_some() {
            return Err(Error::usage("cert_file and key_file belong together")
                .hint("name both, or neither"));
        }
        Ok(Config {
            login: login.filter(|_| host != "*"),
            tls,
        })
    }
}

impl Config {
    fn says_something(&self) -> bool {
        self.login.is_some() || self.tls != Tls::default()
    }
}

/// The words for true and false of YAML 1.1, which RKE2's parser knows.
fn truth<'de, D: serde::Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    let word: Option<String> = Deserialize::deserialize(from)?;
    match word.unwrap_or_default().to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "y" => Ok(true),
        "false" | "no" | "off" | "n" | "" => Ok(false),
        _ => Err(serde::de::Error::custom("neither true nor false")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rewrites_are_gos() {
        let table = [
            (
                "^rancher/(.*)",
                "mirrored/$1",
                "rancher/rke2",
                "mirrored/rke2",
            ),
            ("^rancher/(.*)", "m/${1}-x", "rancher/rke2", "m/rke2-x"),
            // The longest name: `$1x` is a group that is not there.
            ("^rancher/(.*)", "m/$1x", "rancher/rke2", "m/"),
            ("(?P<all>.*)b", "${all}c", "ab", "ac"),
            ("a", "$$", "banana", "b$n$n$"),
            ("^none/(.*)", "x/$1", "rancher/rke2", "rancher/rke2"),
        ];
        for (pattern, replacement, from, to) in table {
            let text = format!(
                "mirrors: {{r: {{endpoint: [e], rewrite: {{'{pattern}': '{replacement}'}}}}}}"
            );
            let file = Registries::parse(text.as_bytes()).unwrap();
            let (mirror, _) = file.of("r");
            assert_eq!(mirror.unwrap().rewritten(from), to, "{pattern}");
        }
    }

    #[test]
    fn what_is_wrong_is_refused_without_a_word_of_its_secrets() {
        let table = [
            "- secret",
            "mirrors: secret",
            "mirrors: {r: {endpoint: secret}}",
            "mirrors: {r: {rewrite: {'(': x}}}",
            "configs: {r: {auth: {password: [secret]}}}",
            "configs: {r: {auth: {auth: secret}}}",
            "configs: {r: {tls: {insecure_skip_verify: secret}}}",
            "configs: {r: {tls: {cert_file: /secret}}}",
            "configs: {r: {auth: {auth: 'secret}}}",
        ];
        for text in table {
            let error = Registries::parse(text.as_bytes()).unwrap_err();
            let said = error.one_line();
            assert!(!said.contains("secret"), "{said}");
        }
        assert!(Registries::parse(b"\xff").is_err());
        assert!(Registries::parse(b"").unwrap().of("r").0.is_none());
    }

    #[test]
    fn a_login_never_shows() {
        let text = "configs: {r: {auth: {username: u, password: hidden}, tls: {insecure_skip_verify: yes}}}";
        let file = Registries::parse(text.as_bytes()).unwrap();
        assert!(file.config("r").unwrap().tls.insecure);
        assert!(!format!("{file:?}").contains("hidden"));
    }
}
