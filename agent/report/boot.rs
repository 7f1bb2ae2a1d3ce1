//! The milestones of a boot, told from systemd's timestamps; pure.
//! It is separate because the arithmetic and every "why not" is a table that can be read and tested.

use serde::{Deserialize, Serialize};

use crate::host::systemd::boot::{BootTimes, UnitTimes};

#[cfg(test)]
mod tests;

/// When the boot reached what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Boot {
    /// What time zero is.
    pub origin: Origin,
    /// No job of the boot is left.
    pub finished: bool,
    /// How long each part of it took, as `systemd-analyze` counts.
    pub durations: Vec<Point>,
    /// When each milestone was reached, counted from the origin.
    pub milestones: Vec<Point>,
}

/// What time zero of the milestones is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// The kernel's start.
    Kernel,
    /// The container's first process.
    Container,
    /// The last soft reboot.
    SoftReboot,
}

/// One time, or why there is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Point {
    /// Its name.
    pub name: String,
    /// Microseconds.
    pub micros: Option<u64>,
    /// Why there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// Where a milestone is read.
#[derive(Debug, Clone, Copy)]
enum Source {
    /// systemd began on the system itself.
    Userspace,
    /// No job of the boot was left.
    Finish,
    /// The first of these units that did so began to start.
    Began(&'static [&'static str]),
    /// The first of these units that did so was up.
    Up(&'static [&'static str]),
    /// Not systemd's to tell.
    Elsewhere(&'static str),
}

const RKE2: &[&str] = &["rke2-server.service", "rke2-agent.service"];
/// Its name before cloud-init 24.3, and where a distribution kept the old one.
const CLOUD_NETWORK: &[&str] = &["cloud-init-network.service", "cloud-init.service"];
const KUBELET: &str = "kubelet runs inside RKE2 and tells it itself, as kubelet_node_startup_duration_seconds and \
     kubelet_node_startup_pre_kubelet_duration_seconds";
const READY: &str = "the API server tells it, as the node's creation time and its condition Ready";

/// Every milestone, in the usual order of a boot.
const MILESTONES: &[(&str, Source)] = &[
    ("userspace", Source::Userspace),
    (
        "cloud-init-local-start",
        Source::Began(&["cloud-init-local.service"]),
    ),
    ("cloud-init-network", Source::Up(CLOUD_NETWORK)),
    ("network-online", Source::Up(&["network-online.target"])),
    ("cloud-init-config", Source::Up(&["cloud-config.service"])),
    ("route-ready", Source::Up(&["nodeagent-route.service"])),
    (
        "firstboot-start",
        Source::Began(&["nodeagent-firstboot.service"]),
    ),
    (
        "firstboot-proved",
        Source::Up(&["nodeagent-firstboot.service"]),
    ),
    ("rke2-start", Source::Began(RKE2)),
    ("rke2-ready", Source::Up(RKE2)),
    ("kubelet-start", Source::Elsewhere(KUBELET)),
    ("node-registered", Source::Elsewhere(READY)),
    ("node-ready", Source::Elsewhere(READY)),
    ("multi-user", Source::Up(&["multi-user.target"])),
    ("cloud-init-final", Source::Up(&["cloud-final.service"])),
    ("finish", Source::Finish),
];

/// The units that the milestones are read from.
pub fn units() -> Vec<&'static str> {
    let mut units: Vec<&str> = MILESTONES
        .iter()
        .flat_map(|(_, from)| match from {
            Source::Began(units) | Source::Up(units) => units.iter().copied(),
            _ => [].iter().copied(),
        })
        .collect();
    units.sort_unstable();
    units.dedup();
    units
}

/// Tells the boot from systemd's answer, or from the reason why there is none.
pub fn tell(times: Result<&BootTimes, &str>, container: bool) -> Boot {
    let origin = match times {
        _ if container => Origin::Container,
        Ok(times) if times.soft_reboot != 0 => Origin::SoftReboot,
        _ => Origin::Kernel,
    };
    let point = |name: &str, told: Told| Point {
        name: name.to_owned(),
        micros: told.as_ref().ok().copied(),
        why: told.err(),
    };
    let with = |read: &dyn Fn(&BootTimes) -> Told| match times {
        Ok(times) => read(times),
        Err(why) => Err(why.to_owned()),
    };
    let durations = DURATIONS
        .iter()
        .map(|(name, read)| point(name, with(&|times| read(times, origin))));
    let milestones = MILESTONES
        .iter()
        .map(|(name, from)| point(name, with(&|times| milestone(times, *from, origin))));
    Boot {
        origin,
        finished: times.is_ok_and(|times| times.finish != 0),
        durations: durations.collect(),
        milestones: milestones.collect(),
    }
}

