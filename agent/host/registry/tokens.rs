//! Authorization: what each endpoint wants for each repository, kept for all sessions until it expires.
//! It is separate because tokens are shared, and because to whom a login is sent is decided here.
//!
//! oci-client's own login is not used: it asks at the address that an image's name has, and knows neither mirrors
//! with paths and rewrites nor TLS by endpoint.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use reqwest::Url;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use serde::Deserialize;

use super::ask::body;
use super::auth::Login;
use super::challenge::Challenge;
use super::fault::{Fault, of_status};
use super::link::Link;
use super::patience::retry_after;
use super::route::{Endpoint, authority};
use crate::host::failure::Class;

/// Most of a token endpoint's answer; the longest tokens have a few KiB.
const LARGEST: u64 = 256 << 10;

/// How long a token is good where its endpoint does not say (distribution's token specification).
const USUAL: u64 = 60;

/// By endpoint and repository.
type Key = (String, String);

/// What is held for a repository at an endpoint.
struct Held {
    header: HeaderValue,
    until: Option<Instant>,
}

/// All tokens.
#[derive(Default)]
pub(super) struct Tokens {
    held: Mutex<BTreeMap<Key, Held>>,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens").finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Answer {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<u64>,
}

impl Tokens {
    /// What is sent at first: what was good last time.
    pub(super) fn header(&self, endpoint: &Endpoint) -> Option<HeaderValue> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let found = held.get(&key(endpoint))?;
        let good = found.until.is_none_or(|until| Instant::now() < until);
        good.then(|| found.header.clone())
    }

    fn hold(
        &self,
        endpoint: &Endpoint,
        text: &str,
        until: Option<Instant>,
    ) -> Result<HeaderValue, Fault> {
        let mut header = HeaderValue::from_str(text).map_err(|_| {
            Fault::lasting(Class::Auth, "the login or token cannot be part of a header")
        })?;
        header.set_sensitive(true);
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let header_too = header.clone();
        held.insert(key(endpoint), Held { header, until });
        Ok(header_too)
    }

    /// What this challenge wants; `refused` is what was sent and not taken.
    pub(super) async fn answer(
        &self,
        link: &Link,
        endpoint: &Endpoint,
        challenge: Option<Challenge>,
        refused: Option<&HeaderValue>,
    ) -> Result<HeaderValue, Fault> {
        // Another session may have a newer one by now.
        if let Some(newer) = self.header(endpoint)
            && refused.is_some_and(|old| *old != newer)
        {
            return Ok(newer);
        }
        let header = match (challenge, &endpoint.login) {
            (_, Login::Bearer(token)) => self.hold(endpoint, &format!("Bearer {token}"), None)?,
            (Some(Challenge::Basic), Login::Basic(name, password)) => {
                self.hold(endpoint, &Login::basic(name, password), None)?
            }
            (
                Some(Challenge::Bearer {
                    realm,
                    service,
                    scope,
                }),
                _,
            ) => {
                let scope =
                    scope.unwrap_or_else(|| format!("repository:{}:pull", endpoint.repository));
                let answer = fetch(link, endpoint, &realm, service.as_deref(), &scope).await?;
                return self.take(endpoint, answer);
            }
            (Some(Challenge::Basic), _) => return Err(no_login("HTTP 401 without a login")),
            (None, _) => {
                return Err(no_login(
                    "HTTP 401 without a way to log in that is known here",
                ));
            }
        };
        match refused == Some(&header) {
            true => Err(no_login("HTTP 401: the login was refused")),
            false => Ok(header),
        }
    }

    fn take(&self, endpoint: &Endpoint, answer: Answer) -> Result<HeaderValue, Fault> {
        let token = answer
            .token
            .or(answer.access_token)
            .filter(|t| !t.is_empty());
        let token = token.ok_or_else(|| {
            Fault::lasting(
                Class::Registry,
                "the token endpoint's answer holds no token",
            )
        })?;
        let seconds = answer.expires_in.unwrap_or(USUAL).min(86_400);
        // Not used in its last moments: the request takes time, too.
        let good = Duration::from_secs(seconds - (seconds / 10).min(10));
        self.hold(
            endpoint,
            &format!("Bearer {token}"),
            Some(Instant::now() + good),
        )
    }
}

fn no_login(said: &str) -> Fault {
    Fault::lasting(Class::Auth, said)
}

fn key(endpoint: &Endpoint) -> Key {
    (endpoint.base.to_string(), endpoint.repository.clone())
}

/// Asks for a token: by GET with the login, or by POST with a refresh token (distribution's specifications
/// "Token Authentication" and "OAuth2 Token Authentication").
async fn fetch(
    link: &Link,
    endpoint: &Endpoint,
    realm: &str,
    service: Option<&str>,
    scope: &str,
) -> Result<Answer, Fault> {
    let url = realm_of(endpoint, realm)?;
    let host = authority(&url);
    let doing = format!("get a token from {host}");
    let mut pairs = vec![("scope", scope)];
    pairs.extend(service.map(|service| ("service", service)));
    // An endpoint's own files and switches are for its own host only.
    let tls = match host == endpoint.host {
        true => endpoint.tls.clone(),
        false => link.shared.routes.tls(&host),
    };
    let client = link.client(&url, &tls)?;
    let request = match &endpoint.login {
        Login::Identity(token) => {
            pairs.extend([
                ("grant_type", "refresh_token"),
                ("refresh_token", token),
                ("client_id", "nodeagent"),
            ]);
            client.post(url).form(&pairs)
        }
        Login::Basic(name, password) => {
            let mut header = HeaderValue::from_str(&Login::basic(name, password))
                .map_err(|_| no_login("the login cannot be part of a header"))?;
            header.set_sensitive(true);
            client.get(url).query(&pairs).header(AUTHORIZATION, header)
        }
        Login::Anonymous | Login::Bearer(_) => client.get(url).query(&pairs),
    };
    let sent = tokio::time::timeout(link.shared.patience.answer, request.send()).await;
    let answer = sent
        .map_err(|_| Fault::passing(Class::Timeout, format!("{doing}: no answer in time")))?
        .map_err(|error| Fault::of_transport(&doing, error))?;
    read(link, answer, &doing).await
}

async fn read(link: &Link, mut answer: reqwest::Response, doing: &str) -> Result<Answer, Fault> {
    let status = answer.status();
    if !status.is_success() {
        let wait = answer.headers().get(reqwest::header::RETRY_AFTER);
        let wait = wait.and_then(|value| retry_after(value.to_str().ok()?));
        let mut fault = of_status(status, wait, doing);
        if fault.class == Class::NotFound || status.as_u16() == 400 {
            fault.class = Class::Auth;
        }
        return Err(fault);
    }
    let bytes = body(&mut answer, LARGEST, &link.shared.patience).await?;
    serde_json::from_slice(&bytes)
        .map_err(|_| Fault::lasting(Class::Registry, format!("{doing}: the answer is not JSON")))
}

/// The address that a login goes to. It must not be less safe than the registry that names it.
fn realm_of(endpoint: &Endpoint, realm: &str) -> Result<Url, Fault> {
    let bad = |why: &str| {
        Fault::lasting(
            Class::Auth,
            format!("the registry's address for tokens {why}"),
        )
    };
    let url = Url::parse(realm).map_err(|_| bad("is none"))?;
    match (url.scheme(), endpoint.base.scheme()) {
        ("https", _) | ("http", "http") => Ok(url),
        ("http", _) => Err(bad(
            "has no TLS, but the registry has: nothing is sent there",
        )),
        _ => Err(bad("is not of the web")),
    }
}
