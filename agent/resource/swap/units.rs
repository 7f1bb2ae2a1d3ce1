//! Units that swap: swap units that no fstab line explains, and services that set swap up.
//! It is separate because what can be done depends on where a unit's file lies.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Action;
use crate::error::Result;
use crate::host::{Enablement, Host};
use crate::resource::{Diff, Place};

/// An administrator's unit files. A file there cannot be masked, as the mask would lie in its place.
const OWN: &str = "/etc/systemd/system";
/// Where else swap units come from. Those that systemd makes of fstab lines are in generator/ and go with the
/// lines; those that it makes of partitions it found by itself are in generator.late/.
const OTHERS: [&str; 4] = [
    "/run/systemd/generator.late",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];
/// Services of packages that make swap: zram-tools, zram-config, zram, dphys-swapfile.
const SERVICES: [&str; 4] = [
    "zramswap.service",
    "zram-config.service",
    "zram-swap.service",
    "dphys-swapfile.service",
];

/// A unit that swaps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SwapUnit {
    /// Its name.
    pub name: String,
    /// The directory of its file.
    pub dir: String,
    /// As `systemctl is-enabled` says.
    pub enablement: String,
    /// As `systemctl is-active` says; none without a running manager.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active: Option<String>,
}

/// All units that swap, whether or not they are enabled.
pub(super) fn observe(host: &Host) -> Result<Vec<SwapUnit>> {
    let mut dirs: BTreeMap<String, &str> = BTreeMap::new();
    for dir in [OWN].into_iter().chain(OTHERS) {
        for name in host.root.list(dir)? {
            if name.as_bytes().ends_with(b".swap") || SERVICES.contains(&name.as_str()) {
                dirs.entry(name).or_insert(dir);
            }
        }
    }
    let mut units = Vec::new();
    for (name, dir) in dirs {
        let state = host.units.state(&name)?;
        units.push(SwapUnit {
            name,
            dir: dir.to_owned(),
            enablement: state.enablement,
            active: state.active,
        });
    }
    Ok(units)
}

impl SwapUnit {
    /// Notes a unit that would swap at the next boot, and a service that does now.
    pub(super) fn judge(&self, place: Place, diff: &mut Diff<Action>) {
        let what = format!("unit {}", self.name);
        let own = self.dir == OWN;
        match self.enablement.as_str() {
            "masked" | "disabled" => {}
            "static" if own => {
                let want = format!("no such unit: remove {OWN}/{}", self.name);
                diff.differs(what, "static, so it cannot be disabled", want);
            }
            other if own => {
                diff.differs(what, other, "disabled");
                let disable = Action::Unit(self.name.clone(), Enablement::Disable);
                diff.actions.push(disable);
            }
            other => {
                diff.differs(what, other, "masked");
                let mask = Action::Unit(self.name.clone(), Enablement::Mask);
                diff.actions.push(mask);
            }
        }
        // A service is not in /proc/swaps; what a swap unit started is.
        let service = SERVICES.contains(&self.name.as_str());
        if service && place != Place::Image && self.active.as_deref() == Some("active") {
            diff.differs(format!("unit {} now", self.name), "active", "inactive");
            diff.actions.push(Action::Stop(self.name.clone()));
        }
    }
}
