//! The environment variables that are honoured; there are no others.
//! They are separate so that nothing else can come to depend on what a caller's shell happens to hold.
//!
//! Sites reach registries and repositories through proxies: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY. SSL_CERT_FILE
//! and SSL_CERT_DIR replace the system's certificate authorities; the library that reads those looks at them by itself.

/// NO_COLOR (no-color.org): present and not empty. clap and indicatif look at it by themselves.
pub fn no_color() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

/// SOURCE_DATE_EPOCH (reproducible-builds.org): seconds since 1970; what is not a number is not honoured.
pub fn source_date_epoch() -> Option<u64> {
    std::env::var("SOURCE_DATE_EPOCH").ok()?.parse().ok()
}

/// Names under which programs look for a proxy; apt and curl's library, which dnf uses, know them all.
const PROXIES: &[&str] = &[
    "http_proxy",
    "https_proxy",
    "ftp_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "all_proxy",
];

/// Proxy settings of the caller, for package managers and registries. They may hold credentials: an environment
/// is read by root only, and nothing of them is written or shown.
pub(crate) fn proxies() -> Vec<(String, String)> {
    let set = |name: &&str| Some(((*name).to_owned(), std::env::var(name).ok()?));
    PROXIES
        .iter()
        .filter_map(set)
        .filter(|(_, value)| !value.is_empty())
        .collect()
}

/// The user who called: of sudo the one before it, since a provisioner uploads as that one.
pub(crate) fn caller() -> Option<u32> {
    match std::env::var("SUDO_UID") {
        Ok(uid) => uid.parse().ok(),
        Err(_) => Some(nix::unistd::geteuid().as_raw()),
    }
}
