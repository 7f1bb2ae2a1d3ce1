//! Reading and writing below /proc/sys.
//! It is separate because a key has two spellings, and only one of them can name an interface with a dot.

use std::path::PathBuf;

use nix::errno::Errno;
use sysctl::{Ctl, Sysctl as _};

use crate::error::{Context as _, Error, Result};

/// The path below /proc/sys that a key names (sysctl.d(5)): where the first separator is a dot, dots and slashes
/// change places, so that `net.ipv4.conf.eth0/10.rp_filter` is the interface `eth0.10`.
pub fn path(key: &str) -> String {
    let key = key.trim().trim_start_matches('/');
    let swapped = match key.find(['.', '/']).and_then(|at| key.get(at..)) {
        Some(rest) if rest.starts_with('.') => key
            .chars()
            .map(|c| match c {
                '.' => '/',
                '/' => '.',
                other => other,
            })
            .collect(),
        _ => key.to_owned(),
    };
    swapped.trim_start_matches('/').to_owned()
}

/// The file of a key; names that would leave /proc/sys are refused.
fn file(key: &str) -> Result<PathBuf> {
    let path = path(key);
    if path.is_empty() || path.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err(Error::host(format!("use the sysctl key '{key}': no such name can exist"))
            .hint("write it as net.ipv4.ip_forward, or net/ipv4/conf/eth0.10/rp_filter where a part has a dot"));
    }
    Ok(PathBuf::from("/proc/sys").join(path))
}

/// The value, blanks as one space; none where the kernel has no such key.
pub(super) fn get(key: &str) -> Result<Option<String>> {
    let doing = || format!("read the sysctl {key}");
    let file = file(key)?;
    if !file.try_exists().context(doing)? {
        return Ok(None);
    }
    // The sysctl crate turns every dot into a slash, so a part with a dot is read here.
    let value = if path(key).contains('.') {
        std::fs::read_to_string(&file).context(doing)?
    } else {
        let found = Ctl::new(&path(key)).and_then(|ctl| ctl.value_string());
        found.context(doing)?
    };
    Ok(Some(value.split_whitespace().collect::<Vec<_>>().join(" ")))
}

/// Sets a value.
pub(super) fn set(key: &str, value: &str) -> Result<()> {
    let doing = || format!("set the sysctl {key} to '{value}'");
    let file = file(key)?;
    if !file.try_exists().context(doing)? {
        return Err(
            Error::host(format!("{}: the kernel has no such key", doing())).hint(
                "if a module brings it (net.bridge.* comes with br_netfilter), \
             put a module entry before this one; else correct the name",
            ),
        );
    }
    if path(key).contains('.') {
        return std::fs::write(&file, value).context(doing);
    }
    Ctl::new(&path(key))
        .and_then(|ctl| ctl.set_value_string(value))
        .context(doing)?;
    Ok(())
}

/// Why a key that exists cannot be written; none when it can. Opening changes nothing.
pub(super) fn locked(key: &str) -> Result<Option<&'static str>> {
    let opened = std::fs::OpenOptions::new().write(true).open(file(key)?);
    let Err(error) = opened else {
        return Ok(None);
    };
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::EROFS) => Ok(Some("the container's /proc/sys is read-only here")),
        Some(Errno::EACCES | Errno::EPERM) => {
            Ok(Some("only the container's host may write this key"))
        }
        _ => Err(error).context(|| format!("ask whether the sysctl {key} can be written")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_name_the_same_file() {
        let table = [
            ("net.ipv4.ip_forward", "net/ipv4/ip_forward"),
            ("net/ipv4/ip_forward", "net/ipv4/ip_forward"),
            ("/net/ipv4/ip_forward", "net/ipv4/ip_forward"),
            (
                "net.ipv4.conf.eth0/10.forwarding",
                "net/ipv4/conf/eth0.10/forwarding",
            ),
            (
                "net/ipv4/conf/eth0.10/forwarding",
                "net/ipv4/conf/eth0.10/forwarding",
            ),
            ("single", "single"),
        ];
        for (key, want) in table {
            assert_eq!(path(key), want, "{key}");
        }
    }

    #[test]
    fn names_that_leave_the_tree_are_refused() {
        for key in [
            "",
            "/",
            "..",
            "kernel/..",
            "kernel/../../etc/passwd",
            "net..ipv4",
            "kernel./.",
        ] {
            assert!(get(key).unwrap_err().next_step().is_some(), "{key}");
            assert!(set(key, "1").is_err(), "{key}");
        }
    }

    #[test]
    fn a_key_that_the_kernel_lacks_is_no_value_and_cannot_be_set() {
        assert_eq!(get("kernel.nodeagent_has_no_such_key").unwrap(), None);
        let error = set("kernel.nodeagent_has_no_such_key", "1").unwrap_err();
        assert!(error.one_line().contains("no such key"));
        assert!(error.next_step().unwrap().contains("br_netfilter"));
        assert!(get("kernel.ostype").unwrap().is_some());
    }
}
