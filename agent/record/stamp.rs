//! The stamp of a node's first boot, bound to the machine and to the cloud instance.
//! It is separate because systemd's own first-boot condition never holds with an empty machine-id (design, ruling 15).

use serde::{Deserialize, Serialize};

use super::seal::{self, State};
use super::{MANIFEST, STATE_DIR};
use crate::error::{Context as _, Result};
use crate::host::root::Attr;
use crate::host::{Evidence, Host, Root};
use crate::resource::{Difference, Place, identity};

/// Where it lies.
pub const STAMP: &str = "/var/lib/nodeagent/firstboot.json";
const INSTANCE: &str = "/var/lib/cloud/data/instance-id";

/// What identified the node when it was stamped. Digests are keyed by the image's salt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// Version of this format: 1.
    pub schema: u32,
    /// Keyed digest of the machine-id.
    pub machine: String,
    /// cloud-init's instance-id; none without cloud-init.
    pub instance: Option<String>,
    /// Keyed digest of the SMBIOS product UUID; none where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hardware: Option<String>,
    /// Keyed digests of the host keys.
    pub host_keys: Vec<String>,
    /// When, seconds since 1970.
    pub at: u64,
}

/// How a stamp relates to the machine that it lies on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// There is none, or it cannot be read: this is a first boot.
    Fresh,
    /// It is this node's.
    Mine,
    /// It is another node's: this disk is a copy, and freshness is to be checked again.
    /// What is still the other node's own is told.
    Foreign(Vec<Difference>),
}

/// What identifies this machine now; none without a salt. `uuid` is the SMBIOS product UUID.
pub fn now(root: &Root, evidence: &Evidence, uuid: Option<&str>, at: u64) -> Result<Option<Stamp>> {
    let id = root.read("/etc/machine-id")?.unwrap_or_default();
    let Some(machine) = evidence.tombstone("machine-id", id.trim_ascii()) else {
        return Ok(None);
    };
    let instance = root.read(INSTANCE)?;
    let mut host_keys = Vec::new();
    for key in identity::host_key_identifiers(root)? {
        host_keys.extend(evidence.tombstone("ssh-host-key", &key).map(|t| t.digest));
    }
    let hardware = uuid.and_then(|uuid| evidence.tombstone("product-uuid", uuid.as_bytes()));
    Ok(Some(Stamp {
        schema: 1,
        machine: machine.digest,
        instance: instance.map(|text| String::from_utf8_lossy(&text).trim().to_owned()),
        hardware: hardware.map(|stone| stone.digest),
        host_keys,
        at,
    }))
}

/// How the stamp on a machine relates to it, and the stamp that it would get now; none without a salt.
pub fn of(host: &Host) -> Result<Option<(Standing, Stamp)>> {
    let uuid = host.kernel.product_uuid()?;
    let now = now(
        &host.root,
        &host.evidence,
        uuid.as_deref(),
        host.clock.now(),
    )?;
    let before = read(&host.root)?;
    Ok(now.map(|now| (standing(before.as_ref(), &now), now)))
}

/// Whether this very machine had its first boot. Of a tree, whose machine is not here, any stamp is believed.
pub fn is_mine(host: &Host) -> Result<bool> {
    if !host.root.is_live() {
        return Ok(read(&host.root)?.is_some());
    }
    Ok(matches!(of(host)?, Some((Standing::Mine, _))))
}

/// Reads the stamp; one that cannot be understood counts as none, so that everything is checked again.
pub fn read(root: &Root) -> Result<Option<Stamp>> {
    let bytes = root.read(STAMP)?.unwrap_or_default();
    Ok(serde_json::from_slice(&bytes).ok())
}

/// Writes the stamp.
pub fn write(root: &Root, stamp: &Stamp) -> Result<()> {
    let doing = || format!("write {STAMP}");
    let mut bytes = serde_json::to_vec(stamp).context(doing)?;
    bytes.push(b'\n');
    root.make_dir(STATE_DIR, Attr::root(0o700)).context(doing)?;
    root.write(STAMP, &bytes, Attr::root(0o644)).context(doing)
}

/// Compares a stamp with the machine as it is.
pub fn standing(stamp: Option<&Stamp>, now: &Stamp) -> Standing {
    let Some(stamp) = stamp else {
        return Standing::Fresh;
    };
    let same_machine = stamp.machine == now.machine;
    if same_machine && same_instance(stamp, now) {
        return Standing::Mine;
    }
    let mut kept = Vec::new();
    let mut differs = |what: &str| {
        kept.push(Difference {
            what: what.to_owned(),
            have: "that of the node from which this disk was copied".to_owned(),
            want: "made anew on this machine".to_owned(),
        });
    };
    if same_machine {
        differs("/etc/machine-id");
    }
    if now
        .host_keys
        .iter()
        .any(|key| stamp.host_keys.contains(key))
    {
        differs("SSH host keys");
    }
    Standing::Foreign(kept)
}

/// Where cloud-init names no instance (it is not installed, or it failed), the SMBIOS UUID stands for it.
fn same_instance(stamp: &Stamp, now: &Stamp) -> bool {
    let both_named = stamp.instance.is_some() && now.instance.is_some();
    match (&stamp.hardware, &now.hardware) {
        (Some(before), Some(here)) if !both_named => before == here,
        _ => stamp.instance == now.instance,
    }
}

/// The place, told from evidence. A closed image that runs was booted, whether or not its first boot went well.
/// A stamp or a manifest without a seal is an image whose seal was removed: judged as a build machine it would
/// pass with neither identity nor inventory looked at.
pub fn place(host: &Host) -> Result<Place> {
    let state = seal::read(&host.root)?.map(|seal| seal.state);
    let stamped = read(&host.root)?.is_some();
    let booted = host.context.has_manager() && !host.closing;
    let lost = state.is_none() && host.root.present(MANIFEST)?;
    Ok(match state {
        Some(State::Building) => Place::Build,
        _ if stamped => Place::Node,
        None if lost && booted => Place::Node,
        None if lost => Place::Image,
        None => Place::Build,
        Some(State::Closed) if booted => Place::Node,
        Some(_) => Place::Image,
    })
}
