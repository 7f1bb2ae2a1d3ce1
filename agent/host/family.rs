//! Which family of systems a tree belongs to, by its os-release(5).
//! It is separate because the tree alone decides: never the machine that works on it.

use super::Root;
use crate::error::Result;

/// A family: what its package manager and its layout follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Family {
    /// Debian, Ubuntu and what is like them: dpkg and apt.
    Debian,
    /// RHEL, Rocky, Fedora and what is like them: rpm and dnf.
    El,
    /// Another one; what os-release says of itself.
    Other(String),
}

impl Family {
    /// The family of a tree.
    pub fn of(root: &Root) -> Result<Self> {
        for path in ["/etc/os-release", "/usr/lib/os-release"] {
            // The text may be anything: it is only searched for two words.
            if let Some(bytes) = root.read(path)? {
                return Ok(Self::parse(&String::from_utf8_lossy(&bytes)));
            }
        }
        Ok(Self::Other("there is no os-release".to_owned()))
    }

    fn parse(text: &str) -> Self {
        let value = |key: &str| {
            let line = text
                .lines()
                .find_map(|line| line.trim().strip_prefix(key)?.strip_prefix('='));
            line.map(|value| value.trim().trim_matches(['"', '\'']).to_owned())
                .unwrap_or_default()
        };
        let (id, like) = (value("ID"), value("ID_LIKE"));
        let words = || std::iter::once(id.as_str()).chain(like.split_whitespace());
        if words().any(|word| matches!(word, "debian" | "ubuntu")) {
            return Self::Debian;
        }
        if words().any(|word| matches!(word, "rhel" | "fedora" | "centos" | "rocky" | "almalinux"))
        {
            return Self::El;
        }
        Self::Other(match id.as_str() {
            "" => "os-release has no ID".to_owned(),
            id => format!("ID is {id}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_family_follows_from_id_and_id_like() {
        let other = |text: &str| Family::Other(text.to_owned());
        let table = [
            ("ID=debian\n", Family::Debian),
            ("ID=ubuntu\nID_LIKE=debian\n", Family::Debian),
            ("ID=\"mint\"\nID_LIKE='ubuntu debian'\n", Family::Debian),
            ("ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n", Family::El),
            ("ID=fedora\n", Family::El),
            ("ID=\"ol\"\nID_LIKE=\"fedora\"\n", Family::El),
            ("ID=alpine\n", other("ID is alpine")),
            ("NAME=x\n", other("os-release has no ID")),
            ("#ID=debian\nVERSION_ID=12\n", other("os-release has no ID")),
        ];
        for (text, want) in table {
            assert_eq!(Family::parse(text), want, "{text}");
        }
    }
}
