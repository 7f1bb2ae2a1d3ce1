//! Whether the running system is in FIPS mode: the kernel's flag, and a FIPS provider that OpenSSL has active.
//! It is separate because the manifest states the same fact whether or not an entry asks for it.

use serde::Serialize;

use super::ask;
use crate::error::Result;
use crate::host::{Host, Runtime, context};

/// What the running system says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Active {
    /// The kernel is in FIPS mode.
    pub kernel: bool,
    /// What OpenSSL says of its provider `fips`; none where the kernel is not in FIPS mode.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// When the system booted, in seconds since 1970; not kept, it differs with every build.
    #[serde(skip)]
    pub booted: Option<i64>,
}

impl Active {
    /// OpenSSL has the provider active.
    pub fn provider_is_active(&self) -> bool {
        self.provider.as_deref() == Some("active")
    }

    /// Both halves hold.
    pub fn holds(&self) -> bool {
        self.kernel && self.provider_is_active()
    }

    /// The system has booted since this time.
    pub(super) fn booted_after(&self, changed: i64) -> bool {
        self.booted.is_some_and(|booted| booted > changed)
    }
}

/// Looks at the running system.
pub fn active(host: &Host) -> Result<Runtime<Active>> {
    // The closing run treats the machine as a tree, but the kernel is still this machine's.
    let context = match host.closing {
        true => context::detect(),
        false => host.context.clone(),
    };
    if let Some(why) = context.kernel_is_foreign(false) {
        return Ok(Runtime::NotApplicable(why.to_owned()));
    }
    let flag = host.root.read_text("/proc/sys/crypto/fips_enabled")?;
    let kernel = flag.is_some_and(|text| text.trim() == "1");
    let stat = host.root.read_text("/proc/stat")?.unwrap_or_default();
    Ok(Runtime::Seen(Active {
        kernel,
        provider: kernel.then(|| provider(host)).transpose()?,
        booted: booted(&stat),
    }))
}

fn booted(stat: &str) -> Option<i64> {
    let line = stat.lines().find_map(|line| line.strip_prefix("btime "))?;
    line.trim().parse().ok()
}

fn provider(host: &Host) -> Result<String> {
    if !host.root.present("/usr/bin/openssl")? {
        return Ok("openssl is not installed".to_owned());
    }
    let listed = ask(host, &["openssl", "list", "-providers"])?;
    Ok(status(&listed).unwrap_or_else(|| "not loaded".to_owned()))
}

/// The status of the provider `fips`: its name stands on a line of its own, its properties below, further in.
fn status(listed: &str) -> Option<String> {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut lines = listed.lines().skip_while(|line| line.trim() != "fips");
    let depth = indent(lines.next()?);
    let own = lines.take_while(|line| indent(line) > depth);
    let status = own.filter_map(|line| line.trim().strip_prefix("status:"));
    Some(
        status
            .map(str::trim)
            .next()
            .unwrap_or("without a status")
            .to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_provider_fips_counts() {
        let default = "  default\n    name: OpenSSL Default Provider\n    version: 3.0.7\n    status: active\n";
        let fips = |status: &str| {
            format!("  fips\n    name: OpenSSL FIPS Provider\n    version: 3.0.7\n{status}")
        };
        let table = [
            (default.to_owned(), None),
            (
                format!("{default}{}", fips("    status: active\n")),
                Some("active"),
            ),
            (
                format!("{}{default}", fips("    status: inactive\n")),
                Some("inactive"),
            ),
            (format!("{}{default}", fips("")), Some("without a status")),
            (String::new(), None),
        ];
        for (text, want) in table {
            let text = format!("Providers:\n{text}");
            assert_eq!(status(&text).as_deref(), want, "{text}");
        }
    }

    #[test]
    fn both_halves_are_needed() {
        let table = [
            (true, Some("active"), true),
            (true, Some("inactive"), false),
            (true, None, false),
            (false, Some("active"), false),
        ];
        for (kernel, provider, want) in table {
            let provider = provider.map(str::to_owned);
            let active = Active {
                kernel,
                provider,
                booted: None,
            };
            assert_eq!(active.holds(), want, "{active:?}");
        }
        assert_eq!(
            booted("cpu 1\nbtime 1700000000\nctxt 2\n"),
            Some(1_700_000_000)
        );
    }
}
