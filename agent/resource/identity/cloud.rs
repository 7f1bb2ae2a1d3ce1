//! cloud-init's instance: another one than the build's, and data of a platform behind it.
//! It is separate because cloud-init makes host keys, names and accounts anew only for an instance that it does not know.

use serde::Serialize;

use super::Baked;
use crate::error::Result;
use crate::host::Host;
use crate::resource::{Diff, ENTRY};

const INSTANCE: &str = "/var/lib/cloud/data/instance-id";
/// The platform, as `cloud-id` prints it; there once cloud-init has found data.
const CLOUD: &str = "/run/cloud-init/cloud-id";

/// What was found of cloud-init's instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct CloudInstance {
    /// The platform that gave this boot's data; none: cloud-init is not installed, disabled, or found no platform.
    pub cloud: Option<String>,
    /// It names an instance.
    pub named: bool,
    /// How the instance compares with the build's.
    pub baked: Baked,
}

pub(super) fn observe(host: &Host) -> Result<CloudInstance> {
    let text = |path: &str| -> Result<Option<String>> {
        let bytes = host.root.read(path)?;
        Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).trim().to_owned()))
    };
    let instance = text(INSTANCE)?.unwrap_or_default();
    Ok(CloudInstance {
        cloud: text(CLOUD)?,
        named: !instance.is_empty(),
        baked: Baked::of(&host.evidence, "cloud-instance", &[instance.into_bytes()]),
    })
}

impl CloudInstance {
    pub(super) fn judge<A>(&self, diff: &mut Diff<A>) {
        match (self.cloud.as_deref(), self.named) {
            (Some("none" | "fallback"), _) => diff.differs(
                "cloud-init's data source",
                "None: it was pinned to that, or found no data for this machine",
                "the platform's, or cloud-init disabled",
            ),
            (_, true) => self.baked.judge(INSTANCE, diff),
            (Some(_), false) => diff.differs(INSTANCE, "absent", "this machine's instance"),
            (None, false) => diff.skip(ENTRY, "cloud-init did not run on this machine"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_instance_and_a_pinned_source_are_told() {
        let judged = |cloud: Option<&str>, named: bool, baked: Baked| {
            let cloud = cloud.map(str::to_owned);
            let mut diff = Diff::<()>::default();
            CloudInstance {
                cloud,
                named,
                baked,
            }
            .judge(&mut diff);
            let (skipped, unknown) = (diff.not_applicable.len(), diff.unknown.len());
            (diff.differences.len(), unknown, skipped)
        };
        let table = [
            (Some("nocloud"), true, Baked::Other, (0, 0, 0)),
            (Some("nocloud"), true, Baked::Same, (1, 0, 0)),
            (Some("nocloud"), true, Baked::NoTombstone, (0, 1, 0)),
            (Some("nocloud"), false, Baked::Other, (1, 0, 0)),
            (Some("none"), true, Baked::Other, (1, 0, 0)),
            (None, true, Baked::Same, (1, 0, 0)),
            (None, false, Baked::Other, (0, 0, 1)),
        ];
        for (cloud, named, baked, want) in table {
            assert_eq!(
                judged(cloud, named, baked),
                want,
                "{cloud:?} {named} {baked:?}"
            );
        }
    }
}
