//! The host name and the hosts file: a name of this machine's own, and nothing of the builder's.
//! It is separate because a name has more than one spelling, and the running one counts before the configured one.

use serde::Serialize;

use super::Baked;
use crate::error::Result;
use crate::host::{Host, Root};
use crate::resource::Diff;

const RUNNING: &str = "/proc/sys/kernel/hostname";
const STATIC: &str = "/etc/hostname";
const HOSTS: &str = "/etc/hosts";
/// Debian's line for a machine without a permanent address.
const OWN_LINE: &str = "127.0.1.1";

/// What was found of the machine's name. The name itself is not kept: the manifest would hold the builder's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct HostName {
    /// What there is instead of a name of its own, such as `localhost`.
    pub nobodys: Option<String>,
    /// How it compares with the builder's.
    pub baked: Baked,
    /// Names of 127.0.1.1 in the hosts file that are the builder's.
    pub builder_in_hosts: bool,
}

/// A name as it is compared: without case, blanks and a last dot.
fn plain(text: &str) -> String {
    text.trim().trim_end_matches('.').to_ascii_lowercase()
}

/// The names that tell a builder: as it was set, and without its domain.
pub(crate) fn spellings(content: &[u8]) -> Vec<Vec<u8>> {
    let name = plain(&String::from_utf8_lossy(content));
    if is_nobodys(&name) {
        return Vec::new();
    }
    let short = name.split('.').next().unwrap_or_default().to_owned();
    let mut spellings = vec![name.into_bytes()];
    if !spellings.contains(&short.clone().into_bytes()) {
        spellings.push(short.into_bytes());
    }
    spellings
}

/// A name that any machine may have, and that therefore tells none apart.
fn is_nobodys(name: &str) -> bool {
    matches!(name, "" | "(none)" | "localhost") || name.starts_with("localhost.")
}

pub(super) fn observe(host: &Host) -> Result<HostName> {
    // While it shuts down the running name is still the builder's: what counts then is what the next boot reads.
    let running = match host.context.has_manager() {
        true => host.root.read(RUNNING)?,
        false => None,
    };
    let text = match running {
        Some(text) => text,
        None => host.root.read(STATIC)?.unwrap_or_default(),
    };
    let name = plain(&String::from_utf8_lossy(&text));
    let builders = |name: &str| {
        let value = [plain(name).into_bytes()];
        Baked::of(&host.evidence, "hostname", &value)
    };
    let listed = own_names(&host.root)?;
    Ok(HostName {
        baked: builders(&name),
        builder_in_hosts: listed.iter().any(|name| builders(name) == Baked::Same),
        nobodys: is_nobodys(&name).then(|| match name.as_str() {
            "" => "none".to_owned(),
            _ => name,
        }),
    })
}

/// The names on the lines of 127.0.1.1.
fn own_names(root: &Root) -> Result<Vec<String>> {
    let bytes = root.read(HOSTS)?.unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let lines = text.lines().map(|line| line.split('#').next());
    let words = lines.map(|line| line.unwrap_or_default().split_whitespace());
    let own = words.filter_map(|mut words| (words.next() == Some(OWN_LINE)).then_some(words));
    Ok(own.flatten().map(str::to_owned).collect())
}

impl HostName {
    pub(super) fn judge<A>(&self, diff: &mut Diff<A>) {
        if let Some(have) = &self.nobodys {
            let want = "a name of this machine's own: RKE2 takes equal names for one node";
            diff.differs("host name", have, want);
        } else {
            self.baked.judge("host name", diff);
        }
        if self.builder_in_hosts {
            let have = "the build machine's name on the line of 127.0.1.1";
            diff.differs(HOSTS, have, "this machine's name, or no such line");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_builder_is_told_by_its_name_with_and_without_domain() {
        let of = |text: &str| {
            let all = spellings(text.as_bytes()).into_iter();
            all.map(|bytes| String::from_utf8(bytes).unwrap())
                .collect::<Vec<_>>()
        };
        assert_eq!(of("Builder-7\n"), ["builder-7"]);
        assert_eq!(of("b.example.org."), ["b.example.org", "b"]);
        for nobodys in ["", "\n", "localhost", "localhost.localdomain", "(none)"] {
            assert!(of(nobodys).is_empty(), "{nobodys}");
        }
    }

    #[test]
    fn each_violation_is_told() {
        let fine = HostName {
            nobodys: None,
            baked: Baked::Other,
            builder_in_hosts: false,
        };
        let judged = |seen: &HostName| {
            let mut diff = Diff::<()>::default();
            seen.judge(&mut diff);
            (diff.differences.len(), diff.unknown.len())
        };
        assert_eq!(judged(&fine), (0, 0));
        let nobodys = Some("localhost".to_owned());
        let local = HostName {
            nobodys,
            ..fine.clone()
        };
        assert_eq!(judged(&local), (1, 0));
        let with = |baked| HostName {
            baked,
            ..fine.clone()
        };
        assert_eq!(judged(&with(Baked::Same)), (1, 0));
        assert_eq!(judged(&with(Baked::NoTombstone)), (0, 1));
        let builder_in_hosts = true;
        assert_eq!(
            judged(&HostName {
                builder_in_hosts,
                ..fine.clone()
            }),
            (1, 0)
        );
    }
}
