//! By what storage tells machines apart: the iSCSI initiator's name, NVMe's host identifiers, the file system's number.
//! It is separate because two machines with one of these take each other's volumes.

use serde::Serialize;

use super::Baked;
use crate::error::Result;
use crate::host::{Host, Root};
use crate::resource::Diff;
use crate::resource::scrub::identifiers;

const ISCSI: &str = "/etc/iscsi/initiatorname.iscsi";
const NQN: &str = "/etc/nvme/hostnqn";
const HOST_ID: &str = "/etc/nvme/hostid";
/// Where Longhorn keeps volumes unless told otherwise; it names its disk after the file system's identifier.
const LONGHORN: &str = "/var/lib/longhorn";

/// What was found of the iSCSI initiator's name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct IscsiName {
    /// The file is there.
    pub present: bool,
    /// It asks for a name to be made (Debian).
    pub asks: bool,
    /// How many names it holds.
    pub names: usize,
    /// A name is none by iSCSI's rules (RFC 3720: iqn., eui., naa.).
    pub malformed: bool,
    /// How they compare with the build machine's.
    pub baked: Baked,
}

pub(super) fn iscsi(host: &Host) -> Result<IscsiName> {
    let content = host.root.read(ISCSI)?;
    let text = String::from_utf8_lossy(content.as_deref().unwrap_or_default()).into_owned();
    let names = identifiers::of("iscsi-name", text.as_bytes());
    let forms = ["iqn.", "eui.", "naa."].map(str::as_bytes);
    let right = |name: &Vec<u8>| forms.iter().any(|form| name.starts_with(form));
    Ok(IscsiName {
        present: content.is_some(),
        asks: text.lines().any(|line| line.trim() == "GenerateName=yes"),
        names: names.len(),
        malformed: !names.iter().all(right),
        baked: Baked::of(&host.evidence, "iscsi-name", &names),
    })
}

impl IscsiName {
    pub(super) fn judge<A>(&self, diff: &mut Diff<A>) {
        let want = "one InitiatorName= made on this machine";
        match self.names {
            // iscsid's start makes it (Debian), or iscsi-init.service (EL) where the file is missing.
            0 if self.asks || !self.present => {}
            0 => diff.differs(ISCSI, "neither a name nor GenerateName=yes", want),
            1 if self.malformed => diff.differs(ISCSI, "a name that is none", want),
            1 => self.baked.judge(ISCSI, diff),
            count => diff.differs(ISCSI, format!("{count} names"), want),
        }
    }
}

/// What was found of NVMe's host identifiers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct NvmeHost {
    /// The host's name is there.
    pub nqn: bool,
    /// The host's identifier is there.
    pub id: bool,
    /// Both say the same UUID; none where only one does.
    pub pair: Option<bool>,
    /// How they compare with the build machine's.
    pub baked: Baked,
}

pub(super) fn nvme(host: &Host) -> Result<NvmeHost> {
    let text = |path: &str| -> Result<String> {
        let bytes = host.root.read(path)?.unwrap_or_default();
        Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
    };
    let (nqn, id) = (text(NQN)?, text(HOST_ID)?);
    let uuid = nqn.rsplit_once(":uuid:").map(|(_, uuid)| uuid);
    let values = [&nqn, &id].map(|value| value.as_bytes().to_vec());
    let given: Vec<_> = values.into_iter().filter(|v| !v.is_empty()).collect();
    Ok(NvmeHost {
        pair: uuid
            .filter(|_| !id.is_empty())
            .map(|uuid| uuid.eq_ignore_ascii_case(&id)),
        nqn: !nqn.is_empty(),
        id: !id.is_empty(),
        baked: Baked::of(&host.evidence, "nvme-host", &given),
    })
}

impl NvmeHost {
    pub(super) fn judge<A>(&self, diff: &mut Diff<A>) {
        if !self.nqn && !self.id {
            return;
        }
        if !self.nqn {
            let have = "without the host's name beside it";
            diff.differs(HOST_ID, have, "a pair with hostnqn, or neither");
        }
        if self.pair == Some(false) {
            let want = "the UUID in hostnqn: the kernel refuses one name with two identifiers";
            diff.differs(HOST_ID, "another UUID than hostnqn's", want);
        }
        self.baked.judge(NQN, diff);
    }
}

