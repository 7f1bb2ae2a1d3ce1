//! Kind `identity`: proof that a node's identifiers are its own, and that an image carries none of its builder.
//! It is separate because it only ever judges: an identity that is wrong cannot be repaired here.

pub(crate) mod access;
pub(crate) mod blob;
mod boot;
mod cloud;
mod derived;
mod fields;
mod hostkeys;
mod initramfs;
mod joined;
mod machine;
pub(crate) mod names;
pub(crate) mod sshd;
mod storage;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::host::{Evidence, Host};
use crate::resource::schema::Field;
use crate::resource::{Claim, Diff, Fault, Kind, Phase, Place};

pub use access::{AuthorizedKeys, Builder};
pub use boot::{BootEntries, CommandLine};
pub use cloud::CloudInstance;
pub use derived::{CattleId, SecretKey};
pub use hostkeys::{HostKey, HostKeys};
pub(crate) use hostkeys::{companions, identifiers as host_key_identifiers};
pub use initramfs::Initramfs;
pub use joined::Joined;
pub use machine::{DbusId, Form, MachineId, TRANSIENT};
pub use names::HostName;
pub use storage::{FileSystem, IscsiName, NvmeHost};

/// An identifier that must be this machine's own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    /// Which identifier.
    pub what: String,
    /// Where it is looked for, for those that lie at no fixed place.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
    /// The account by which the image was built; empty: there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// A key that opened the build machine is a fault, not only worth a note.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub strict: bool,
}

/// What was found. No identifier is kept here, only what follows from it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Seen {
    /// /etc/machine-id.
    MachineId(MachineId),
    /// /var/lib/dbus/machine-id.
    DbusId(DbusId),
    /// The keys that sshd would load.
    SshHostKeys(HostKeys),
    /// The host name, and the hosts file.
    HostName(HostName),
    /// cloud-init's instance.
    CloudInstance(CloudInstance),
    /// The iSCSI initiator's name.
    IscsiName(IscsiName),
    /// NVMe's host identifiers.
    NvmeHost(NvmeHost),
    /// The file system for volumes.
    FileSystem(FileSystem),
    /// NetworkManager's key.
    NmSecretKey(SecretKey),
    /// Rancher's name for the node.
    CattleId(CattleId),
    /// Boot loader entries.
    BootEntries(BootEntries),
    /// The kernel's command line.
    CommandLine(CommandLine),
    /// State of a cluster before the first start.
    NeverJoined(Joined),
    /// SSH keys of the build.
    AuthorizedKeys(AuthorizedKeys),
    /// The build's account.
    BuildAccount(Builder),
    /// Initramfs images.
    Initramfs(Initramfs),
}

impl Seen {
    /// What is worth telling although it is no fault.
    pub fn notes(&self) -> Vec<String> {
        match self {
            Seen::MachineId(seen) => seen.notes(),
            Seen::AuthorizedKeys(seen) => seen.notes(),
            Seen::FileSystem(seen) => seen.notes(),
            _ => Vec::new(),
        }
    }
}

/// How an identifier compares with those removed from the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Baked {
    /// The record has no salt: nothing can be compared.
    NoSalt,
    /// The record has no tombstone of this kind: nobody looked at the build.
    NoTombstone,
    /// It is one that was removed from the image.
    Same,
    /// It is none of those.
    Other,
}

impl Baked {
    /// Compares values with all tombstones of a kind; one equal value decides.
    pub(crate) fn of(evidence: &Evidence, kind: &str, values: &[Vec<u8>]) -> Self {
        if evidence.salt.is_none() {
            return Baked::NoSalt;
        }
        let known = evidence.of_kind(kind);
        if known.is_empty() {
            return Baked::NoTombstone;
        }
        // The empty value's tombstone says that there was nothing to bury; nothing is not the same as that.
        let given = values.iter().filter(|value| !value.is_empty());
        let same = given
            .filter_map(|value| evidence.tombstone(kind, value))
            .any(|tombstone| known.contains(&&tombstone));
        if same { Baked::Same } else { Baked::Other }
    }

    /// Puts the verdict in a diff.
    fn judge<A>(self, what: &str, diff: &mut Diff<A>) {
        match self {
            Baked::Other => {}
            Baked::Same => diff.differs(
                what,
                "the one that the build machine had",
                "made anew on this machine",
            ),
            Baked::NoSalt => diff.unknown(
                what,
                "cannot be compared with the build machine's: bake-record.json has no salt",
            ),
            Baked::NoTombstone => diff.unknown(
                what,
                "cannot be compared with the build machine's: bake-record.json has no tombstone of it",
            ),
        }
    }
}

