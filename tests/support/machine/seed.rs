//! `NoCloud` seeds: what a cloud tells a machine about itself at boot.
//! Separate because the build machine and every clone get one, each with another identity.

use super::{Result, doing};
use std::{fs, path::Path};

/// What one machine is told.
#[derive(Debug)]
pub(crate) struct Seed<'a> {
    /// The cloud's name for the machine; a new one makes cloud-init start afresh.
    pub(crate) instance_id: &'a str,
    /// The host name.
    pub(crate) hostname: &'a str,
    /// The address of eth1, with its prefix length.
    pub(crate) address: &'a str,
    /// More lines for the user data.
    pub(crate) user_data: &'a str,
}

impl Seed<'_> {
    /// Writes the seed where cloud-init looks for it, replacing one that is there.
    pub(crate) fn write(&self, tree: &Path) -> Result<()> {
        let dir = tree.join("var/lib/cloud/seed/nocloud");
        fs::create_dir_all(&dir).map_err(|e| doing("creating", &dir, &e))?;
        let Self {
            instance_id,
            hostname,
            address,
            user_data,
        } = self;
        let files = [
            (
                "meta-data",
                format!("instance-id: {instance_id}\nlocal-hostname: {hostname}\n"),
            ),
            ("user-data", format!("#cloud-config\n{user_data}")),
            // A fixed address: no machine of the rig has a DHCP server to wait for.
            (
                "network-config",
                format!("version: 2\nethernets:\n  eth1:\n    addresses: [{address}]\n"),
            ),
        ];
        for (name, text) in files {
            let path = dir.join(name);
            fs::write(&path, text).map_err(|e| doing("writing", &path, &e))?;
        }
        Ok(())
    }
}
