//! The environment variables that are honoured; there are no others.
//! They are separate so that nothing else can come to depend on what a caller's shell happens to hold.
//!
//! The registry client looks at HTTPS_PROXY, HTTP_PROXY and NO_PROXY by itself: sites reach
//! registries through proxies. SSL_CERT_FILE and SSL_CERT_DIR replace the system's certificate authorities for it.

/// NO_COLOR (no-color.org): present and not empty. clap and indicatif look at it by themselves.
pub fn no_color() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

/// SOURCE_DATE_EPOCH (reproducible-builds.org): seconds since 1970; what is not a number is not honoured.
pub fn source_date_epoch() -> Option<u64> {
    std::env::var("SOURCE_DATE_EPOCH").ok()?.parse().ok()
}
