//! A JSON document to a site's own server: HTTP POST with TLS, within limits of time and of tries.
//! It is separate because it is the one outlet that leaves the machine, and the one that handles a secret.

use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use reqwest::{Certificate, Client, StatusCode, Url, redirect};
use tokio::time::{Instant, sleep, timeout_at};

use crate::error::{Context as _, Error, Result};
use crate::host::Root;
use crate::host::evidence::random_hex;

/// Where to send it.
#[derive(Debug, Clone)]
pub struct Target {
    /// `https://…`, or `http://…` where no token is sent.
    pub url: String,
    /// PEM file of the certificate authorities that are trusted instead of the system's.
    pub ca: Option<PathBuf>,
    /// File with a token, sent as `Authorization: Bearer …`.
    pub token_file: Option<PathBuf>,
    /// How long, how often.
    pub limits: Limits,
}

/// How long and how often it is tried.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// One try, from the name's address to the answer's head.
    pub attempt: Duration,
    /// All of them, with the pauses between.
    pub total: Duration,
    /// The first pause; each further one is twice as long.
    pub pause: Duration,
    /// How often at most.
    pub tries: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            attempt: Duration::from_secs(10),
            total: Duration::from_secs(90),
            pause: Duration::from_secs(1),
            tries: 6,
        }
    }
}

/// What came of one try.
enum Tried {
    Taken,
    /// It may go better later; the server may have said when.
    Later(String, Option<Duration>),
    Never(String),
}

/// Sends it.
pub(super) fn send(target: &Target, json: &str) -> Result<()> {
    let url = checked(target)?;
    let doing = format!("send the report to {}", shown(&url));
    let client = client(target).context(|| doing.clone())?;
    let token = target
        .token_file
        .as_deref()
        .map(token)
        .transpose()
        .context(|| doing.clone())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context(|| doing.clone())?;
    let request = || {
        let mut request = client
            .post(url.clone())
            .header(CONTENT_TYPE, "application/json")
            .body(json.to_owned());
        if let Some(token) = &token {
            request = request.header(AUTHORIZATION, token.clone());
        }
        request
    };
    runtime
        .block_on(tries(&target.limits, request))
        .map_err(|why| {
            Error::host(format!("{doing}: {why}"))
                .hint("check url, ca and token_file in /etc/nodeagent/report.toml, then: nodeagent report --to http")
        })
}

async fn tries(
    limits: &Limits,
    request: impl Fn() -> reqwest::RequestBuilder,
) -> std::result::Result<(), String> {
    let end = Instant::now() + limits.total;
    let mut pause = limits.pause;
    let mut why = String::new();
    for number in 1..=limits.tries {
        let answer = timeout_at(end, request().send()).await;
        let wanted = match answer.map(judged) {
            Ok(Tried::Taken) => return Ok(()),
            Ok(Tried::Never(said)) => return Err(said),
            Ok(Tried::Later(said, wanted)) => {
                why = said;
                wanted
            }
            Err(_) => break,
        };
        let wait = wanted.unwrap_or_else(|| spread(pause));
        pause = pause.saturating_mul(2);
        if number == limits.tries || Instant::now() + wait >= end {
            return Err(format!("{why}, {number} times"));
        }
        tracing::debug!("{why}: again in {} ms", wait.as_millis());
        sleep(wait).await;
    }
    let total = limits.total;
    Err(format!("no end within {total:?}{}", after(&why)))
}

fn after(why: &str) -> String {
    match why.is_empty() {
        true => String::new(),
        false => format!("; before that: {why}"),
    }
}

