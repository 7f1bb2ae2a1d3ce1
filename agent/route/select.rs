//! Which interface a word names: its name, another name, its hardware address, or `second`.
//! It is separate because names change and hardware addresses are shared, and the choice must be the same every time.

use crate::host::netlink::Link;

/// A name is at most so long (altnames too).
const MAX_NAME: usize = 127;

/// What a word asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Which {
    /// A name or another name.
    Name(String),
    /// A hardware address.
    Hardware(Vec<u8>),
    /// The second physical interface.
    Second,
}

impl Which {
    /// Reads a word.
    pub(super) fn of(word: &str) -> Result<Self, String> {
        if word == "second" {
            return Ok(Self::Second);
        }
        if let Some(address) = hardware(word) {
            return Ok(Self::Hardware(address));
        }
        let bad = |c: char| c == '/' || c == '=' || c == ',' || c.is_whitespace() || c.is_control();
        if word.is_empty() || word.len() > MAX_NAME || word.contains(bad) {
            return Err(format!(
                "{word:?} is no interface: a name, a hardware address, or second"
            ));
        }
        Ok(Self::Name(word.to_owned()))
    }

    /// The link, if there is one.
    pub(super) fn find<'a>(&self, links: &'a [Link]) -> Option<&'a Link> {
        let by =
            |test: &dyn Fn(&Link) -> bool| links.iter().filter(|l| test(l)).min_by_key(|l| l.index);
        match self {
            Self::Name(name) => {
                by(&|l| l.name == *name).or_else(|| by(&|l| l.altnames.contains(name)))
            }
            // A VLAN or a bridge has the address of the NIC below it; only the NIC was made with it.
            Self::Hardware(address) => by(&|l| l.permanent == *address)
                .or_else(|| by(&|l| l.address == *address && l.physical))
                .or_else(|| by(&|l| l.address == *address)),
            Self::Second => {
                let mut physical: Vec<&Link> =
                    links.iter().filter(|l| l.physical && !l.loopback).collect();
                physical.sort_by_key(|l| l.index);
                physical.get(1).copied()
            }
        }
    }
}

/// `52:54:00:12:34:56`.
fn hardware(word: &str) -> Option<Vec<u8>> {
    let bytes: Option<Vec<u8>> = word
        .split(':')
        .map(|part| {
            u8::from_str_radix(part, 16)
                .ok()
                .filter(|_| part.len() == 2)
        })
        .collect();
    bytes.filter(|bytes| bytes.len() == 6)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(index: u32, name: &str, mac: u8, physical: bool) -> Link {
        Link {
            index,
            name: name.to_owned(),
            address: vec![2, 0, 0, 0, 0, mac],
            physical,
            ..Link::default()
        }
    }

    fn found(word: &str, links: &[Link]) -> Option<String> {
        Which::of(word).unwrap().find(links).map(|l| l.name.clone())
    }

    #[test]
    fn an_interface_is_found_by_every_word() {
        let mut links = vec![
            Link {
                loopback: true,
                physical: false,
                ..link(1, "lo", 0, false)
            },
            link(9, "eth1.5", 1, false),
            link(3, "ens4", 1, true),
            link(2, "ens3", 7, true),
            link(4, "lxc1", 9, false),
        ];
        links[2].altnames = vec!["enp0s4".to_owned(), "eth1".to_owned()];
        assert_eq!(found("ens4", &links).as_deref(), Some("ens4"));
        assert_eq!(
            found("eth1", &links).as_deref(),
            Some("ens4"),
            "another name"
        );
        assert_eq!(
            found("second", &links).as_deref(),
            Some("ens4"),
            "not the pod's"
        );
        assert_eq!(
            found("02:00:00:00:00:01", &links).as_deref(),
            Some("ens4"),
            "not the VLAN on it"
        );
        links[2].permanent = vec![2, 0, 0, 0, 0, 99];
        assert_eq!(
            found("02:00:00:00:00:63", &links).as_deref(),
            Some("ens4"),
            "as it was made"
        );
        assert_eq!(found("eth9", &links), None);
        assert_eq!(found("second", &links[..2]), None);
        for word in ["", "a b", "eth1=", "a/b"] {
            assert!(Which::of(word).is_err(), "{word}");
        }
    }
}
