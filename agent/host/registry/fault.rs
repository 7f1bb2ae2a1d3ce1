//! What can go wrong with one try of one endpoint, its class, and whether another try may help.
//! It is separate because every part of the client ends in it, and no text of it may hold a secret.

use std::error::Error as StdError;
use std::time::Duration;

use reqwest::StatusCode;

use crate::error::{Error, with_causes};
use crate::host::failure::{Class, Failure};

/// Whether another try may help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    /// The answer will be the same.
    No,
    /// One more try, then it counts.
    Once,
    /// After a wait; the registry may have asked for one.
    After(Option<Duration>),
}

/// One try that failed.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) class: Class,
    pub(super) again: Again,
    said: String,
    cause: Option<Box<dyn StdError + Send + Sync>>,
    hint: Option<&'static str>,
}

impl Fault {
    /// A fault that a later try may not have.
    pub(super) fn passing(class: Class, said: impl Into<String>) -> Self {
        Self::new(class, Again::After(None), said)
    }

    /// A fault that stays.
    pub(super) fn lasting(class: Class, said: impl Into<String>) -> Self {
        Self::new(class, Again::No, said)
    }

    pub(super) fn new(class: Class, again: Again, said: impl Into<String>) -> Self {
        Self {
            class,
            again,
            said: said.into(),
            cause: None,
            hint: None,
        }
    }

    /// Adds the next step, where it is another than what the class usually has.
    pub(super) fn hint(mut self, hint: &'static str) -> Self {
        self.hint = Some(hint);
        self
    }

    /// Adds the cause.
    pub(super) fn because(mut self, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// The class of a transport's error. Its address goes: what follows a `?` can be a signature.
    pub(super) fn of_transport(doing: &str, error: reqwest::Error) -> Self {
        let error = error.without_url();
        if causes(&error).any(|cause| cause.to_string().ends_with(PROXY_LOGIN)) {
            let refused = Self::lasting(Class::Auth, doing).because(error);
            return refused
                .hint("the proxy wants a login: HTTPS_PROXY=http://NAME:PASSWORD@HOST:PORT");
        }
        let (class, again) = judge(&error);
        Self::new(class, again, doing).because(error)
    }

    /// What is said of it, the causes included.
    pub(super) fn text(&self) -> String {
        let cause = self.cause.as_ref();
        with_causes(&self.said, cause.map(|cause| &**cause as _))
    }

    /// The failure that it ends in; `doing` names image, blob and endpoint, `more` what came of the other endpoints.
    pub(super) fn failure(self, doing: &str, more: &str) -> Failure {
        let what = match self.said.is_empty() {
            true => format!("{doing}{more}"),
            false => format!("{doing}: {}{more}", self.said),
        };
        let cause = self.cause.as_ref();
        let told = cause.and_then(|cause| cause.downcast_ref::<Error>()?.next_step());
        let hint = self.hint.or(told).unwrap_or_else(|| usual(self.class));
        let error = Error::host(what).hint(hint);
        let error = match self.cause {
            Some(cause) => error.because(cause),
            None => error,
        };
        Failure::new(self.class, error)
    }
}

/// hyper-util's words for a proxy's 407; its type is not public.
const PROXY_LOGIN: &str = "proxy authorization required";

/// An error and what it came of.
fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn StdError + 'static)> {
    let first: &(dyn StdError + 'static) = error;
    std::iter::successors(Some(first), |cause| (*cause).source())
}

/// The class of a transport's error, found along its causes.
fn judge(error: &reqwest::Error) -> (Class, Again) {
    let later = Again::After(None);
    for cause in causes(error) {
        match tls(cause) {
            Some(true) => return (Class::Tls, Again::No),
            Some(false) => return (Class::Tls, later),
            None => {}
        }
        // hyper-util's name for it; its type is not public.
        if cause.to_string() == "dns error" {
            return (Class::Dns, later);
        }
    }
    match error.is_timeout() {
        true => (Class::Timeout, later),
        false => (Class::Network, later),
    }
}

/// Whether it is an error of TLS, and one that stays: a handshake that is only cut off may go well the next time.
/// rustls' errors come inside of `io::Error`s, which do not name them as their source.
fn tls(cause: &(dyn StdError + 'static)) -> Option<bool> {
    if cause.is::<rustls::Error>() {
        return Some(true);
    }
    let io = cause.downcast_ref::<std::io::Error>()?;
    let inner = io.get_ref()?;
    // tokio-rustls' words.
    if inner.to_string() == "tls handshake eof" {
        return Some(false);
    }
    tls(inner)
}

/// The fault that an answer's status is.
pub(super) fn of_status(status: StatusCode, wait: Option<Duration>, said: &str) -> Fault {
    let class = match status.as_u16() {
        401 | 403 => Class::Auth,
        404 => Class::NotFound,
        408 | 504 => Class::Timeout,
        _ => Class::Registry,
    };
    let again = match status.as_u16() {
        408 | 425 | 429 | 500..=599 => Again::After(wait),
        _ => Again::No,
    };
    let text = match said.is_empty() {
        true => format!("HTTP {status}"),
        false => format!("HTTP {status} ({said})"),
    };
    Fault::new(class, again, text)
}

/// What usually helps.
fn usual(class: Class) -> &'static str {
    match class {
        Class::NotFound => {
            "nothing has this name and tag: correct the entry, or push the image first"
        }
        Class::Auth => {
            "the registry wants a login that may read this repository: --auth-file FILE, in docker's config format"
        }
        Class::Tls | Class::Network => {
            "check that the registry answers there; --ca FILE trusts its CA, --plain-http HOST is for one without TLS"
        }
        Class::Dns => "check the registry's name and the name servers in /etc/resolv.conf",
        Class::Timeout => "try it again when the registry is less busy",
        Class::Digest => {
            "what the registry holds, or what lies between, is broken: push the image again, or ask the registry's operator"
        }
        _ => "ask the registry's operator what this answer means",
    }
}