/// A step. There is none: identity is judged, never repaired.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {}

impl fmt::Display for Action {
    fn fmt(&self, _f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

impl Kind for Identity {
    const NAME: &'static str = "identity";
    const PHASE: Phase = Phase::Identity;
    const DOC: &'static str =
        "What tells machines apart: each its own, none what was baked; judged, never changed.";
    const PLACES: &'static [Place] = &[Place::Node];
    const FIELDS: &'static [Field] = fields::FIELDS;
    type Seen = Seen;
    type Action = Action;

    fn key(&self) -> String {
        self.what.clone()
    }

    fn faults(&self) -> Vec<Fault> {
        fields::faults(self)
    }

    fn claims(&self) -> Vec<Claim> {
        vec![Claim {
            fact: format!("identity:{}", self.what),
            value: String::new(),
        }]
    }

    fn observe(&self, host: &Host) -> Result<Seen> {
        match self.what.as_str() {
            "machine-id" => machine::observe(host).map(Seen::MachineId),
            "dbus-id" => machine::observe_dbus(&host.root).map(Seen::DbusId),
            "ssh-host-keys" => hostkeys::observe(host).map(Seen::SshHostKeys),
            "hostname" => names::observe(host).map(Seen::HostName),
            "cloud-instance" => cloud::observe(host).map(Seen::CloudInstance),
            "iscsi-name" => storage::iscsi(host).map(Seen::IscsiName),
            "nvme-host" => storage::nvme(host).map(Seen::NvmeHost),
            "file-system" => storage::file_system(&host.root).map(Seen::FileSystem),
            "nm-secret-key" => derived::secret_key(host).map(Seen::NmSecretKey),
            "cattle-id" => derived::cattle_id(host).map(Seen::CattleId),
            "boot-entries" => boot::entries(&host.root).map(Seen::BootEntries),
            "command-line" => boot::command_line(host).map(Seen::CommandLine),
            "never-joined" => joined::observe(&self.paths, host).map(Seen::NeverJoined),
            "authorized-keys" => {
                access::authorized_keys(self.strict, host).map(Seen::AuthorizedKeys)
            }
            "build-account" => {
                let account = self.account.as_deref().unwrap_or_default();
                access::build_account(account, host).map(Seen::BuildAccount)
            }
            "initramfs" => initramfs::observe(&self.paths, host).map(Seen::Initramfs),
            other => Err(Error::new(
                crate::error::Kind::Policy,
                format!("prove the identity '{other}': there is no such proof"),
            )),
        }
    }

    fn diff(&self, seen: &Seen, _place: Place) -> Diff<Action> {
        let mut diff = Diff::default();
        match seen {
            Seen::MachineId(seen) => seen.judge(&mut diff),
            Seen::DbusId(seen) => seen.judge(&mut diff),
            Seen::SshHostKeys(seen) => seen.judge(&mut diff),
            Seen::HostName(seen) => seen.judge(&mut diff),
            Seen::CloudInstance(seen) => seen.judge(&mut diff),
            Seen::IscsiName(seen) => seen.judge(&mut diff),
            Seen::NvmeHost(seen) => seen.judge(&mut diff),
            // Told, not judged: all machines of one image have the same, and it can only be changed offline.
            Seen::FileSystem(_) => {}
            Seen::NmSecretKey(seen) => seen.judge(&mut diff),
            Seen::CattleId(seen) => seen.judge(&mut diff),
            Seen::BootEntries(seen) => seen.judge(&mut diff),
            Seen::CommandLine(seen) => seen.judge(&mut diff),
            Seen::NeverJoined(seen) => seen.judge(&mut diff),
            Seen::AuthorizedKeys(seen) => seen.judge(&mut diff),
            Seen::BuildAccount(seen) => seen.judge(&mut diff),
            Seen::Initramfs(seen) => seen.judge(&mut diff),
        }
        diff
    }

    fn apply(batch: &[(&Self, &Action)], _host: &Host) -> Result<()> {
        match batch.first() {
            None => Ok(()),
            Some((_, action)) => match **action {},
        }
    }
}
