//! What is set up for the next boot: crypto policy, initramfs and boot entries on EL, FIPS kernel and GRUB on Ubuntu.
//! It is separate because it is read from files alone, so that a tree can be judged as well as a machine.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Family;
use super::entry::{BootEntry, arguments, file_name, in_boot, options, value};
use crate::error::Result;
use crate::host::Root;

const POLICY: &str = "/etc/crypto-policies/config";
const POLICY_STATE: &str = "/etc/crypto-policies/state/current";
const ENTRIES: &str = "/boot/loader/entries";
const GRUB: &str = "/boot/grub/grub.cfg";

/// What is set up for the next boot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Configured {
    /// The crypto policy that is set; EL alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// The crypto policy that the back ends were made of; EL alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy_in_effect: Option<String>,
    /// dracut puts its module `fips` in every initramfs; EL alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dracut: Option<bool>,
    /// /boot is a file system of its own, which the kernel's self-test must be told of.
    pub separate_boot: bool,
    /// Boot entries by kernel: all but rescue ones on EL, those of FIPS kernels on Ubuntu.
    pub entries: BTreeMap<String, BootEntry>,
    /// When any of it last changed, in seconds since 1970; not kept, it differs with every build.
    #[serde(skip)]
    pub changed: i64,
}

impl Configured {
    /// What is missing, as (part, found, wanted).
    pub(super) fn missing(&self, family: Family) -> Vec<(String, String, String)> {
        let mut missing = Vec::new();
        let mut lacks = |what: &str, have: &str, want: &str| {
            missing.push((what.to_owned(), have.to_owned(), want.to_owned()));
        };
        if family == Family::El {
            let policies = [
                ("crypto policy", &self.policy),
                ("crypto policy of the back ends", &self.policy_in_effect),
            ];
            for (what, policy) in policies {
                let policy = policy.as_deref().unwrap_or("none");
                if !is_fips(policy) {
                    lacks(what, policy, "FIPS");
                }
            }
            if self.dracut != Some(true) {
                lacks("dracut module fips", "not configured", "in every initramfs");
            }
        }
        if self.entries.is_empty() {
            let (have, want) = match family {
                Family::El => ("no boot entry", "boot entries with fips=1"),
                _ => ("no kernel -fips in GRUB", "a FIPS kernel with fips=1"),
            };
            lacks("boot entries", have, want);
        }
        for (kernel, entry) in &self.entries {
            if !entry.fips {
                lacks(
                    &format!("boot entry of {kernel}"),
                    "without fips=1",
                    "fips=1",
                );
            }
            if self.separate_boot && !entry.boot {
                let want = "boot=, since /boot is a file system of its own";
                lacks(&format!("boot entry of {kernel}"), "without boot=", want);
            }
            if self.dracut == Some(true) && entry.initramfs == Some(false) {
                let have = "older than dracut's configuration";
                lacks(
                    &format!("initramfs of {kernel}"),
                    have,
                    "made with the module fips",
                );
            }
        }
        missing
    }
}

fn is_fips(policy: &str) -> bool {
    policy == "FIPS" || policy.starts_with("FIPS:")
}

/// Looks; none where the tree has no kernel. A /boot that is elsewhere and not mounted has none either, and says so.
pub(super) fn look(root: &Root, family: Family) -> Result<Option<Configured>> {
    let fstab = root.read_text("/etc/fstab")?.unwrap_or_default();
    let separate_boot = root.is_mount_point("/boot").unwrap_or(false) || mounts_boot(&fstab);
    let names = root.list("/boot")?;
    if !names.iter().any(|name| name.starts_with("vmlinuz")) {
        return match separate_boot {
            true => Ok(Some(Configured {
                separate_boot,
                ..Configured::default()
            })),
            false => Ok(None),
        };
    }
    let mut set = Configured {
        separate_boot,
        ..Configured::default()
    };
    match family {
        Family::El => el(root, &mut set)?,
        Family::Ubuntu => ubuntu(root, &mut set)?,
        Family::Other => {}
    }
    Ok(Some(set))
}

