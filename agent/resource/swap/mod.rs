//! Kind `swap`: swap is off, now and at every boot.
//! It is separate because it lives in four places: the kernel, fstab, swap units and zram generators.

mod fstab;
mod units;
mod zram;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::host::root::Attr;
use crate::host::{Enablement, Host, Runtime};
use crate::resource::schema::{Field, Type};
use crate::resource::{Claim, Diff, Kind, Phase, Place};
pub use fstab::FstabLine;
pub use units::SwapUnit;
pub use zram::ZramFile;

const FSTAB: &str = "/etc/fstab";
/// Begins every line that was commented out, so that a person finds and can undo it.
const MARK: &str = "# nodeagent: swap is off: ";

/// Swap is off.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Swap {
    /// The only state there is: `off`.
    pub state: String,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Seen {
    /// Devices and files that are swapped to now.
    pub active: Runtime<Vec<String>>,
    /// Swap lines of /etc/fstab.
    pub fstab: Vec<FstabLine>,
    /// Units that swap.
    pub units: Vec<SwapUnit>,
    /// Files of zram-generator that set a swap device up.
    pub zram: Vec<ZramFile>,
}

/// A step.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Comments the swap lines of /etc/fstab out; every other byte stays.
    Fstab,
    /// Comments swap devices out of a zram-generator file, in /etc where it then wins over the vendor's.
    Zram(ZramFile),
    /// Masks or disables a unit.
    Unit(String, Enablement),
    /// Stops a service that swaps.
    Stop(String),
    /// Stops swapping to a device or file.
    Off(String),
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Fstab => write!(f, "comment the swap lines out of {FSTAB}"),
            Action::Zram(file) if file.path == file.to => {
                write!(f, "comment the swap devices out of {}", file.to)
            }
            Action::Zram(file) => write!(f, "override {} by {}", file.path, file.to),
            Action::Unit(name, Enablement::Mask) => write!(f, "mask {name}"),
            Action::Unit(name, _) => write!(f, "disable {name}"),
            Action::Stop(name) => write!(f, "stop {name}"),
            Action::Off(device) => write!(f, "swapoff {device}"),
        }
    }
}

/// Comments lines out with a mark that says by whom and why; lines are told by their number from 1.
fn comment_out(bytes: &[u8], wanted: impl Fn(usize) -> bool) -> Vec<u8> {
    let lines = bytes.split_inclusive(|byte| *byte == b'\n').zip(1usize..);
    lines
        .flat_map(|(line, number)| {
            let mark = if wanted(number) { MARK } else { "" };
            [mark.as_bytes(), line].concat()
        })
        .collect()
}

/// Replaces a file and keeps its mode and owner; a new one is root:root 0644.
fn rewrite(host: &Host, path: &str, bytes: &[u8]) -> Result<()> {
    let attr = match host.root.meta_followed(path)? {
        Some(meta) => Attr {
            mode: meta.mode,
            uid: meta.uid,
            gid: meta.gid,
        },
        None => Attr::root(0o644),
    };
    host.root.make_parent(path)?;
    host.root.write(path, bytes, attr)?;
    // Units that generators made of it go with the next read.
    if host.units.manager() {
        host.units.reload()?;
    }
    Ok(())
}

impl Kind for Swap {
    const NAME: &'static str = "swap";
    const PHASE: Phase = Phase::Kernel;
    const DOC: &'static str =
        "Swap is off now and at every boot: swapoff, fstab, swap units, zram.";
    const FIELDS: &'static [Field] = &[Field::required(
        "state",
        Type::Enum(&["off"]),
        "off: kubelet refuses to start with swap on.",
    )];
    type Seen = Seen;
    type Action = Action;

    fn key(&self) -> String {
        self.state.clone()
    }

    fn claims(&self) -> Vec<Claim> {
        vec![Claim {
            fact: "swap".to_owned(),
            value: self.state.clone(),
        }]
    }

    fn observe(&self, host: &Host) -> Result<Seen> {
        Ok(Seen {
            active: host.kernel.swaps()?,
            fstab: fstab::observe(&host.root)?,
            units: units::observe(host)?,
            zram: zram::observe(&host.root)?,
        })
    }

    fn diff(&self, seen: &Seen, place: Place) -> Diff<Action> {
        let mut diff = Diff::default();
        for line in &seen.fstab {
            let what = format!("{FSTAB} line {}", line.number);
            diff.differs(what, &line.text, "commented out");
        }
        if !seen.fstab.is_empty() {
            diff.actions.push(Action::Fstab);
        }
        for file in &seen.zram {
            let have = format!("swap on {}", file.devices.join(", "));
            diff.differs(&file.path, have, "no swap device");
            diff.actions.push(Action::Zram(file.clone()));
        }
        for unit in &seen.units {
            unit.judge(place, &mut diff);
        }
        match &seen.active {
            _ if place == Place::Image => {
                diff.skip("active swap", "an image that is not booted does not swap");
            }
            Runtime::NotApplicable(why) => diff.skip("active swap", why),
            Runtime::Seen(devices) => {
                for device in devices {
                    diff.differs("active swap", device, "none");
                    diff.actions.push(Action::Off(device.clone()));
                }
            }
        }
        diff
    }

    fn apply(batch: &[(&Self, &Action)], host: &Host) -> Result<()> {
        for (_, action) in batch {
            match action {
                Action::Fstab => fstab::comment_swap_out(host)?,
                Action::Zram(file) => zram::comment_swap_out(host, file)?,
                Action::Unit(name, change) => host.units.set(name, *change)?,
                Action::Stop(name) => host.units.stop(name)?,
                Action::Off(device) => off(host, device)?,
            }
        }
        Ok(())
    }
}

/// A unit that was stopped meanwhile has taken its device with it.
fn off(host: &Host, device: &String) -> Result<()> {
    match host.kernel.swaps()? {
        Runtime::Seen(active) if active.contains(device) => host.kernel.swap_off(device),
        _ => Ok(()),
    }
}
