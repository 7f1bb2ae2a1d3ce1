//! One session's HTTP clients, over what all sessions share: routes, trust, tokens, warnings.
//! It is separate because a connection belongs to the runtime of one thread, and everything else to all.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use reqwest::header::{ACCEPT_ENCODING, HeaderMap, HeaderValue};
use reqwest::{Client, NoProxy, Proxy, Url};

use super::Access;
use super::fault::Fault;
use super::pace::Pace;
use super::patience::Patience;
use super::rke2::Tls;
use super::route::{Routes, authority};
use super::tls::Trust;
use super::tokens::Tokens;
use crate::error::{Context as _, Error, Result};
use crate::host::environment;
use crate::host::failure::Class;

/// What all sessions share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) routes: Routes,
    pub(super) patience: Patience,
    pub(super) pace: Pace,
    pub(super) tokens: Tokens,
    pub(super) trust: Trust,
    /// Proxies, with credentials perhaps: none of it is shown.
    pub(super) proxies: Vec<Proxy>,
    /// Hosts of which was said that they are spoken to without TLS, or without knowing who they are.
    warned: Mutex<BTreeSet<String>>,
}

impl Shared {
    pub(super) fn new(routes: Routes, trust: Trust, access: &Access) -> Result<Self> {
        Ok(Self {
            pace: Pace::new(access.memory, access.join),
            patience: access.patience.clone(),
            routes,
            tokens: Tokens::default(),
            trust,
            proxies: proxies(&environment::proxies())?,
            warned: Mutex::default(),
        })
    }

    /// Says once of a host that nobody knows who answers there.
    fn warn(&self, url: &Url, tls: &Tls) {
        let what = match (url.scheme(), tls.insecure) {
            ("http", _) => "without TLS",
            (_, true) => "without a check of its certificate",
            _ => return,
        };
        let host = authority(url);
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        if warned.insert(host.clone()) {
            tracing::warn!("{host} is spoken to {what}: only what a digest proves can be trusted");
        }
    }
}

/// One session's clients.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) shared: Arc<Shared>,
    clients: Mutex<BTreeMap<Tls, Client>>,
    plain: Client,
}

impl Link {
    pub(super) fn new(shared: Arc<Shared>) -> Result<Self> {
        let plain = client(&shared, None)?;
        Ok(Self {
            shared,
            clients: Mutex::default(),
            plain,
        })
    }

    /// The client for an address.
    pub(super) fn client(&self, url: &Url, tls: &Tls) -> Result<Client, Fault> {
        self.shared.warn(url, tls);
        if url.scheme() == "http" {
            return Ok(self.plain.clone());
        }
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(tls) {
            return Ok(client.clone());
        }
        let made = client(&self.shared, Some(tls))
            .map_err(|error| Fault::lasting(Class::Tls, String::new()).because(error))?;
        clients.insert(tls.clone(), made.clone());
        Ok(made)
    }
}

/// A client; without TLS it cannot speak to anybody who has it. Redirects are ours: they decide where logins go.
fn client(shared: &Shared, tls: Option<&Tls>) -> Result<Client> {
    // A body that a server or proxy compresses has no length that could be checked.
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    let config = match tls {
        Some(tls) => shared.trust.config(tls)?,
        None => shared.trust.nobody()?,
    };
    let mut builder = Client::builder()
        .user_agent(concat!("nodeagent/", env!("CARGO_PKG_VERSION")))
        .default_headers(headers)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .connect_timeout(shared.patience.connect)
        .tls_backend_preconfigured(config)
        .no_proxy();
    for proxy in &shared.proxies {
        builder = builder.proxy(proxy.clone());
    }
    builder
        .build()
        .map_err(|error| Error::host("set up a client for registries").because(error.without_url()))
}

/// Proxies as the environment has them; names in lower case win, as with curl.
fn proxies(set: &[(String, String)]) -> Result<Vec<Proxy>> {
    let value = |names: [&str; 2]| {
        let found = names
            .iter()
            .find_map(|name| set.iter().find(|(key, _)| key == name));
        found.map(|(name, value)| (name.as_str(), value.as_str()))
    };
    let direct = value(["no_proxy", "NO_PROXY"]).and_then(|(_, hosts)| NoProxy::from_string(hosts));
    let any = value(["all_proxy", "ALL_PROXY"]);
    let mut found = Vec::new();
    for (scheme, names) in [
        ("http", ["http_proxy", "HTTP_PROXY"]),
        ("https", ["https_proxy", "HTTPS_PROXY"]),
    ] {
        let Some((name, value)) = value(names).or(any) else {
            continue;
        };
        let proxy = match scheme {
            "http" => Proxy::http(value),
            _ => Proxy::https(value),
        };
        // The value is not told: it may hold a password.
        let proxy = proxy
            .map_err(|_| Error::usage(format!("{name} is no proxy's address")))
            .context(|| "set up proxies for registries")?;
        found.push(proxy.no_proxy(direct.clone()));
    }
    Ok(found)
}