/// The file system that Longhorn keeps its volumes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct FileSystem {
    /// Its identifier (statfs(2)), in hexadecimal as `stat -f` prints it; none where Longhorn has no directory.
    /// Not serialized: two builds of one image differ in it, and their manifests must not.
    #[serde(skip)]
    pub fsid: Option<String>,
}

pub(super) fn file_system(root: &Root) -> Result<FileSystem> {
    let fsid = match root.present(LONGHORN)? {
        // The C library puts the first half last, `stat -f` and with it Longhorn first.
        true => Some(format!("{:x}", root.space(LONGHORN)?.fsid.rotate_left(32))),
        false => None,
    };
    Ok(FileSystem { fsid })
}

impl FileSystem {
    pub(super) fn notes(&self) -> Vec<String> {
        let note = |fsid| {
            format!(
                "the file system of {LONGHORN} is {fsid}: Longhorn names its disk after it, and clones of one disk share it"
            )
        };
        self.fsid.iter().map(note).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(judge: impl Fn(&mut Diff<()>)) -> (Vec<String>, usize) {
        let mut diff = Diff::default();
        judge(&mut diff);
        let names = diff.differences.into_iter().map(|d| d.have).collect();
        (names, diff.unknown.len())
    }

    #[test]
    fn an_initiator_has_one_name_of_its_own_or_waits_for_one() {
        let fine = IscsiName {
            present: true,
            asks: false,
            names: 1,
            malformed: false,
            baked: Baked::Other,
        };
        let seen = |spoil: &dyn Fn(&mut IscsiName)| {
            let mut seen = fine.clone();
            spoil(&mut seen);
            let (have, unknown) = judged(|diff| seen.judge(diff));
            (have.len(), unknown)
        };
        assert_eq!(seen(&|_| ()), (0, 0));
        assert_eq!(seen(&|s| (s.present, s.names) = (false, 0)), (0, 0));
        assert_eq!(seen(&|s| (s.asks, s.names) = (true, 0)), (0, 0));
        assert_eq!(seen(&|s| s.names = 0), (1, 0));
        assert_eq!(seen(&|s| s.names = 2), (1, 0));
        assert_eq!(seen(&|s| s.malformed = true), (1, 0));
        assert_eq!(seen(&|s| s.baked = Baked::Same), (1, 0));
        assert_eq!(seen(&|s| s.baked = Baked::NoTombstone), (0, 1));
    }

    #[test]
    fn nvme_wants_a_pair_of_its_own_or_nothing() {
        let of = |nqn, id, pair, baked| {
            let seen = NvmeHost {
                nqn,
                id,
                pair,
                baked,
            };
            let (have, unknown) = judged(|diff| seen.judge(diff));
            (have.len(), unknown)
        };
        assert_eq!(of(false, false, None, Baked::NoTombstone), (0, 0));
        assert_eq!(of(true, true, Some(true), Baked::Other), (0, 0));
        assert_eq!(of(true, false, None, Baked::Other), (0, 0));
        assert_eq!(of(false, true, None, Baked::Other), (1, 0));
        assert_eq!(of(true, true, Some(false), Baked::Other), (1, 0));
        assert_eq!(of(true, true, Some(true), Baked::Same), (1, 0));
        assert_eq!(of(true, true, Some(true), Baked::NoSalt), (0, 1));
    }

    #[test]
    fn the_file_system_of_volumes_is_told_where_there_is_one() {
        let dir = tempfile::tempdir().unwrap();
        let root = Root::open(dir.path()).unwrap();
        let told = || file_system(&root).unwrap().notes();
        assert_eq!(told(), Vec::<String>::new());
        std::fs::create_dir_all(dir.path().join(&LONGHORN[1..])).unwrap();
        let mut stat = std::process::Command::new("stat");
        let said = stat.args(["-f", "-c", "is %i:"]).arg(dir.path()).output();
        let said = String::from_utf8(said.unwrap().stdout).unwrap();
        assert!(told()[0].contains(said.trim()), "{:?} {said}", told());
    }
}
