//! The machine-id and D-Bus' copy of it: form, origin, and whether it is the build machine's.
//! It is separate because PID 1 has its own rules for where the identifier comes from (machine-id(5)).

#[cfg(test)]
mod tests;

use serde::Serialize;

use super::Baked;
use crate::error::Result;
use crate::host::{FileKind, Host, Root};
use crate::resource::Diff;

const PATH: &str = "/etc/machine-id";
const DBUS: &str = "/var/lib/dbus/machine-id";
/// The word for an identifier that the next boot would replace.
pub const TRANSIENT: &str = "mounted over the file, not committed to disk";
const SAME_UUID: &str = "the one that the build machine had; its source is the SMBIOS product UUID, which the hypervisor gave to both machines";

/// What the file holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// No file.
    Missing,
    /// Something else than a regular file.
    NotAFile(FileKind),
    /// Nothing: not made yet.
    Empty,
    /// The word `uninitialized`: the next boot counts as the first one.
    Uninitialized,
    /// Only zeros.
    Zero,
    /// Anything else.
    Malformed,
    /// 32 lower-case hexadecimal digits on one line.
    Valid,
}

impl Form {
    fn of(text: &str) -> Self {
        let line = text.strip_suffix('\n').unwrap_or(text);
        let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        match line {
            "" => Form::Empty,
            "uninitialized" => Form::Uninitialized,
            id if id.chars().count() != 32 || !id.chars().all(hex) => Form::Malformed,
            id if id.chars().all(|c| c == '0') => Form::Zero,
            _ => Form::Valid,
        }
    }

    fn text(&self) -> String {
        match self {
            Form::Missing => "absent".to_owned(),
            Form::NotAFile(kind) => format!("a {kind}"),
            Form::Empty => "empty".to_owned(),
            Form::Uninitialized => "uninitialized".to_owned(),
            Form::Zero => "only zeros".to_owned(),
            Form::Malformed => "not an identifier".to_owned(),
            Form::Valid => "an identifier".to_owned(),
        }
    }
}

/// What was found of the machine-id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct MachineId {
    /// Its form.
    pub form: Form,
    /// It is only mounted over the file.
    pub transient: bool,
    /// How it compares with the build machine's.
    pub baked: Baked,
    /// It equals the SMBIOS product UUID: it comes from the hypervisor, which may give two machines the same.
    pub from_smbios: bool,
    /// The kernel command line sets it.
    pub from_command_line: bool,
}

pub(super) fn observe(host: &Host) -> Result<MachineId> {
    let (form, text) = read(&host.root)?;
    let id = text.trim();
    let uuid = host.kernel.product_uuid()?.unwrap_or_default();
    let line = host.kernel.command_line()?;
    Ok(MachineId {
        transient: transient(&host.root)?,
        baked: Baked::of(&host.evidence, "machine-id", &[id.as_bytes().to_vec()]),
        from_smbios: form == Form::Valid && uuid.replace('-', "").eq_ignore_ascii_case(id),
        from_command_line: line
            .split_whitespace()
            .any(|word| word.starts_with("systemd.machine_id=")),
        form,
    })
}

fn read(root: &Root) -> Result<(Form, String)> {
    match root.meta(PATH)?.map(|meta| meta.kind) {
        None => Ok((Form::Missing, String::new())),
        Some(FileKind::File) => {
            let bytes = root.read(PATH)?.unwrap_or_default();
            let text = String::from_utf8_lossy(&bytes).into_owned();
            Ok((Form::of(&text), text))
        }
        Some(kind) => Ok((Form::NotAFile(kind), String::new())),
    }
}

/// Where /etc cannot be written at boot, PID 1 mounts the identifier over the file; any mount will do, also one of
/// the same file system.
fn transient(root: &Root) -> Result<bool> {
    Ok(root.present(PATH)? && root.is_mount_point(PATH)?)
}

impl MachineId {
    pub(super) fn judge<A>(&self, diff: &mut Diff<A>) {
        if self.form != Form::Valid {
            let want = "32 lower-case hexadecimal digits in a regular file";
            diff.differs(PATH, self.form.text(), want);
            return;
        }
        if self.transient {
            diff.differs(PATH, TRANSIENT, "committed by systemd-machine-id-commit");
        }
        if self.from_command_line {
            diff.differs(
                "kernel command line",
                "systemd.machine_id= is set",
                "an identifier made on this machine",
            );
        }
        if self.baked == Baked::Same && self.from_smbios {
            diff.differs(PATH, SAME_UUID, "made anew on this machine");
        } else {
            self.baked.judge(PATH, diff);
        }
    }

    pub(super) fn notes(&self) -> Vec<String> {
        let note = "the machine-id equals the SMBIOS product UUID: two machines to which the hypervisor gives the same UUID get the same machine-id";
        self.from_smbios
            .then(|| note.to_owned())
            .into_iter()
            .collect()
    }
}

/// What was found of D-Bus' copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DbusId {
    /// No file: D-Bus uses /etc/machine-id.
    Absent,
    /// Leads to, or holds, the same identifier.
    Equal,
    /// A symlink to nothing.
    Dangling,
    /// Another identifier.
    Other,
}

pub(super) fn observe_dbus(root: &Root) -> Result<DbusId> {
    if !root.present(DBUS)? {
        return Ok(DbusId::Absent);
    }
    let Some(copy) = root.read(DBUS)? else {
        return Ok(DbusId::Dangling);
    };
    let own = root.read(PATH)?.unwrap_or_default();
    let same = copy.trim_ascii() == own.trim_ascii();
    Ok(if same { DbusId::Equal } else { DbusId::Other })
}

impl DbusId {
    pub(super) fn judge<A>(self, diff: &mut Diff<A>) {
        let have = match self {
            DbusId::Absent | DbusId::Equal => return,
            DbusId::Dangling => "a symlink to nothing",
            DbusId::Other => "another identifier than /etc/machine-id",
        };
        diff.differs(
            DBUS,
            have,
            "a symlink to /etc/machine-id, or the same identifier",
        );
    }
}
