//! Facts of the tree as a whole: the OS, the kernel it will boot, RKE2, FIPS.
//! It is separate because the manifest states them whether or not an entry asks for them.

use std::time::Duration;

use crate::error::Result;
use crate::host::{Cmd, Host, Root, Runtime};
use crate::resource::{artifact, fips};

/// Facts of the whole tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// PRETTY_NAME of os-release.
    pub pretty_name: String,
    /// Release of the kernel that the next boot takes; none where the tree has no kernel (a container's).
    pub kernel: Option<String>,
    /// RKE2's version; none where it is not installed.
    pub rke2: Option<String>,
    /// Kernel and OpenSSL were seen in FIPS mode; always false for an unbooted tree.
    pub fips: bool,
}

/// Looks at the whole tree.
pub fn facts(host: &Host) -> Result<Facts> {
    Ok(Facts {
        pretty_name: os_release(&host.root, "PRETTY_NAME")?.unwrap_or_else(|| "unknown".to_owned()),
        kernel: kernel(&host.root)?,
        rke2: rke2(host)?,
        fips: fips(host)?,
    })
}

/// One value of os-release(5), unquoted; /etc first, then /usr/lib.
pub fn os_release(root: &Root, key: &str) -> Result<Option<String>> {
    Ok(value_of(&os_release_text(root)?, key))
}

/// The text of os-release(5).
pub fn os_release_text(root: &Root) -> Result<String> {
    let text = match root.read_text("/etc/os-release")? {
        Some(text) => Some(text),
        None => root.read_text("/usr/lib/os-release")?,
    };
    Ok(text.unwrap_or_default())
}

fn value_of(text: &str, key: &str) -> Option<String> {
    let line = text
        .lines()
        .find_map(|line| line.trim().strip_prefix(key)?.strip_prefix('='))?;
    Some(line.trim_matches(['"', '\'']).to_owned())
}

/// The kernel of the default boot entry: the /vmlinuz link that Debian's packages keep, else the newest in /boot.
fn kernel(root: &Root) -> Result<Option<String>> {
    for link in ["/vmlinuz", "/boot/vmlinuz"] {
        let target = root.read_link(link)?;
        if let Some(release) = target.as_deref().and_then(release_in) {
            return Ok(Some(release));
        }
    }
    let names = root.list("/boot")?;
    Ok(names
        .iter()
        .filter_map(|name| release_in(name))
        .max_by(|a, b| natural(a, b)))
}

fn release_in(path: &str) -> Option<String> {
    let name = path.rsplit('/').next()?;
    let release = name.strip_prefix("vmlinuz-")?;
    (!release.contains("rescue")).then(|| release.to_owned())
}

/// Orders releases by their numbers, so that 5.10 comes after 5.9.
fn natural(a: &str, b: &str) -> std::cmp::Ordering {
    let parts = |text: &str| -> Vec<u64> {
        text.split(|c: char| !c.is_ascii_digit())
            .filter_map(|part| part.parse().ok())
            .collect()
    };
    parts(a).cmp(&parts(b)).then_with(|| a.cmp(b))
}

/// RKE2's version: what the program itself says, else that of the runtime which is staged for it.
fn rke2(host: &Host) -> Result<Option<String>> {
    let staged = artifact::staged_version(&host.root)?;
    for base in ["/usr/local", "/usr", "/opt/rke2"] {
        let program = format!("{base}/bin/rke2");
        if host.root.present(&program)? {
            let cmd = Cmd::new([program.as_str(), "--version"]).timeout(Duration::from_secs(30));
            // A tree of another architecture cannot be asked.
            let output = host.exec.run(&cmd).ok();
            let said = output.and_then(|output| artifact::stated(&output.text()));
            return Ok(said.or(staged).or_else(|| Some("unknown".to_owned())));
        }
    }
    Ok(staged)
}

/// Seen in FIPS mode: the kernel's flag and an active provider of OpenSSL.
fn fips(host: &Host) -> Result<bool> {
    Ok(match fips::active(host)? {
        Runtime::Seen(active) => active.holds(),
        Runtime::NotApplicable(_) => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn os_release_values_lose_their_quotes() {
        let text = "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\nID_LIKE='a b'\n";
        assert_eq!(
            value_of(text, "PRETTY_NAME").as_deref(),
            Some("Debian GNU/Linux 12 (bookworm)")
        );
        assert_eq!(value_of(text, "ID").as_deref(), Some("debian"));
        assert_eq!(value_of(text, "ID_LIKE").as_deref(), Some("a b"));
        assert_eq!(value_of(text, "VERSION"), None);
    }

    #[test]
    fn the_kernel_is_the_default_entrys_and_not_the_oldest() {
        let dir = tempfile::tempdir().unwrap();
        let root = Root::open(dir.path()).unwrap();
        assert_eq!(kernel(&root).unwrap(), None);
        std::fs::create_dir(dir.path().join("boot")).unwrap();
        for name in [
            "vmlinuz-5.9.0",
            "vmlinuz-5.10.0",
            "vmlinuz-0-rescue-x",
            "config-6",
        ] {
            std::fs::write(dir.path().join("boot").join(name), "").unwrap();
        }
        assert_eq!(kernel(&root).unwrap().as_deref(), Some("5.10.0"));
        std::os::unix::fs::symlink("boot/vmlinuz-5.9.0", dir.path().join("vmlinuz")).unwrap();
        assert_eq!(kernel(&root).unwrap().as_deref(), Some("5.9.0"));
    }
}
