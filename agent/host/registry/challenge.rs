//! What a registry wants before it answers: WWW-Authenticate, read.
//! It is separate because it decides to whom a password is sent.

use http_auth::parser::ChallengeParser;

/// A way to log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Challenge {
    /// Name and password with every request.
    Basic,
    /// A token that another address gives.
    Bearer {
        /// That address.
        realm: String,
        /// What the token is for.
        service: Option<String>,
        /// What it is to allow, where the registry says so.
        scope: Option<String>,
    },
}

impl Challenge {
    /// The best way that these headers offer: a token before a password, as docker and containerd choose.
    pub(super) fn best<'h>(headers: impl Iterator<Item = &'h str>) -> Option<Self> {
        let mut basic = None;
        for header in headers {
            // What comes before the first error counts.
            for challenge in ChallengeParser::new(header).map_while(Result::ok) {
                let value = |name: &str| {
                    let found = challenge
                        .params
                        .iter()
                        .find(|(key, _)| key.eq_ignore_ascii_case(name));
                    found.map(|(_, value)| value.to_unescaped())
                };
                if challenge.scheme.eq_ignore_ascii_case("bearer")
                    && let Some(realm) = value("realm")
                {
                    return Some(Self::Bearer {
                        realm,
                        service: value("service"),
                        scope: value("scope"),
                    });
                }
                if challenge.scheme.eq_ignore_ascii_case("basic") {
                    basic = Some(Self::Basic);
                }
            }
        }
        basic
    }
}

#[cfg(test)]
mod tests {
    use super::Challenge;

    #[test]
    fn challenges_are_read_as_registries_write_them() {
        let bearer = |realm: &str, service: Option<&str>, scope: Option<&str>| {
            Some(Challenge::Bearer {
                realm: realm.to_owned(),
                service: service.map(str::to_owned),
                scope: scope.map(str::to_owned),
            })
        };
        let hub = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/busybox:pull""#;
        let table: [(&[&str], Option<Challenge>); 12] = [
            (
                &[hub],
                bearer(
                    "https://auth.docker.io/token",
                    Some("registry.docker.io"),
                    Some("repository:library/busybox:pull"),
                ),
            ),
            (
                &["bearer REALM=\"https://a/t\""],
                bearer("https://a/t", None, None),
            ),
            (&["Basic realm=\"Registry\""], Some(Challenge::Basic)),
            (&["BASIC"], Some(Challenge::Basic)),
            // Harbor offers both, in two headers or in one.
            (
                &["Basic realm=\"harbor\"", "Bearer realm=\"https://h/t\""],
                bearer("https://h/t", None, None),
            ),
            (
                &[r#"Basic realm="x", Bearer realm="https://h/t",service="s""#],
                bearer("https://h/t", Some("s"), None),
            ),
            (
                &[r#"Bearer realm="https://h/\"t",scope="repository:a:pull,push""#],
                bearer("https://h/\"t", None, Some("repository:a:pull,push")),
            ),
            (&["Bearer service=\"s\""], None),
            (&["Negotiate"], None),
            (&["Bearer realm=\"unended"], None),
            (&["\u{1}"], None),
            (&[], None),
        ];
        for (headers, want) in table {
            assert_eq!(
                Challenge::best(headers.iter().copied()),
                want,
                "{headers:?}"
            );
        }
    }
}