fn judged(answer: reqwest::Result<reqwest::Response>) -> Tried {
    let answer = match answer {
        Ok(answer) => answer,
        // The address may hold what is not for a log.
        Err(error) => {
            let error = Error::host("no answer").because(error.without_url());
            return Tried::Later(error.one_line(), None);
        }
    };
    let status = answer.status();
    let said = format!("it answered {}", status.as_u16());
    let again = [
        StatusCode::REQUEST_TIMEOUT,
        StatusCode::TOO_EARLY,
        StatusCode::TOO_MANY_REQUESTS,
    ];
    if status.is_success() {
        Tried::Taken
    } else if status.is_server_error() || again.contains(&status) {
        Tried::Later(said, retry_after(&answer))
    } else if status.is_redirection() {
        Tried::Never(format!(
            "{said}; a report is never sent on to another place"
        ))
    } else {
        Tried::Never(said)
    }
}

/// Whole seconds; a date would ask our clock, which may be wrong on a first boot.
fn retry_after(answer: &reqwest::Response) -> Option<Duration> {
    let text = answer.headers().get(RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}

/// Up to twice as long: a fleet that boots together shall not come back together.
fn spread(pause: Duration) -> Duration {
    let random = random_hex().ok();
    let byte = random.and_then(|hex| u8::from_str_radix(hex.get(..2)?, 16).ok());
    pause + pause.mul_f64(f64::from(byte.unwrap_or(0)) / 256.0)
}

fn checked(target: &Target) -> Result<Url> {
    let wrong = |why: &str| {
        Error::usage(format!("use the address to report to: {why}"))
            .hint("such as https://inventory.example/nodes; a token stands in a file: token_file")
    };
    let url = Url::parse(&target.url).map_err(|error| wrong(&error.to_string()))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("it holds a login, which every process could see"));
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if target.token_file.is_none() => Ok(url),
        "http" => Err(wrong("a token is not sent without TLS")),
        _ => Err(wrong("it is neither https:// nor http://")),
    }
}

/// Without what a query may hold.
fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    url.to_string()
}

fn client(target: &Target) -> Result<Client> {
    // The process has one provider; one that is already there is as good.
    if rustls::crypto::ring::default_provider()
        .install_default()
        .is_err()
    {
        tracing::debug!("a TLS provider was there before");
    }
    let mut builder = Client::builder()
        .user_agent(concat!("nodeagent/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .connect_timeout(target.limits.attempt)
        .timeout(target.limits.attempt);
    if let Some(path) = &target.ca {
        let doing = || format!("use {} as certificate authorities", path.display());
        let trusted = Certificate::from_pem_bundle(&file(path)?).context(doing)?;
        if trusted.is_empty() {
            return Err(Error::usage(doing()).hint("the file must hold certificates in PEM format"));
        }
        builder = builder.tls_certs_only(trusted);
    }
    builder.build().context(|| "set up TLS")
}

/// The header; what the file holds is never part of an error.
fn token(path: &Path) -> Result<HeaderValue> {
    let name = path.display();
    let root = Root::open(Path::new("/"))?;
    let full = full(path)?;
    let open_to_all = root
        .meta_followed(&full)?
        .is_some_and(|m| m.mode & 0o007 != 0);
    if open_to_all {
        return Err(
            Error::usage(format!("use the token in {name}: everybody may read it"))
                .hint(format!("chmod o= {name}")),
        );
    }
    let text = String::from_utf8(file(path)?).unwrap_or_default();
    let mut value = HeaderValue::from_str(&format!("Bearer {}", text.trim()))
        .ok()
        .filter(|_| !text.trim().is_empty())
        .ok_or_else(|| {
            Error::usage(format!(
                "use the token in {name}: it is not one line of plain text"
            ))
            .hint("the file holds the token alone")
        })?;
    value.set_sensitive(true);
    Ok(value)
}

fn file(path: &Path) -> Result<Vec<u8>> {
    let root = Root::open(Path::new("/"))?;
    let bytes = root.read(&full(path)?)?;
    bytes.ok_or_else(|| {
        Error::usage(format!("read {}: it does not exist", path.display()))
            .hint("name a file that exists")
    })
}

fn full(path: &Path) -> Result<String> {
    let full = std::path::absolute(path).context(|| format!("find {}", path.display()))?;
    Ok(full.to_string_lossy().into_owned())
}
