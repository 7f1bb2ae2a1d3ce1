//! What the cloud tells a VM: a `NoCloud` disk with its name, its network and its user data.
//! Separate from the machine rig's seed because a VM reads a disk, and has two NICs.

use super::guest;
use crate::support::machine::{Result, doing};
use std::{fs, path::Path};

/// What one VM is told.
#[derive(Debug, Clone)]
pub(crate) struct Seed {
    /// Its name, and by it the cloud's name for the instance.
    pub(crate) name: String,
    /// The `network-config`.
    pub(crate) network: String,
    /// The user data, with its first line.
    pub(crate) user_data: String,
}

/// eth0 by DHCP, as a build network has it.
pub(crate) const DHCP: &str = "version: 2\nethernets:\n  eth0: {dhcp4: true}\n";

/// Two NICs with a default route each, eth0's the better one; `last` is the last number of both addresses.
///
/// In version 1, which cloud-init makes of `OpenStack`'s description too: of version 2 its 22.4 loses the metrics, and with
/// two default routes of one metric the kernel sends what eth0 was asked by either NIC.
pub(crate) fn two_nics(last: u8) -> String {
    let nic = |number: u8, metric: u16| {
        format!(
            "  - type: physical\n    name: eth{number}\n    subnets:\n      - type: static\n        \
             address: 10.{number}.0.{last}/24\n        \
             routes: [{{destination: 0.0.0.0/0, gateway: 10.{number}.0.1, metric: {metric}}}]\n"
        )
    };
    format!("version: 1\nconfig:\n{}{}", nic(0, 100), nic(1, 101))
}

impl Seed {
    /// Writes the disk to `NAME.iso` in a directory and gives its path.
    pub(crate) fn disk(&self, dir: &Path) -> Result<std::path::PathBuf> {
        let Self {
            name,
            network,
            user_data,
        } = self;
        let files = dir.join(format!("{name}.seed"));
        fs::create_dir_all(&files).map_err(|e| doing("creating", &files, &e))?;
        let texts = [
            (
                "meta-data",
                format!("instance-id: i-{name}\nlocal-hostname: {name}\n"),
            ),
            ("network-config", network.clone()),
            ("user-data", user_data.clone()),
        ];
        for (file, text) in texts {
            let path = files.join(file);
            fs::write(&path, text).map_err(|e| doing("writing", &path, &e))?;
        }
        let disk = dir.join(format!("{name}.iso"));
        guest::iso(&files, "cidata", &disk)?;
        Ok(disk)
    }
}
