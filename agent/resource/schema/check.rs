//! What each check of a text accepts, and what it advises.
//! It is separate from the shapes so that they stay readable as a list.

use super::Check;

impl Check {
    /// Tells what would be right when a text is not.
    pub fn test(self, text: &str) -> Result<(), String> {
        let right = match self {
            Check::Any => true,
            Check::NotEmpty => !text.trim().is_empty(),
            Check::AbsPath => path(text, false),
            Check::AbsPathOrEmpty => text.is_empty() || path(text, false),
            Check::Glob => path(text.strip_prefix('~').unwrap_or(text), true),
            Check::Mode => {
                matches!(text.len(), 3 | 4) && text.bytes().all(|b| matches!(b, b'0'..=b'7'))
            }
            Check::UnitName => unit_name(text),
            Check::SysctlKey => text.contains('.') && text.split('.').all(|p| made_of(p, "_-")),
            Check::Keyword => made_of(text, "") && !text.starts_with(|c: char| c.is_ascii_digit()),
            Check::Karg => made_of(text, "_-.,=:/@+") && !text.starts_with(['=', '-', '$']),
            Check::ModuleName => made_of(text, "_-") && !text.starts_with('-'),
            Check::PackageName => starts_alnum(text) && made_of(text, "+._-:"),
            Check::Version => starts_alnum(text) && made_of(text, ".+~:^_-"),
            Check::Owner => owner(text),
            Check::Digest => digest(text),
            Check::Word => starts_alnum(text) && lower(text, "-"),
            Check::Date => date(text),
            Check::ImageRef => image_ref(text),
            Check::Uri => uri(text),
            Check::Suite => made_of(text, "./_~+-") && !text.starts_with(['/', '-']),
            Check::Fingerprint => {
                matches!(text.len(), 40 | 64) && text.bytes().all(|b| b.is_ascii_hexdigit())
            }
        };
        if right {
            Ok(())
        } else {
            Err(self.advice(text))
        }
    }

    /// The text as a regular expression of JSON Schema; `test` is stricter in places.
    pub fn pattern(self) -> Option<&'static str> {
        Some(match self {
            Check::Any => return None,
            Check::NotEmpty => r"\S",
            Check::AbsPath => r"^(/[^/]+)+$",
            Check::AbsPathOrEmpty => r"^(/[^/]+)*$",
            Check::Glob => r"^~?(/[^/]+)+$",
            Check::Mode => r"^[0-7]{3,4}$",
            Check::UnitName => {
                r"^[A-Za-z0-9:_.\\@-]+\.(service|socket|target|timer|path|mount|automount|swap|slice|scope|device)$"
            }
            Check::SysctlKey => r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+$",
            Check::Keyword => r"^[A-Za-z][A-Za-z0-9]*$",
            Check::Karg => r"^[A-Za-z0-9_.,:/@+][A-Za-z0-9_.,=:/@+-]*$",
            Check::ModuleName => r"^[A-Za-z0-9_][A-Za-z0-9_-]*$",
            Check::PackageName => r"^[A-Za-z0-9][A-Za-z0-9+._:-]*$",
            Check::Version => r"^[A-Za-z0-9][A-Za-z0-9.+~:^_-]*$",
            Check::Owner => r"^([0-9]+|[a-z_][a-z0-9_-]*)$",
            Check::Digest => r"^sha256:[0-9a-f]{64}$",
            Check::Word => r"^[a-z0-9][a-z0-9-]*$",
            Check::Date => r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
            Check::ImageRef => r"^[^/\s]+/[^\s]+$",
            Check::Uri => r"^(https?|file|copy|ftp|mirror\+file|mirror\+https?):/[^\s@]+$",
            Check::Suite => r"^[A-Za-z0-9._~+][A-Za-z0-9./_~+-]*$",
            Check::Fingerprint => r"^([0-9A-Fa-f]{40}|[0-9A-Fa-f]{64})$",
        })
    }

    /// What would be right in place of `text`.
    fn advice(self, text: &str) -> String {
        let plain = match self {
            Check::Any | Check::NotEmpty => "a text that is not empty",
            Check::AbsPath | Check::AbsPathOrEmpty => {
                "an absolute path without `.`, `..`, `//` or a `/` at the end, such as \"/etc/motd\""
            }
            Check::Glob => {
                "an absolute path, perhaps with `*`, `?` or `[…]`, or `~/…` for every home, such as \"/var/log/*.gz\""
            }
            Check::Mode => "three or four octal digits in quotes, such as \"0644\"",
            Check::UnitName if !text.contains('.') && made_of(text, "_@-") => {
                return format!("\"{text}.service\": a unit is named with its suffix");
            }
            Check::UnitName => {
                "a unit name with its suffix, such as \"chrony.service\" or \"fstrim.timer\""
            }
            Check::SysctlKey if text.contains('/') => {
                return format!(
                    "a key with dots: \"{}\"",
                    text.trim_start_matches("/proc/sys/").replace('/', ".")
                );
            }
            Check::SysctlKey => "a key with dots, such as \"net.ipv4.ip_forward\"",
            Check::Keyword => "a keyword of letters and digits, such as \"PermitRootLogin\"",
            Check::Karg => "one argument without blanks, quotes and `$`, such as \"audit=1\"",
            Check::ModuleName => "the module's name without path or .ko, such as \"br_netfilter\"",
            Check::PackageName if text.contains('=') => {
                "the name alone; a version goes into `version`, `min` or `max`"
            }
            Check::PackageName => "a package name, such as \"chrony\"",
            Check::Version => {
                "a version as the package manager prints it, such as \"4.3-2+deb12u1\""
            }
            Check::Owner => "a user or group name or a number, such as \"root\" or \"0\"",
            Check::Digest => "\"sha256:\" and 64 lower-case hexadecimal digits",
            Check::Word => "lower-case letters, digits and dashes, such as \"host-keys\"",
            Check::Date => "a day that exists, as YYYY-MM-DD, such as \"2027-03-31\"",
            Check::ImageRef => {
                "the full name with its registry, such as \"registry.example/k8s/pause:3.9\"; no https://, lower case"
            }
            Check::Uri if text.contains('@') => {
                "a URL without credentials: this file stays on the image; apt reads them from /etc/apt/auth.conf.d"
            }
            Check::Uri => {
                "a URL, such as \"https://packages.example/debian\" or \"file:/srv/packages\""
            }
            Check::Suite => "a suite or component, such as \"bookworm\", \"main\" or \"./\"",
            Check::Fingerprint => {
                "the whole fingerprint: 40 hexadecimal digits without blanks, or 64 for newer keys"
            }
        };
        plain.to_owned()
    }
}

