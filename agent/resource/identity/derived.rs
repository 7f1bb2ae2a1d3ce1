//! Identifiers that others derive from the machine: NetworkManager's key and Rancher's name for the node.
//! It is separate because both are made once and then outlive whatever they were derived from.

use serde::Serialize;

use super::Baked;
use crate::error::Result;
use crate::host::Host;
use crate::host::root::sha256;
use crate::resource::Diff;

const KEY: &str = "/var/lib/NetworkManager/secret_key";
const CATTLE: &str = "/etc/rancher/agent/cattle-id";
const MACHINE: &str = "/etc/machine-id";

/// What was found of NetworkManager's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct SecretKey {
    /// It is there.
    pub present: bool,
    /// Its mode, where others than root can read it.
    pub exposed: Option<String>,
    /// How it compares with the build machine's.
    pub baked: Baked,
}

pub(super) fn secret_key(host: &Host) -> Result<SecretKey> {
    let bytes = host.root.read(KEY)?;
    let meta = host.root.meta(KEY)?;
    let open = meta.filter(|meta| meta.mode & 0o077 != 0);
    Ok(SecretKey {
        present: bytes.is_some(),
        exposed: open.map(|meta| meta.mode_text()),
        baked: Baked::of(
            &host.evidence,
            "nm-secret-key",
            &[bytes.unwrap_or_default()],
        ),
    })
}

impl SecretKey {
    pub(super) fn judge<A>(&self, diff: &mut Diff<A>) {
        if !self.present {
            return;
        }
        if let Some(mode) = &self.exposed {
            diff.differs(format!("mode of {KEY}"), mode, "0600");
        }
        self.baked.judge(KEY, diff);
    }
}

/// What was found of Rancher's name for the node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct CattleId {
    /// It is there.
    pub present: bool,
    /// It is the SHA-256 of the machine-id's file as it is now.
    pub derived: bool,
    /// How it compares with the build machine's.
    pub baked: Baked,
}

pub(super) fn cattle_id(host: &Host) -> Result<CattleId> {
    let bytes = host.root.read(CATTLE)?;
    let id = bytes.as_deref().unwrap_or_default().trim_ascii().to_vec();
    // Rancher's installer takes the sum of the file, with its line end.
    let sum = sha256(&host.root.read(MACHINE)?.unwrap_or_default());
    Ok(CattleId {
        present: bytes.is_some(),
        derived: id == sum.as_bytes(),
        baked: Baked::of(&host.evidence, "cattle-id", &[id]),
    })
}

impl CattleId {
    pub(super) fn judge<A>(&self, diff: &mut Diff<A>) {
        if !self.present {
            return;
        }
        if self.baked == Baked::Same {
            self.baked.judge(CATTLE, diff);
        } else if !self.derived {
            let have = "derived from another machine-id, or from none";
            diff.differs(CATTLE, have, "the SHA-256 of /etc/machine-id, or no file");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(judge: impl Fn(&mut Diff<()>)) -> (usize, usize) {
        let mut diff = Diff::default();
        judge(&mut diff);
        (diff.differences.len(), diff.unknown.len())
    }

    #[test]
    fn each_violation_is_told() {
        let key = |present, exposed: Option<&str>, baked| {
            let exposed = exposed.map(str::to_owned);
            let seen = SecretKey {
                present,
                exposed,
                baked,
            };
            count(|diff| seen.judge(diff))
        };
        assert_eq!(key(false, None, Baked::NoSalt), (0, 0));
        assert_eq!(key(true, None, Baked::Other), (0, 0));
        assert_eq!(key(true, Some("0644"), Baked::Other), (1, 0));
        assert_eq!(key(true, None, Baked::Same), (1, 0));
        assert_eq!(key(true, None, Baked::NoSalt), (0, 1));
        let cattle = |present, derived, baked| {
            let seen = CattleId {
                present,
                derived,
                baked,
            };
            count(|diff| seen.judge(diff))
        };
        assert_eq!(cattle(false, false, Baked::NoSalt), (0, 0));
        assert_eq!(cattle(true, true, Baked::NoTombstone), (0, 0));
        assert_eq!(cattle(true, false, Baked::Other), (1, 0));
        assert_eq!(cattle(true, true, Baked::Same), (1, 0));
    }
}