fn mounts_boot(fstab: &str) -> bool {
    let lines = fstab
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'));
    let mut points = lines.filter_map(|line| line.split_whitespace().nth(1));
    points.any(|point| point == "/boot")
}

/// Notes when a file last changed.
fn changed(root: &Root, path: &str, set: &mut Configured) -> Result<Option<i64>> {
    let time = root.meta_followed(path)?.map(|meta| meta.mtime);
    set.changed = set.changed.max(time.unwrap_or(0));
    Ok(time)
}

fn el(root: &Root, set: &mut Configured) -> Result<()> {
    let policy = |path: &str| -> Result<Option<String>> {
        let text = root.read_text(path)?.unwrap_or_default();
        let mut lines = text.lines().map(str::trim);
        Ok(lines
            .find(|l| !l.is_empty() && !l.starts_with('#'))
            .map(str::to_owned))
    };
    set.policy = policy(POLICY)?;
    set.policy_in_effect = policy(POLICY_STATE)?;
    changed(root, POLICY, set)?;
    let told = dracut(root)?;
    set.dracut = Some(told.is_some());
    let grubenv = root.read_text("/boot/grub2/grubenv")?.unwrap_or_default();
    for name in root.list(ENTRIES)? {
        if !name.ends_with(".conf") || name.contains("rescue") {
            continue;
        }
        let path = format!("{ENTRIES}/{name}");
        let text = root.read_text(&path)?.unwrap_or_default();
        changed(root, &path, set)?;
        let Some(kernel) = value(&text, "linux") else {
            continue;
        };
        let initrd = value(&text, "initrd").map(|initrd| in_boot(&initrd));
        let made = match initrd {
            Some(path) => root.meta_followed(&path)?.map(|meta| meta.mtime),
            None => None,
        };
        let entry = BootEntry {
            initramfs: Some(told.zip(made).is_some_and(|(told, made)| made >= told)),
            ..arguments(&options(&text, &grubenv))
        };
        set.entries.insert(file_name(&kernel), entry);
    }
    Ok(())
}

/// When dracut was told of its module `fips`; none where it was not.
fn dracut(root: &Root) -> Result<Option<i64>> {
    let folder = "/etc/dracut.conf.d";
    for name in root.list(folder)?.iter().filter(|n| n.ends_with(".conf")) {
        let path = format!("{folder}/{name}");
        let text = root.read_text(&path)?.unwrap_or_default();
        let lines = text.lines().map(str::trim);
        let mut adds = lines.filter_map(|line| line.strip_prefix("add_dracutmodules+="));
        let is_fips = |list: &str| list.split(['"', '\'', ' ']).any(|word| word == "fips");
        if adds.any(is_fips) {
            return Ok(root.meta_followed(&path)?.map(|meta| meta.mtime));
        }
    }
    Ok(None)
}

fn ubuntu(root: &Root, set: &mut Configured) -> Result<()> {
    let text = root.read_text(GRUB)?.unwrap_or_default();
    changed(root, GRUB, set)?;
    for line in text.lines().map(str::trim) {
        let Some(rest) = line
            .strip_prefix("linux")
            .and_then(|l| l.strip_prefix([' ', '\t']))
        else {
            continue;
        };
        let kernel = file_name(rest.split_whitespace().next().unwrap_or_default());
        let rescue = rest
            .split_whitespace()
            .any(|w| w == "single" || w == "recovery");
        if kernel.ends_with("-fips") && !rescue {
            set.entries.entry(kernel).or_insert_with(|| arguments(rest));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_with_subpolicies_is_still_fips() {
        for (policy, want) in [
            ("FIPS", true),
            ("FIPS:OSPP", true),
            ("DEFAULT", false),
            ("FIPSX", false),
        ] {
            assert_eq!(is_fips(policy), want, "{policy}");
        }
        assert!(mounts_boot(
            "# /dev/a /boot\nUUID=x /boot ext4 defaults 1 2\n"
        ));
        assert!(!mounts_boot("#UUID=x /boot ext4\nUUID=y /boot/efi vfat\n"));
    }
}
