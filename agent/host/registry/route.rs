//! Where an image is asked for: the endpoints of its registry in order, each with its TLS and its login.
//! It is separate because it is a pure function of configuration and name, and the most often misread one.

use std::collections::BTreeSet;

use reqwest::Url;

use super::auth::{Login, Logins};
use super::rke2::{Mirror, Registries, Tls};
use crate::error::{Error, Result};
use crate::host::oci::Name;

/// One address that may have the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Endpoint {
    /// What comes before the repository's name: `https://host:port/v2`.
    pub(super) base: Url,
    /// `host[:port]`, for people and for looking things up.
    pub(super) host: String,
    /// The repository's name there.
    pub(super) repository: String,
    /// The registry that is meant, where the endpoint is a mirror of it (containerd's `?ns=`).
    pub(super) ns: Option<String>,
    /// TLS, by the endpoint's host.
    pub(super) tls: Tls,
    /// The login, by the endpoint's host.
    pub(super) login: Login,
}

impl Endpoint {
    /// The address of a document or blob: `manifests/…`, `blobs/…`.
    pub(super) fn url(&self, tail: &str) -> Url {
        let mut url = self.base.clone();
        let base = self.base.path().trim_end_matches('/');
        url.set_path(&format!("{base}/{}/{tail}", self.repository));
        if let Some(ns) = &self.ns {
            url.query_pairs_mut().append_pair("ns", ns);
        }
        url
    }
}

/// Everything that decides about endpoints.
#[derive(Debug, Default)]
pub(super) struct Routes {
    pub(super) plain_http: BTreeSet<String>,
    pub(super) insecure_tls: BTreeSet<String>,
    pub(super) logins: Logins,
    pub(super) registries: Registries,
    /// Registries with mirrors are not asked themselves.
    pub(super) mirrors_only: bool,
}

impl Routes {
    /// The endpoints of an image, in the order in which they are asked; at least one.
    pub(super) fn of(&self, name: &Name) -> Result<Vec<Endpoint>> {
        let (mirror, config) = self.registries.of(name.registry());
        let mut found: Vec<Endpoint> = Vec::new();
        if let Some(mirror) = mirror {
            for text in &mirror.endpoints {
                let endpoint = self.mirror(text, mirror, name)?;
                if !found.iter().any(|other| other.base == endpoint.base) {
                    found.push(endpoint);
                }
            }
        }
        let own = self.own(name, config.map(|config| &config.tls))?;
        let last = found.last().is_some_and(|last| last.base == own.base);
        if found.is_empty() || !(last || self.mirrors_only) {
            found.push(own);
        }
        Ok(found)
    }

    /// The registry itself: without rewrites.
    fn own(&self, name: &Name, tls: Option<&Tls>) -> Result<Endpoint> {
        let host = serving(name.registry());
        let plain = self.plain_http.contains(host) || self.plain_http.contains(name.registry());
        let scheme = if plain { "http" } else { "https" };
        let base = url(&format!("{scheme}://{host}/v2"))?;
        let mut endpoint = self.endpoint(base, name.repository().to_owned(), name);
        if let Some(tls) = tls {
            let insecure = endpoint.tls.insecure;
            endpoint.tls = tls.clone();
            endpoint.tls.insecure |= insecure;
        }
        Ok(endpoint)
    }

    /// A mirror. Scheme and path follow k3s: without a scheme https, but http on a port of the machine itself that
    /// is not 443; a path other than `/v2` stands for it.
    fn mirror(&self, text: &str, mirror: &Mirror, name: &Name) -> Result<Endpoint> {
        let mut base = match text.contains("://") {
            true => url(text)?,
            false => self.schemeless(text)?,
        };
        if base.host_str().is_some_and(|host| host != serving(host)) {
            let host = serving(base.host_str().unwrap_or_default()).to_owned();
            base.set_host(Some(&host)).map_err(|_| wrong(text))?;
        }
        let path = match base.path() {
            "" | "/" | "/v2" => "/v2".to_owned(),
            path => path.trim_end_matches('/').to_owned(),
        };
        base.set_path(&path);
        base.set_query(None);
        base.set_fragment(None);
        Ok(self.endpoint(base, mirror.rewritten(name.repository()), name))
    }

    fn schemeless(&self, text: &str) -> Result<Url> {
        let https = url(&format!("https://{text}"))?;
        let odd = https.port().is_some_and(|port| port != 443);
        match (odd && is_local(&https)) || self.plain_http.contains(&authority(&https)) {
            true => url(&format!("http://{text}")),
            false => Ok(https),
        }
    }

    fn endpoint(&self, base: Url, repository: String, name: &Name) -> Endpoint {
        let host = authority(&base);
        // A login for the port of TLS is none for the plain one.
        let names = match base.scheme() {
            "https" => spellings(&host),
            _ => vec![host.clone()],
        };
        let config = names.iter().find_map(|name| self.registries.config(name));
        let login = config.and_then(|config| config.login.clone());
        let mut logins = names.iter().map(|name| self.logins.of(name));
        let own = names.iter().any(|host| host == serving(name.registry()));
        let ns = (!own).then(|| name.registry().to_owned());
        Endpoint {
            repository,
            ns,
            tls: self.tls(&host),
            login: login
                .or_else(|| logins.find(|login| *login != Login::Anonymous))
                .unwrap_or_default(),
            base,
            host,
        }
    }

    /// TLS of any host: also of those that a registry redirects to or lets tokens be had from.
    pub(super) fn tls(&self, host: &str) -> Tls {
        let names = spellings(host);
        let config = names.iter().find_map(|name| self.registries.config(name));
        let mut tls = config.map(|config| config.tls.clone()).unwrap_or_default();
        tls.insecure |= names.iter().any(|name| self.insecure_tls.contains(name));
        tls
    }
}

/// `host[:port]` of an address.
pub(super) fn authority(url: &Url) -> String {
    match (url.host_str(), url.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (Some(host), None) => host.to_owned(),
        (None, _) => String::new(),
    }
}

/// How a person may write the host of an https address: the port that an address leaves out may stand there.
fn spellings(host: &str) -> Vec<String> {
    vec![host.to_owned(), format!("{host}:443")]
}

/// The host that serves a registry: docker.io is served by another.
fn serving(registry: &str) -> &str {
    match registry {
        "docker.io" | "index.docker.io" => "registry-1.docker.io",
        other => other,
    }
}

fn is_local(url: &Url) -> bool {
    match url.host_str() {
        Some("localhost" | "[::1]") => true,
        Some(host) => host.starts_with("127."),
        None => false,
    }
}

fn url(text: &str) -> Result<Url> {
    let url = Url::parse(text).map_err(|_| wrong(text))?;
    let web = matches!(url.scheme(), "http" | "https") && url.host_str().is_some();
    match web && url.username().is_empty() && url.password().is_none() {
        true => Ok(url),
        false => Err(wrong(text)),
    }
}

/// The address itself is not told where it may hold a password.
fn wrong(text: &str) -> Error {
    let shown = match text.contains('@') {
        true => "an endpoint with a name or password",
        false => text,
    };
    Error::usage(format!("use {shown} as a registry's address"))
        .hint("write https://HOST[:PORT][/PATH]; a login goes to configs.HOST.auth or --auth-file")
}

#[cfg(test)]
mod tests;