/// Microseconds, or why there are none.
type Told = Result<u64, String>;
type Read = fn(&BootTimes, Origin) -> Told;

/// systemd-analyze's arithmetic: firmware and loader are counted backwards from the kernel's start.
const DURATIONS: &[(&str, Read)] = &[
    ("firmware", |t, origin| {
        kernel_began(origin)?;
        stamped(t.firmware, FIRMWARE)?;
        Ok(t.firmware.saturating_sub(t.loader))
    }),
    ("loader", |t, origin| {
        kernel_began(origin)?;
        stamped(t.loader, FIRMWARE)
    }),
    ("kernel", |t, origin| {
        kernel_began(origin)?;
        Ok(if t.initrd == 0 { t.userspace } else { t.initrd })
    }),
    ("initrd", |t, origin| {
        kernel_began(origin)?;
        stamped(t.initrd, "there was no initrd with a systemd")?;
        Ok(t.userspace.saturating_sub(t.initrd))
    }),
    ("userspace", |t, origin| {
        let finish = stamped(t.finish, UNFINISHED)?;
        Ok(finish.saturating_sub(t.userspace.max(zero(t, origin))))
    }),
    ("total", |t, origin| {
        let finish = stamped(t.finish, UNFINISHED)?;
        let before = if origin == Origin::Kernel {
            t.firmware
        } else {
            0
        };
        Ok(before + finish.saturating_sub(zero(t, origin)))
    }),
];

const FIRMWARE: &str = "the boot loader told none, as is usual without EFI";
const UNFINISHED: &str = "the boot is not finished: jobs are left (systemctl list-jobs)";

/// Where zero lies on the monotonic clock.
fn zero(times: &BootTimes, origin: Origin) -> u64 {
    match origin {
        Origin::Kernel => 0,
        Origin::Container => times.userspace,
        Origin::SoftReboot => times.soft_reboot,
    }
}

fn kernel_began(origin: Origin) -> Result<(), String> {
    match origin {
        Origin::Kernel => Ok(()),
        Origin::Container => Err("the kernel is shared with the container's host".to_owned()),
        Origin::SoftReboot => Err("a soft reboot starts no kernel".to_owned()),
    }
}

fn stamped(micros: u64, why: &str) -> Told {
    (micros != 0)
        .then_some(micros)
        .ok_or_else(|| why.to_owned())
}

fn milestone(times: &BootTimes, from: Source, origin: Origin) -> Told {
    let at = match from {
        Source::Userspace => stamped(times.userspace, "systemd does not know it")?,
        Source::Finish => stamped(times.finish, UNFINISHED)?,
        Source::Began(units) => unit(times, units, |unit| unit.began)?,
        Source::Up(units) => unit(times, units, |unit| unit.up)?,
        Source::Elsewhere(who) => return Err(who.to_owned()),
    };
    at.checked_sub(zero(times, origin))
        .ok_or_else(|| "it was before the soft reboot".to_owned())
}

fn unit(times: &BootTimes, names: &[&str], read: fn(&UnitTimes) -> u64) -> Told {
    let known = names
        .iter()
        .filter_map(|name| Some((*name, times.units.get(*name)?)))
        .filter(|(_, unit)| unit.exists);
    let known: Vec<(&str, &UnitTimes)> = known.collect();
    // Of several the one that did most: a node has both of RKE2's units and starts one.
    let best = known
        .iter()
        .max_by_key(|(_, unit)| (read(unit) != 0, unit.began != 0, unit.job));
    match best {
        None => Err(format!("there is no {}", names.join(" and no "))),
        Some((name, unit)) => stamped(read(unit), &format!("{name}: {}", why_not(unit))),
    }
}

fn why_not(unit: &UnitTimes) -> &'static str {
    match unit.active.as_str() {
        "activating" => "it is still starting",
        "failed" => "it failed",
        _ if unit.job => "it still waits to be started",
        _ if unit.skipped => "its conditions do not hold here",
        _ => "nothing started it in this boot, or what it needs failed",
    }
}