fn starts_alnum(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
}

fn made_of(text: &str, more: &str) -> bool {
    !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || more.contains(c))
}

fn lower(text: &str, more: &str) -> bool {
    made_of(text, more) && !text.contains(|c: char| c.is_ascii_uppercase())
}

fn path(text: &str, glob: bool) -> bool {
    let part = |p: &str| {
        !p.is_empty()
            && p != "."
            && p != ".."
            && p.len() <= 255
            && !p.contains(char::is_control)
            && (glob || !p.contains(['*', '?']))
    };
    text.len() <= 4095
        && text
            .strip_prefix('/')
            .is_some_and(|rest| rest.split('/').all(part))
}

fn unit_name(text: &str) -> bool {
    const SUFFIXES: &[&str] = &[
        "service",
        "socket",
        "target",
        "timer",
        "path",
        "mount",
        "automount",
        "swap",
        "slice",
        "scope",
        "device",
    ];
    text.len() <= 255
        && text
            .rsplit_once('.')
            .is_some_and(|(name, suffix)| made_of(name, ":_.\\@-") && SUFFIXES.contains(&suffix))
}

fn owner(text: &str) -> bool {
    let number = !text.is_empty() && text.len() <= 10 && text.bytes().all(|b| b.is_ascii_digit());
    let name = text.len() <= 32
        && text.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && lower(text, "_-");
    number || name
}

fn digest(text: &str) -> bool {
    text.strip_prefix("sha256:").is_some_and(|hex| {
        hex.len() == 64 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    })
}

fn date(text: &str) -> bool {
    let digits = |s: &str, n: usize| (s.len() == n).then(|| s.parse::<u32>().ok()).flatten();
    let mut parts = text.splitn(3, '-');
    let mut next = |n| parts.next().and_then(|p| digits(p, n));
    let (Some(year), Some(month), Some(day)) = (next(4), next(2), next(2)) else {
        return false;
    };
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => 0,
    };
    (1..=days).contains(&day) && text.bytes().all(|b| b.is_ascii_digit() || b == b'-')
}

fn image_ref(text: &str) -> bool {
    let (text, digest_right) = match text.split_once('@') {
        Some((name, hash)) => (name, digest(hash)),
        None => (text, true),
    };
    let Some((registry, rest)) = text.split_once('/') else {
        return false;
    };
    let (name, tag) = rest
        .rsplit_once(':')
        .map_or((rest, None), |(n, t)| (n, Some(t)));
    let host = registry.contains(['.', ':']) || registry == "localhost";
    let part = |p: &str| starts_alnum(p) && lower(p, "._-");
    digest_right
        && host
        && made_of(registry, ".:-")
        && name.split('/').all(part)
        && tag.is_none_or(|t| t.len() <= 128 && made_of(t, "_.-") && !t.starts_with(['.', '-']))
}

fn uri(text: &str) -> bool {
    const SCHEMES: &[&str] = &[
        "http",
        "https",
        "file",
        "copy",
        "ftp",
        "mirror+file",
        "mirror+http",
        "mirror+https",
    ];
    let visible = |c: char| c.is_ascii_graphic() && c != '@';
    text.split_once(":/").is_some_and(|(scheme, rest)| {
        SCHEMES.contains(&scheme) && !rest.is_empty() && rest.chars().all(visible)
    })
}

#[cfg(test)]
mod tests;
