//! Who a machine is: its machine-id and its SSH host keys, read by the distribution's own tools.
//! Separate because the demo compares machines without asking nodeagent.

use crate::support::machine::{Result, nspawn::Machine};
use std::collections::{BTreeMap, BTreeSet};

/// What must not be shared between two machines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) machine_id: String,
    /// Fingerprint by key type.
    pub(crate) host_keys: BTreeMap<String, String>,
}

impl Identity {
    /// Reads a running machine.
    pub(crate) fn of(machine: &Machine) -> Result<Self> {
        let list = "for key in /etc/ssh/ssh_host_*_key.pub; do ssh-keygen -l -f \"$key\"; done";
        let listed = machine.ok(&["sh", "-ec", list])?;
        Ok(Self {
            machine_id: machine.read("/etc/machine-id")?.trim().to_owned(),
            host_keys: parse(&listed),
        })
    }

    /// Whether this is a machine-id of its own, compared with all `others`.
    pub(crate) fn machine_id_differs(&self, others: &[&Self]) -> bool {
        self.machine_id.len() == 32 && others.iter().all(|o| o.machine_id != self.machine_id)
    }

    /// Whether there are host keys and none of them, of whatever type, is one of `others`.
    pub(crate) fn host_keys_differ(&self, others: &[&Self]) -> bool {
        let taken: BTreeSet<&String> = others.iter().flat_map(|o| o.host_keys.values()).collect();
        !self.host_keys.is_empty() && self.host_keys.values().all(|key| !taken.contains(key))
    }
}

/// Reads lines of `ssh-keygen -l`: bits, fingerprint, comment, type in parentheses.
fn parse(listed: &str) -> BTreeMap<String, String> {
    let pair = |line: &str| {
        let mut words = line.split_whitespace();
        let fingerprint = words.nth(1)?.to_owned();
        let kind = words.next_back()?.trim_matches(['(', ')']).to_owned();
        Some((kind, fingerprint))
    };
    listed.lines().filter_map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(id: char, keys: &str) -> Identity {
        Identity {
            machine_id: id.to_string().repeat(32),
            host_keys: parse(keys),
        }
    }

    #[test]
    fn one_shared_key_of_any_type_is_found() {
        let a = identity(
            'a',
            "256 SHA256:one root@a (ED25519)\n3072 SHA256:two root@a (RSA)\n",
        );
        let b = identity(
            'b',
            "256 SHA256:three root@b (ED25519)\n3072 SHA256:two a b (RSA)\n",
        );
        let c = identity('a', "256 SHA256:four no comment (ED25519)\n");
        assert_eq!(a.host_keys["RSA"], "SHA256:two");
        assert!(!a.host_keys_differ(&[&c, &b]), "the RSA key is shared");
        assert!(c.host_keys_differ(&[&a, &b]));
        assert!(a.machine_id_differs(&[&b]) && !a.machine_id_differs(&[&b, &c]));
        assert!(
            !identity('d', "").host_keys_differ(&[&a]),
            "no keys are not different keys"
        );
        let empty = Identity {
            machine_id: String::new(),
            host_keys: BTreeMap::new(),
        };
        assert!(
            !empty.machine_id_differs(&[&a]),
            "no id is not a different id"
        );
    }
}
