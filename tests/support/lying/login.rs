//! How the lying registry wants to be logged in to: not at all, by password, or by a token that expires.
//! It is separate because whether somebody may ask comes before what is answered.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Asked;

/// What is wanted of who asks.
#[derive(Debug, Clone)]
pub(crate) enum Demand {
    /// Name and password with each request.
    Basic(String, String),
    /// A token of `/token`.
    Bearer {
        /// Who may have one; everybody where none.
        login: Option<(String, String)>,
        /// The refresh token that may have one instead, by POST.
        refresh: Option<String>,
        /// Requests that one token is good for.
        uses: usize,
        /// Where tokens are had: the realm; None is this registry's own `/token`.
        realm: Option<String>,
    },
}

impl Demand {
    /// Name and password with each request.
    pub(crate) fn basic(name: &str, password: &str) -> Self {
        Self::Basic(name.to_owned(), password.to_owned())
    }

    /// A token for everybody, good for so many requests.
    pub(crate) fn bearer(uses: usize) -> Self {
        Self::Bearer {
            login: None,
            refresh: None,
            uses,
            realm: None,
        }
    }
}

/// What is demanded, and the tokens that were given.
#[derive(Debug, Default)]
pub(super) struct Login {
    demand: Option<Demand>,
    given: usize,
    left: usize,
}

/// Whether a request may be answered.
pub(super) enum Entry {
    /// Yes.
    Open,
    /// No: the WWW-Authenticate header.
    Closed(String),
    /// It asked for a token: status and body.
    Token(u16, String),
}

fn basic(name: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{name}:{password}")))
}

impl Login {
    pub(super) fn demand(&mut self, demand: Demand) {
        *self = Self {
            demand: Some(demand),
            ..Self::default()
        };
    }

    pub(super) fn judge(&mut self, host: &str, asked: &Asked) -> Entry {
        let shown = asked.header("authorization");
        match self.demand.clone() {
            None => Entry::Open,
            Some(Demand::Basic(name, password)) => match shown == Some(&*basic(&name, &password)) {
                true => Entry::Open,
                false => Entry::Closed("Basic realm=\"lying\"".to_owned()),
            },
            Some(Demand::Bearer {
                login,
                refresh,
                uses,
                realm,
            }) => {
                if asked.target.starts_with("/token") {
                    let right = login.map(|(name, password)| basic(&name, &password));
                    let by_get =
                        asked.method == "GET" && (right.is_none() || shown == right.as_deref());
                    let refresh = refresh.map(|token| format!("refresh_token={token}"));
                    let by_post =
                        refresh.is_some_and(|pair| asked.body.split('&').any(|part| part == pair));
                    return self.give(by_get || by_post, uses);
                }
                let wanted = format!("Bearer token-{}", self.given);
                if shown == Some(&*wanted) && self.left > 0 {
                    self.left -= 1;
                    return Entry::Open;
                }
                let realm = realm.unwrap_or_else(|| format!("http://{host}/token"));
                Entry::Closed(format!("Bearer realm=\"{realm}\",service=\"lying\""))
            }
        }
    }

    fn give(&mut self, may: bool, uses: usize) -> Entry {
        if !may {
            return Entry::Token(401, "{\"details\":\"no\"}".to_owned());
        }
        self.given += 1;
        self.left = uses;
        Entry::Token(
            200,
            format!("{{\"token\":\"token-{}\",\"expires_in\":300}}", self.given),
        )
    }
}
